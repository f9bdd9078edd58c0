"""Make the destinations that the settings name."""

from __future__ import annotations

from compassd.destinations.base import Destination, MessageDestination
from compassd.destinations.each_breach import EachBreach
from compassd.destinations.journald import JournaldDestination
from compassd.destinations.slack import SlackDestination
from compassd.destinations.slack_bot import SlackBotDestination
from compassd.destinations.stdout import StdoutDestination
from compassd.destinations.webhook import WebhookDestination
from compassd.settings import Settings
from compassd.settings_destinations import (
    DestinationSettings,
    JournaldSettings,
    SlackSettings,
    StdoutSettings,
    WebhookSettings,
    webhook_key,
)

_NS_PER_S = 1_000_000_000


def build_destinations(settings: Settings) -> list[Destination]:
    """Return one destination for each in the settings, in their order; nothing is connected yet."""
    return [_build(name, wanted) for name, wanted in settings.destinations.items()]


def _build(name: str, wanted: DestinationSettings) -> Destination:
    match wanted:
        case StdoutSettings():
            return StdoutDestination(name)
        case JournaldSettings():
            return JournaldDestination(name)
        case SlackSettings():
            return EachBreach(_slack(name, wanted))
        case WebhookSettings():
            return WebhookDestination(
                name,
                wanted.url.get_secret_value(),
                keys=[webhook_key(secret.get_secret_value()) for secret in wanted.secret],
                headers={key: value.get_secret_value() for key, value in wanted.headers.items()},
                timeout=wanted.timeout / _NS_PER_S,
            )


def _slack(name: str, wanted: SlackSettings) -> MessageDestination:
    timeout = wanted.timeout / _NS_PER_S
    if wanted.token is None:
        return SlackDestination(name, wanted.address, timeout=timeout)
    token = wanted.token.get_secret_value()
    return SlackBotDestination(name, token, wanted.channel, api_url=wanted.address, timeout=timeout)
