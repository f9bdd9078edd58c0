"""Slack through a bot: one message an incident, brought up to date, with a thread."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace

import pytest

from compassd.destinations.slack_bot import SlackBotDestination
from compassd.notice import BreachNotice, Happening, TestNotice
from lab.breaches import make_breach
from lab.hostile import ATTACKS
from lab.memory import InMemory
from lab.notices import BEGAN, INCIDENT_ID, SECOND, make_digest, make_figures, make_incident, make_message
from lab.receiver import Receiver
from lab.slack_api import CHANNEL, CHANNEL_ID
from tests.integration.slack_incidents import WORST, bot, failure, later, opened, replies, titles

HOUR = 3_600 * SECOND


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with Receiver(slack_rate=None) as running:
        yield running


@pytest.fixture
def memory() -> InMemory:
    return InMemory()


@pytest.fixture
def slack(receiver: Receiver) -> Iterator[SlackBotDestination]:
    destination = bot(receiver)
    yield destination
    destination.close()


@pytest.mark.parametrize("channel", [CHANNEL, f"#{CHANNEL}", CHANNEL_ID])
def test_an_incident_is_one_message_to_its_end(receiver: Receiver, memory: InMemory, channel: str) -> None:
    slack = bot(receiver, channel)
    slack.send(opened(2), memory)
    slack.send(later(Happening.UPDATED, 2), memory)
    slack.send(later(Happening.CLOSED, 3, at=BEGAN + 658 * SECOND), memory)
    slack.close()
    message, *thread = receiver.api.messages
    assert titles(message) == [
        "🟠 checkout: 2 over budget in 58 s",
        "🟠 checkout: 1 more over budget, 10 in 58 s",
        "⚪ checkout has been quiet for 10 min",
    ]
    assert [each.thread_ts for each in thread] == [message.ts]
    assert receiver.violations == []
    assert memory.kept == {}


def test_what_is_posted_keeps_within_what_is_documented(
    receiver: Receiver, slack: SlackBotDestination, memory: InMemory
) -> None:
    for attack in ATTACKS:
        hostile = make_breach(rule=attack, id=attack, uri=attack, host=attack, tags={attack: attack})
        incident = make_incident(Happening.UPDATED, make_figures(9), (hostile,), incident_id=attack)
        slack.send(make_message(incident), memory)
        slack.send(make_message(replace(incident, happening=Happening.ESCALATED), 2), memory)
    assert all(request.accepted for request in receiver.received)
    assert receiver.violations == []


def test_others_are_posts_of_their_own(
    receiver: Receiver, slack: SlackBotDestination, memory: InMemory
) -> None:
    for notice in (BreachNotice(breach=make_breach()), TestNotice(server="web1", at=BEGAN), make_digest()):
        slack.send(make_message(notice), memory)
    assert [message.thread_ts for message in receiver.api.messages] == ["", "", ""]
    assert memory.kept == {}


def test_each_of_the_worst_requests_is_a_reply_once_and_few_at_a_time(
    receiver: Receiver, slack: SlackBotDestination, memory: InMemory
) -> None:
    slack.send(opened(3, WORST[5:8]), memory)
    assert [each.shown for each in receiver.api.messages[1:]] == replies(WORST[5], WORST[6])
    slack.send(later(Happening.UPDATED, 2, WORST[5:8]), memory)
    slack.send(later(Happening.UPDATED, 3, WORST[5:8]), memory)
    assert [each.shown for each in receiver.api.messages[3:]] == replies(WORST[7])
    slack.send(later(Happening.UPDATED, 4, (WORST[0], *WORST[5:7])), memory)
    assert [each.shown for each in receiver.api.messages[4:]] == replies(WORST[0])
    # What is among the worst no more need not be remembered.
    assert WORST[7].id not in memory.kept[INCIDENT_ID]


def test_a_single_request_needs_no_reply_until_the_message_shows_more(
    receiver: Receiver, slack: SlackBotDestination, memory: InMemory
) -> None:
    slack.send(opened(1), memory)
    assert len(receiver.api.messages) == 1
    slack.send(later(Happening.UPDATED, 2), memory)
    assert [each.shown for each in receiver.api.messages[1:]] == replies(WORST[0])


def test_people_hear_of_an_escalation_in_the_channel(
    receiver: Receiver, slack: SlackBotDestination, memory: InMemory
) -> None:
    slack.send(opened(1), memory)
    slack.send(later(Happening.ESCALATED, 2), memory)
    message, notification, exemplar = receiver.api.messages
    title = "🔴 checkout is critical now: 1 more over budget, 10 in 58 s"
    assert titles(message)[-1] == title
    assert (titles(notification), notification.thread_ts, notification.broadcast) == (
        [title],
        message.ts,
        True,
    )
    assert not exemplar.broadcast


def test_people_are_reminded_of_what_still_goes_on_after_hours(
    receiver: Receiver, slack: SlackBotDestination, memory: InMemory
) -> None:
    slack.send(replace(opened(1), created_at=BEGAN), memory)
    for hour in range(1, 10):
        slack.send(later(Happening.UPDATED, hour + 1, at=BEGAN + hour * HOUR), memory)
    slack.send(later(Happening.CLOSED, 11, at=BEGAN + 13 * HOUR), memory)
    assert [each.broadcast for each in receiver.api.messages] == [False, False, True, True]
    assert len(receiver.api.messages[0].versions) == 11


@pytest.mark.parametrize("word", ["message_not_found", "cant_update_message", "edit_window_closed"])
@pytest.mark.parametrize("happening", [Happening.UPDATED, Happening.ESCALATED])
def test_an_incident_whose_message_is_lost_gets_another(
    receiver: Receiver, slack: SlackBotDestination, memory: InMemory, word: str, happening: Happening
) -> None:
    slack.send(opened(1), memory)
    receiver.api.refuse(word)
    slack.send(later(happening, 2), memory)
    slack.send(later(Happening.UPDATED, 3), memory)
    _, second, exemplar = receiver.api.messages
    # A new message notifies by itself.
    assert (len(second.versions), exemplar.thread_ts, exemplar.broadcast) == (2, second.ts, False)


def test_a_deleted_message_is_lost(receiver: Receiver, slack: SlackBotDestination, memory: InMemory) -> None:
    slack.send(opened(1), memory)
    receiver.api.delete(receiver.api.messages[0].ts)
    slack.send(later(Happening.CLOSED, 2, at=BEGAN + 658 * SECOND), memory)
    (message,) = receiver.api.messages
    assert titles(message)[0].startswith("  ⚪ checkout on /cart has been quiet for 10 min: 10 requests")
    assert memory.kept == {}


def test_the_end_of_an_incident_that_a_digest_told_is_one_line(
    receiver: Receiver, slack: SlackBotDestination, memory: InMemory
) -> None:
    slack.send(later(Happening.CLOSED, 2), memory)
    (message,) = receiver.api.messages
    assert len(message.shown["blocks"]) == 1
    assert memory.kept == {}


def test_the_message_of_an_incident_whose_end_a_digest_tells_is_changed(
    receiver: Receiver, slack: SlackBotDestination, memory: InMemory
) -> None:
    figures = make_figures(10, 3)
    ended, other = make_digest(2).lines
    lines = (replace(ended, incident_id=INCIDENT_ID, happening=Happening.CLOSED, figures=figures), other)
    digest = make_message(make_digest(2, lines=lines), 2, BEGAN + 658 * SECOND)
    slack.send(opened(2), memory)
    slack.send(make_message(make_incident(Happening.OPENED, incident_id=other.incident_id), 3), memory)
    # The change goes through, the post does not.
    receiver.api.refuse("", "internal_error")
    failure(slack, digest, memory)
    slack.send(digest, memory)
    first, second, *rest = [message for message in receiver.api.messages if not message.thread_ts]
    assert titles(first)[1:] == [
        "  ⚪ checkout on /page/0 has been quiet for 10 min: 10 requests over budget in 58 s, 3 of them not"
        " told before, longest 4.20 s"
    ]
    assert (len(second.versions), len(rest)) == (1, 1)
    assert memory.kept.keys() == {other.incident_id}


def test_an_incident_goes_on_in_the_channel_that_is_set(
    receiver: Receiver, slack: SlackBotDestination, memory: InMemory
) -> None:
    slack.send(opened(1), memory)
    other = bot(receiver, CHANNEL_ID)
    other.send(later(Happening.UPDATED, 2), memory)
    other.close()
    assert [len(message.versions) for message in receiver.api.messages if not message.thread_ts] == [1, 1]


@pytest.mark.parametrize("value", ["", "[]", "{}", '{"ts": "1", "told": []}', '{"told": 5}', "null"])
def test_a_memory_that_says_nothing_is_like_none(
    receiver: Receiver, slack: SlackBotDestination, memory: InMemory, value: str
) -> None:
    memory.put(INCIDENT_ID, value)
    slack.send(later(Happening.UPDATED, 2), memory)
    assert json.loads(memory.kept[INCIDENT_ID])["ts"] == receiver.api.messages[0].ts


def test_incidents_do_not_mix(receiver: Receiver, slack: SlackBotDestination, memory: InMemory) -> None:
    for incident in "ab":
        notice = make_incident(incident_id=incident * 32)
        slack.send(make_message(notice), memory)
    notice = make_incident(Happening.CLOSED, make_figures(1, 0), incident_id="a" * 32)
    slack.send(make_message(notice), memory)
    assert [len(message.versions) for message in receiver.api.messages] == [2, 1]
    assert list(memory.kept) == ["b" * 32]
