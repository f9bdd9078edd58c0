"""Make the destinations that the settings name."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from pydantic import SecretStr

from compassd.destinations.alertmanager import AlertmanagerDestination
from compassd.destinations.journald import JournaldDestination
from compassd.destinations.slack import SlackDestination
from compassd.destinations.slack_bot import SlackBotDestination
from compassd.destinations.stdout import StdoutDestination
from compassd.destinations.tls import client_tls
from compassd.destinations.webhook import WebhookDestination
from compassd.settings import IncidentSettings, Settings
from compassd.settings_destinations import (
    AlertmanagerSettings,
    DestinationSettings,
    JournaldSettings,
    SlackSettings,
    StdoutSettings,
    WebhookSettings,
    webhook_key,
)

_NS_PER_S = 1_000_000_000

Local = StdoutDestination | JournaldDestination
"""A destination of this machine, which is told every breach at once."""
Remote = SlackDestination | SlackBotDestination | WebhookDestination | AlertmanagerDestination
"""A destination that gets messages, through the outbox."""


@dataclass(frozen=True, slots=True)
class Destinations:
    """Those that the settings name, in their order.

    Attributes:
        local: Those of this machine.
        remote: The others.
        each: Names of remote ones that are told of each breach instead of incidents.
    """

    local: tuple[Local, ...]
    remote: tuple[Remote, ...]
    each: frozenset[str]


def build_destinations(settings: Settings) -> Destinations:
    """Return one destination for each in the settings; nothing is connected yet.

    Raises:
        ConfigurationError: What the settings of one name cannot be used.
    """
    built = [build(name, wanted, settings.incidents) for name, wanted in settings.destinations.items()]
    return Destinations(
        local=tuple(each for each in built if isinstance(each, Local)),
        remote=tuple(each for each in built if not isinstance(each, Local)),
        each=frozenset(
            name
            for name, wanted in settings.destinations.items()
            if isinstance(wanted, WebhookSettings) and wanted.tell == "breaches"
        ),
    )


def build(name: str, wanted: DestinationSettings, incidents: IncidentSettings) -> Local | Remote:
    """Return the destination of that name; nothing is connected yet.

    Args:
        name: Its name in the settings.
        wanted: Its settings.
        incidents: How breaches become incidents.

    Raises:
        ConfigurationError: What its settings name cannot be used.
    """
    match wanted:
        case StdoutSettings():
            return StdoutDestination(name)
        case JournaldSettings():
            return JournaldDestination(name, rate=wanted.rate, burst=wanted.burst)
        case SlackSettings():
            return _slack(name, wanted)
        case WebhookSettings():
            return WebhookDestination(
                name,
                wanted.url.get_secret_value(),
                keys=[webhook_key(secret.get_secret_value()) for secret in wanted.secret],
                headers=_plain(wanted.headers),
                timeout=wanted.timeout / _NS_PER_S,
                tls=client_tls(wanted),
            )
        case AlertmanagerSettings():
            return AlertmanagerDestination(
                name,
                wanted.url.get_secret_value(),
                cooldown_ns=incidents.cooldown,
                headers=_plain(wanted.headers),
                timeout=wanted.timeout / _NS_PER_S,
                tls=client_tls(wanted),
            )


def _plain(headers: Mapping[str, SecretStr]) -> dict[str, str]:
    return {name: value.get_secret_value() for name, value in headers.items()}


def _slack(name: str, wanted: SlackSettings) -> SlackDestination | SlackBotDestination:
    timeout = wanted.timeout / _NS_PER_S
    if wanted.token is None:
        return SlackDestination(name, wanted.address, timeout=timeout)
    token = wanted.token.get_secret_value()
    return SlackBotDestination(name, token, wanted.channel, api_url=wanted.address, timeout=timeout)
