"""The daemon's settings: where the rules are, whom to tell, how long to wait.

They come from, the strongest first:

1. environment variables COMPASSD_…, nested with two underscores: COMPASSD_DESTINATIONS__OPS__URL;
2. systemd credentials, files in $CREDENTIALS_DIRECTORY named like the variable without its prefix, in lower
   case: destinations__ops__url. Other files there are not read;
3. a TOML file, by default /etc/compassd/compassd.toml, which may be missing.

Sources are merged key by key: a destination's url may come from a credential and its type from the file.
"""

from __future__ import annotations

import base64
import binascii
import ipaddress
import re
import tomllib
from pathlib import Path
from typing import Annotated, Any, Literal
from urllib.parse import SplitResult, urlsplit

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, SecretStr, ValidationError
from pydantic_settings import BaseSettings, PydanticBaseSettingsSource, SettingsConfigDict, SettingsError

from compassd.errors import ConfigurationError
from compassd.regular_file import NotRegularError, read_regular
from compassd.settings_errors import Origins, explain
from compassd.settings_sources import (
    CredentialsSource,
    EnvironmentSource,
    credential_names,
    environment_names,
)
from compassd.units import DurationNs
from compassd.waits.kinds import TextPolicy

DEFAULT_CONFIG = Path("/etc/compassd/compassd.toml")

_NS_PER_S = 1_000_000_000
_MIN_KEY_BYTES, _MAX_KEY_BYTES = 24, 64
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
    """One structured entry in the journal of this machine."""

    type: Literal["journald"]


class SlackSettings(_Destination):
    """A Slack incoming webhook.

    Attributes:
        url: The webhook's URL.
        timeout: How long one attempt may take altogether, ns.
    """

    type: Literal["slack"]
    url: Url
    timeout: DurationNs = 10 * _NS_PER_S


class WebhookSettings(_Destination):
    """A JSON document by HTTP POST, signed as Standard Webhooks asks if there is a secret.

    Attributes:
        url: Where to post.
        secret: Signing secrets: one, or several while receivers change from one to the next; none: unsigned.
        headers: Sent along, for example Authorization. The values are secrets.
        timeout: How long one attempt may take altogether, ns.
    """

    type: Literal["webhook"]
    url: Url
    secret: Annotated[tuple[Key, ...], BeforeValidator(_one_or_many)] = ()
    headers: Headers = Field(default_factory=dict)
    timeout: DurationNs = 10 * _NS_PER_S


DestinationSettings = Annotated[
    StdoutSettings | JournaldSettings | SlackSettings | WebhookSettings, Field(discriminator="type")
]


def _or_journal(destinations: dict[str, DestinationSettings]) -> dict[str, DestinationSettings]:
    return destinations or {"journal": JournaldSettings(type="journald")}


class Settings(BaseSettings):
    """Everything the daemon is told apart from the rules.

    Attributes:
        rules: The rules.
        extension_paths: compass.so files to attach to besides those found by itself.
        rescan_interval: How often to look for new or upgraded compass.so files, ns.
        queue_size: How many breaches may wait for one destination; what exceeds it is counted and dropped.
        drain_timeout: How long a stopping daemon waits for queued breaches to be delivered, ns.
        query_strings: Whether query strings are sent. They may hold personal data and tokens: off by default.
        sampling: Whether breaches say where the time went.
        sample_rate: How often the sampler looks at a worker on the processor, Hz.
        wait_texts: What is told of the SQL, paths and URLs that a request waited for: masked, as they are, or
            nothing.
        running: Whether requests are told while they still run.
        running_interval: How often to look at running requests, ns.
        log_level: The least severe lines that are logged.
        destinations: Whom to tell, by name. If there is none: a journald destination named "journal".
    """

    model_config = SettingsConfigDict(
        env_prefix="COMPASSD_",
        env_nested_delimiter="__",
        extra="forbid",
        frozen=True,
        hide_input_in_errors=True,
        # Durations are given as text and kept as ns, so that a default is not what a file would say.
        validate_default=False,
    )

    rules: Path = Path("/etc/compassd/rules.toml")
    extension_paths: tuple[Path, ...] = ()
    rescan_interval: DurationNs = 5 * _NS_PER_S
    queue_size: int = Field(default=10_000, ge=1, le=1_000_000)
    drain_timeout: DurationNs = 10 * _NS_PER_S
    query_strings: bool = False
    sampling: bool = True
    sample_rate: int = Field(default=99, ge=1, le=999)
    wait_texts: TextPolicy = TextPolicy.MASKED
    running: bool = True
    running_interval: DurationNs = _NS_PER_S
    log_level: Literal["debug", "info", "warning", "error"] = "info"
    destinations: Annotated[dict[Name, DestinationSettings], AfterValidator(_or_journal)] = Field(
        default_factory=dict, validate_default=True
    )

    @classmethod
    def settings_customise_sources(  # noqa: D102 - pydantic-settings' hook, documented there
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,  # noqa: ARG003 - the names are the hook's
        dotenv_settings: PydanticBaseSettingsSource,  # noqa: ARG003
        file_secret_settings: PydanticBaseSettingsSource,  # noqa: ARG003
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        return EnvironmentSource(settings_cls), CredentialsSource(settings_cls), init_settings


def load_settings(config: Path | None = None) -> Settings:
    """Return the settings from the environment, systemd credentials and a TOML file.

    Args:
        config: The file, which must exist; None for the default one, which may be missing.

    Raises:
        ConfigurationError: Something is unreadable, unknown or wrong. The message has one line per problem,
            each naming where it comes from, and never a value.
    """
    path = DEFAULT_CONFIG if config is None else config
    document = _read(path, required=config is not None)
    origins = Origins(path.name, environment_names(), credential_names())
    problems = origins.unknown_variables(Settings)
    try:
        settings = Settings(**document)
    except ValidationError as error:
        problems += explain(error, Settings, origins)
    except SettingsError as error:
        problems.append(str(error))
    else:
        if not problems:
            return settings
    raise ConfigurationError("\n".join(problems))


def _read(path: Path, *, required: bool) -> dict[str, Any]:
    try:
        return tomllib.loads(read_regular(path).decode())
    except FileNotFoundError as error:
        if required:
            raise ConfigurationError(f"{path} does not exist") from error
        return {}
    except NotRegularError as error:
        raise ConfigurationError(f"{path} is {error.strerror}") from error
    except OSError as error:
        raise ConfigurationError(f"{path} cannot be read: {error.strerror}") from error
    # The parsers' messages quote no values; the exceptions hold the text, so they are not passed on.
    except UnicodeDecodeError:
        raise ConfigurationError(f"{path.name}: not UTF-8") from None
    except tomllib.TOMLDecodeError as error:
        raise ConfigurationError(f"{path.name}: {error}") from None
