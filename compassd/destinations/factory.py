"""Make the destinations that the settings name."""

from __future__ import annotations

from collections.abc import Mapping

from pydantic import SecretStr

from compassd.destinations.alertmanager import AlertmanagerDestination
from compassd.destinations.base import Destination
from compassd.destinations.each_breach import EachBreach
from compassd.destinations.journald import JournaldDestination
from compassd.destinations.slack import SlackDestination
from compassd.destinations.stdout import StdoutDestination
from compassd.destinations.tls import ClientTls
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


AnyDestination = (
    StdoutDestination | JournaldDestination | SlackDestination | WebhookDestination | AlertmanagerDestination
)


def build_destinations(settings: Settings) -> list[Destination]:
    """Return one destination for each in the settings, in their order; nothing is connected yet.

    Raises:
        ConfigurationError: What the settings of one name cannot be used.
    """
    built = [build(name, wanted, settings.incidents) for name, wanted in settings.destinations.items()]
    return [
        EachBreach(destination)
        if isinstance(destination, WebhookDestination | AlertmanagerDestination)
        else destination
        for destination in built
    ]


def build(name: str, wanted: DestinationSettings, incidents: IncidentSettings) -> AnyDestination:
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
            return SlackDestination(name, wanted.url.get_secret_value(), timeout=wanted.timeout / _NS_PER_S)
        case WebhookSettings():
            return WebhookDestination(
                name,
                wanted.url.get_secret_value(),
                keys=[webhook_key(secret.get_secret_value()) for secret in wanted.secret],
                headers=_plain(wanted.headers),
                timeout=wanted.timeout / _NS_PER_S,
                tls=_tls(wanted),
            )
        case AlertmanagerSettings():
            return AlertmanagerDestination(
                name,
                wanted.url.get_secret_value(),
                cooldown_ns=incidents.cooldown,
                headers=_plain(wanted.headers),
                timeout=wanted.timeout / _NS_PER_S,
                tls=_tls(wanted),
            )


def _plain(headers: Mapping[str, SecretStr]) -> dict[str, str]:
    return {name: value.get_secret_value() for name, value in headers.items()}


def _tls(wanted: WebhookSettings | AlertmanagerSettings) -> ClientTls:
    return ClientTls(wanted.ca, wanted.client_certificate, wanted.client_key)
