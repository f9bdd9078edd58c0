"""Incidents for a bot in Slack, and what it makes of them."""

from __future__ import annotations

import pytest

from compassd.breach import Breach, Severity
from compassd.destinations.base import SendError
from compassd.destinations.slack_bot import SlackBotDestination
from compassd.destinations.slack_breach import breach_payload
from compassd.notice import Happening, Message
from lab.breaches import make_breach
from lab.memory import InMemory
from lab.notices import BEGAN, SECOND, make_figures, make_incident, make_message
from lab.receiver import Receiver
from lab.slack_api import CHANNEL, CHANNEL_ID, TOKEN, Posted
from lab.slack_text import render

# Worst first, as in a notice.
WORST = tuple(make_breach(pid=number, duration_ns=(9 - number) * SECOND) for number in range(1, 9))


def bot(receiver: Receiver, channel: str = CHANNEL, **changes: float) -> SlackBotDestination:
    destination = SlackBotDestination("ops", TOKEN, channel, api_url=receiver.api_url, **changes)
    # The receiver takes any number; test_posts_keep_slacks_rate is about the pace.
    destination.min_interval = 0.0
    return destination


def opened(hits: int = 1, exemplars: tuple[Breach, ...] = WORST[:1]) -> Message:
    return make_message(make_incident(Happening.OPENED, make_figures(hits), exemplars))


def later(
    happening: Happening,
    number: int,
    exemplars: tuple[Breach, ...] = WORST[:1],
    hits: int = 10,
    at: int = BEGAN,
) -> Message:
    figures = make_figures(hits, 1)
    severity = Severity.CRITICAL if happening is Happening.ESCALATED else Severity.WARNING
    return make_message(make_incident(happening, figures, exemplars, severity=severity), number, at)


def titles(posted: Posted) -> list[str]:
    return [render(version).splitlines()[0] for version in posted.versions]


def failure(slack: SlackBotDestination, message: Message, memory: InMemory) -> SendError:
    with pytest.raises(SendError) as caught:
        slack.send(message, memory)
    error = caught.value
    assert str(error).startswith("destination ops: ")
    for secret in (TOKEN, "127.0.0.1"):
        assert secret not in f"{error} {error.__cause__!r}"
    return error


def replies(*breaches: Breach) -> list[dict[str, object]]:
    place = {"channel": CHANNEL_ID, "thread_ts": "1790000000.000001", "reply_broadcast": False}
    return [{**breach_payload(breach), **place} for breach in breaches]
