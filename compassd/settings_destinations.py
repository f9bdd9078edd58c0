"""The settings of destinations: whom to tell, with the secrets that takes."""

from __future__ import annotations

import base64
import binascii
import ipaddress
import re
from pathlib import Path
from typing import Annotated, Literal, Self
from urllib.parse import SplitResult, urlsplit

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    SecretStr,
    model_validator,
)

from compassd.units import DurationNs

_NS_PER_S = 1_000_000_000
_MIN_KEY_BYTES, _MAX_KEY_BYTES = 24, 64
_BOT_TOKEN = re.compile(r"xoxb-[0-9A-Za-z-]{1,250}")
# Names may be in any script, up to 80 characters.
_CHANNEL = re.compile(r"#?[^\s#@:/<>&]{1,80}")
# What may be sent in a header without being able to end it; RFC 9110, sections 5.1 and 5.5.
_HEADER_NAME = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
_HEADER_VALUE = re.compile(r"[\x21-\x7e](?:[\x20-\x7e\t]*[\x21-\x7e])?")
# The client computes these itself, or the receiver trusts them.
_RESERVED_HEADERS = {"content-length", "content-type", "host", "transfer-encoding", "connection"}


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def _split(url: str) -> SplitResult | None:
    """Return the parts of url, None if it is none: the library's own messages would repeat the secret."""
    try:
        parts = urlsplit(url)
        parts.port  # noqa: B018 - raises if the port is no number
    except ValueError:
        return None
    return parts


def _check_url(secret: SecretStr) -> SecretStr:
    url = secret.get_secret_value()
    parts = _split(url)
    if parts is None or not parts.hostname or not re.fullmatch(r"[\x21-\x7e]+", url):
        raise ValueError("not a URL such as https://example.com/hook")
    if parts.username is not None or parts.password is not None:
        raise ValueError("must not hold a user or password: send an Authorization header instead")
    if parts.scheme != "https" and not (parts.scheme == "http" and _is_loopback(parts.hostname)):
        raise ValueError("must begin with https:// (http:// only to this machine)")
    return secret


def _check_base(secret: SecretStr) -> SecretStr:
    parts = urlsplit(_check_url(secret).get_secret_value())
    if parts.query or parts.fragment:
        raise ValueError("must end with its path: there is nothing to append to ? or #")
    return secret


def _check_token(secret: SecretStr) -> SecretStr:
    if not _BOT_TOKEN.fullmatch(secret.get_secret_value()):
        raise ValueError("must be a bot token: xoxb- followed by letters, digits and hyphens")
    return secret


def _check_channel(channel: str) -> str:
    if not _CHANNEL.fullmatch(channel):
        raise ValueError('must be a channel\'s name or id; write for example "#alerts" or "C0123456789"')
    return channel


def _check_key(secret: SecretStr) -> SecretStr:
    try:
        key = webhook_key(secret.get_secret_value())
    except binascii.Error:
        key = b""
    if not _MIN_KEY_BYTES <= len(key) <= _MAX_KEY_BYTES:
        raise ValueError("must be whsec_ followed by 24 to 64 random bytes in base64")
    return secret


def webhook_key(secret: str) -> bytes:
    """Return the key in a Standard Webhooks secret, "whsec_" and base64; b"" without that prefix.

    Raises:
        binascii.Error: What follows the prefix is not base64.
    """
    prefix, found, encoded = secret.partition("whsec_")
    return base64.b64decode(encoded, validate=True) if found and not prefix and encoded.isascii() else b""


def _one_or_many(value: object) -> object:
    return (value,) if isinstance(value, str) else value


def _check_headers(headers: dict[str, SecretStr]) -> dict[str, SecretStr]:
    for name, value in headers.items():
        if not _HEADER_NAME.fullmatch(name):
            raise ValueError(f"{name!r} is not the name of an HTTP header")
        if name.lower() in _RESERVED_HEADERS or name.lower().startswith("webhook-"):
            raise ValueError(f"{name} is set by compassd itself")
        if not _HEADER_VALUE.fullmatch(value.get_secret_value()):
            raise ValueError(f"the value of {name} must be printable ASCII without surrounding space")
    return headers


Url = Annotated[SecretStr, AfterValidator(_check_url)]
"""Where to send: a secret, as whoever knows it can post."""

BaseUrl = Annotated[SecretStr, AfterValidator(_check_base)]
"""Where an API begins: what is asked of it is appended."""
BotToken = Annotated[SecretStr, AfterValidator(_check_token)]
"""A Slack app's bot token that does not expire: one that does (xoxe.xoxb-) would have to be renewed."""

Channel = Annotated[str, AfterValidator(_check_channel)]

Key = Annotated[SecretStr, AfterValidator(_check_key)]
"""A Standard Webhooks signing secret: whsec_ and 24 to 64 bytes in base64 (the specification's bounds)."""

Headers = Annotated[dict[str, SecretStr], AfterValidator(_check_headers)]

Name = Annotated[str, Field(pattern=r"^[a-z0-9](?:[_-]?[a-z0-9])*$", max_length=32)]
"""A destination's name. Lower case, as environment variables do not tell the cases apart; no two underscores
in a row, as these separate the levels there."""


class _Destination(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True)


class StdoutSettings(_Destination):
    """One JSON object a line on standard output."""

    type: Literal["stdout"]


class JournaldSettings(_Destination):
    """One structured entry in the journal of this machine.

    journald drops what a service writes beyond 10,000 entries in 30 s, its own log included, so that the
    defaults stay well below: 1,000 at once and 200 a second come to 7,000.

    Attributes:
        rate: How many breaches a second are written in the long run; what exceeds it is counted.
        burst: How many may be written at once.
    """

    type: Literal["journald"]
    rate: int = Field(default=200, ge=1, le=100_000)
    burst: int = Field(default=1_000, ge=1, le=1_000_000)


class SlackSettings(_Destination):
    """Slack: an incoming webhook, or an app's bot in one channel.

    Attributes:
        url: The webhook's URL; None for a bot.
        token: The bot's token; None for a webhook.
        channel: Where the bot posts, "" for a webhook, whose channel is its own.
        api_url: Where the bot's methods are: elsewhere for GovSlack, and for a stand-in in tests.
        timeout: How long one attempt may take altogether, ns.
    """

    type: Literal["slack"]
    url: Url | None = None
    token: BotToken | None = None
    channel: Channel = ""
    api_url: Url = SecretStr("https://slack.com/api")
    timeout: DurationNs = 10 * _NS_PER_S

    @model_validator(mode="after")
    def _check_access(self) -> Self:
        if self.url is not None and self.model_fields_set & {"token", "channel", "api_url"}:
            raise ValueError("url goes without token, channel and api_url: a webhook has its own channel")
        if self.url is None and self.token is None:
            raise ValueError("needs the url of a webhook, or the token of a bot and a channel")
        if self.token is not None and not self.channel:
            raise ValueError("the token needs a channel to post to")
        return self

    @property
    def address(self) -> str:
        """Where to connect, a secret."""
        return (self.url or self.api_url).get_secret_value()


class _HttpSettings(_Destination):
    """What can be said of any HTTP server.

    Attributes:
        url: Where it is.
        headers: Sent along, for example Authorization. The values are secrets.
        timeout: How long one attempt may take altogether, ns.
        ca: PEM file of the certificate authorities to trust; None: the system's.
        client_certificate: PEM file of our certificate, for a server that asks for one.
        client_key: PEM file of its private key; None: it is in client_certificate.
    """

    url: Url
    headers: Headers = Field(default_factory=dict)
    timeout: DurationNs = 10 * _NS_PER_S
    ca: Path | None = None
    client_certificate: Path | None = None
    client_key: Path | None = None

    @model_validator(mode="after")
    def _check_tls(self) -> Self:
        if self.client_key and not self.client_certificate:
            raise ValueError("client_key is set without client_certificate")
        if (self.ca or self.client_certificate) and not self.url.get_secret_value().startswith("https:"):
            raise ValueError("ca and client_certificate need a url that begins with https://")
        return self


class WebhookSettings(_HttpSettings):
    """A JSON document by HTTP POST, signed as Standard Webhooks asks if there is a secret.

    Attributes:
        tell: Whether it is told of incidents, or of each breach.
        secret: Signing secrets: one, or several while receivers change from one to the next; none: unsigned.
    """

    type: Literal["webhook"]
    tell: Literal["incidents", "breaches"] = "incidents"
    secret: Annotated[tuple[Key, ...], BeforeValidator(_one_or_many)] = ()


class AlertmanagerSettings(_HttpSettings):
    """A Prometheus Alertmanager, in which an incident is an alert.

    Attributes:
        url: Where it is, without /api/v2/alerts.
    """

    type: Literal["alertmanager"]
    url: BaseUrl


LocalSettings = StdoutSettings | JournaldSettings
"""Of destinations of this machine, which are told every breach at once; all others get messages."""

DestinationSettings = Annotated[
    StdoutSettings | JournaldSettings | SlackSettings | WebhookSettings | AlertmanagerSettings,
    Field(discriminator="type"),
]


def gets_incidents(wanted: DestinationSettings) -> bool:
    """Return whether a destination is told of incidents, rather than of each breach."""
    if isinstance(wanted, WebhookSettings):
        return wanted.tell == "incidents"
    return not isinstance(wanted, StdoutSettings | JournaldSettings)
