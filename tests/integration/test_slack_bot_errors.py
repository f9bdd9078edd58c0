"""Slack through a bot, when Slack refuses, breaks off or is slow."""

from __future__ import annotations

import time
from collections.abc import Iterator

import pytest

from compassd.destinations.base import SendError
from compassd.destinations.slack_bot import SlackBotDestination
from compassd.notice import Happening, Message, TestNotice
from lab.breaches import make_breach
from lab.memory import InMemory
from lab.notices import BEGAN, make_figures, make_incident, make_message
from lab.receiver import Cut, Hang, Receiver, Reset, Status
from lab.slack_api import CHANNEL, TOKEN
from tests.integration.slack_incidents import WORST, bot, failure, later, opened, replies, titles


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


@pytest.mark.parametrize("calls", [0, 1, 2, 3])
def test_what_stopped_half_way_goes_on_there(
    receiver: Receiver, slack: SlackBotDestination, memory: InMemory, calls: int
) -> None:
    slack.send(opened(1), memory)
    receiver.api.refuse(*[""] * calls, "internal_error")
    escalated = later(Happening.ESCALATED, 2, WORST[:3])
    assert not failure(slack, escalated, memory).permanent
    slack.send(escalated, memory)
    _, notification, *thread = receiver.api.messages
    assert notification.broadcast
    # Each once; how many there are at most counts for each attempt.
    assert len(thread) in {2, 3}
    assert [each.shown for each in thread] == replies(*WORST[: len(thread)])


def test_a_post_that_was_answered_is_not_repeated_when_the_rest_fails(
    receiver: Receiver, slack: SlackBotDestination, memory: InMemory
) -> None:
    receiver.api.refuse("", "service_unavailable")
    failure(slack, opened(9, WORST[:2]), memory)
    slack.send(opened(9, WORST[:2]), memory)
    message, *thread = receiver.api.messages
    assert len(message.versions) == 2
    assert [each.shown for each in thread] == replies(*WORST[:2])


def test_a_lost_answer_is_a_second_post(
    receiver: Receiver, slack: SlackBotDestination, memory: InMemory
) -> None:
    """A known limitation: Slack documents nothing to recognise a message sent twice by."""
    receiver.misbehave(Cut())
    assert not failure(slack, opened(1), memory).permanent
    slack.send(opened(1), memory)
    slack.send(later(Happening.CLOSED, 2), memory)
    first, second, _ = receiver.api.messages
    assert (len(first.versions), len(second.versions)) == (1, 2)


def test_a_lost_answer_to_a_change_does_no_harm(
    receiver: Receiver, slack: SlackBotDestination, memory: InMemory
) -> None:
    slack.send(opened(1), memory)
    receiver.misbehave(Cut())
    update = later(Happening.UPDATED, 2)
    assert not failure(slack, update, memory).permanent
    slack.send(update, memory)
    message, _ = receiver.api.messages
    assert titles(message)[1] == titles(message)[2]


@pytest.mark.parametrize(
    "word",
    [
        *("invalid_auth", "account_inactive", "token_revoked", "channel_not_found", "is_archived"),
        *("not_in_channel", "missing_scope", "restricted_action", "not_authed"),
    ],
)
def test_what_would_meet_every_message_is_gone_and_said_with_what_to_do(
    receiver: Receiver, slack: SlackBotDestination, memory: InMemory, word: str
) -> None:
    receiver.api.refuse(word)
    error = failure(slack, opened(), memory)
    assert error.gone
    assert f"chat.postMessage refused ({word}); " in str(error)
    slack.send(opened(), memory)
    receiver.api.refuse(word)
    assert failure(slack, later(Happening.UPDATED, 2), memory).gone


@pytest.mark.parametrize("word", ["invalid_blocks", "msg_too_long", "no_text", "something_new"])
def test_what_is_about_one_message_is_permanent_only(
    receiver: Receiver, slack: SlackBotDestination, memory: InMemory, word: str
) -> None:
    receiver.api.refuse(word)
    error = failure(slack, opened(), memory)
    assert (error.permanent, error.gone) == (True, False)


@pytest.mark.parametrize(
    "word", ["fatal_error", "internal_error", "service_unavailable", "request_timeout", "ratelimited"]
)
def test_what_may_pass_can_be_retried(
    receiver: Receiver, slack: SlackBotDestination, memory: InMemory, word: str
) -> None:
    receiver.api.refuse(word)
    assert not failure(slack, opened(), memory).permanent
    slack.send(opened(), memory)
    assert len(receiver.api.messages) == 1


@pytest.mark.parametrize("status", [200, 429])
def test_the_wait_that_slack_asks_for_is_passed_on(
    receiver: Receiver, slack: SlackBotDestination, memory: InMemory, status: int
) -> None:
    receiver.misbehave(Status(status, {"Retry-After": "30"}, b'{"ok":false,"error":"ratelimited"}'))
    error = failure(slack, opened(), memory)
    assert (error.permanent, error.retry_after) == (False, 30.0)


@pytest.mark.parametrize(
    "body",
    [
        *(b"", b"ok", b"[]", b"null", b'{"ok":true}', b'{"ok":true,"channel":5,"ts":"1"}', b'{"ok":1}'),
        *(b'{"ok":false}', b'{"ok":false,"error":"<html>"}', b"[" * 100_000),
    ],
)
def test_an_answer_that_is_not_slacks_can_be_retried(
    receiver: Receiver, slack: SlackBotDestination, memory: InMemory, body: bytes
) -> None:
    receiver.misbehave(Status(200, {}, body))
    error = failure(slack, opened(), memory)
    assert not error.permanent
    assert "html" not in str(error)
    assert memory.kept == {}


def test_network_errors_can_be_retried(receiver: Receiver, memory: InMemory) -> None:
    slack = bot(receiver, timeout=0.3)
    receiver.misbehave(Reset(), Hang())
    for _ in range(2):
        assert not failure(slack, opened(), memory).permanent
    slack.send(opened(), memory)
    slack.close()


def test_a_wrong_address_is_gone(receiver: Receiver, memory: InMemory) -> None:
    slack = SlackBotDestination("ops", TOKEN, CHANNEL, api_url=receiver.origin + "/elsewhere")
    assert failure(slack, opened(), memory).gone
    slack.close()


def test_a_wrong_token_is_gone(receiver: Receiver, memory: InMemory) -> None:
    slack = SlackBotDestination("ops", "xoxb-another", CHANNEL, api_url=receiver.api_url)
    error = failure(slack, opened(), memory)
    slack.close()
    assert error.gone
    assert "invalid_auth" in str(error)


@pytest.mark.parametrize(
    "word",
    ["restricted_action_thread_locked", "restricted_action_non_threadable_channel", "thread_not_found"],
)
def test_where_nobody_can_reply_an_escalation_is_a_message(
    receiver: Receiver, slack: SlackBotDestination, memory: InMemory, word: str
) -> None:
    slack.send(opened(1), memory)
    receiver.api.refuse("", word, "", word)
    slack.send(later(Happening.ESCALATED, 2), memory)
    message, notification = receiver.api.messages
    assert notification.thread_ts == ""
    assert titles(notification) == titles(message)[-1:]


def test_a_long_answer_is_read_to_its_end(
    receiver: Receiver, slack: SlackBotDestination, memory: InMemory
) -> None:
    """Slack repeats the message, and what is not ASCII is six characters there."""
    exemplars = tuple(
        make_breach(pid=pid, uri="/" + "ж" * 1_900, tags={f"{tag}": "ж" * 280 for tag in range(8)})
        for pid in (1, 2)
    )
    slack.send(opened(9, exemplars), memory)
    assert len(receiver.api.messages) == 3


def test_posts_keep_slacks_rate(memory: InMemory) -> None:
    with Receiver(slack_rate=4.0) as receiver:
        slack = bot(receiver)
        slack.min_interval = 0.25
        begun = time.monotonic()
        for number in range(4):
            incident = make_incident(
                Happening.OPENED, make_figures(9), WORST[:2], incident_id=f"{number:032x}"
            )
            slack.send(make_message(incident, number), memory)
        slack.close()
        # Twelve posts, the first at once.
        assert time.monotonic() - begun >= 11 * 0.25
        assert all(request.accepted for request in receiver.received)
        assert len(receiver.api.messages) == 12


def test_what_slack_limits_anyway_arrives_in_the_end(memory: InMemory) -> None:
    refusals = []
    with Receiver(slack_rate=20.0) as receiver:
        slack = bot(receiver)
        for number in range(20):
            message = make_message(TestNotice(server="web1", at=BEGAN), number)
            while (error := attempt(slack, message, memory)) is not None:
                refusals.append(error.retry_after)
                time.sleep(0.05)
        slack.close()
        assert len(receiver.api.messages) == 20
    assert set(refusals) == {1.0}


def attempt(slack: SlackBotDestination, message: Message, memory: InMemory) -> SendError | None:
    try:
        slack.send(message, memory)
    except SendError as error:
        return error
    return None
