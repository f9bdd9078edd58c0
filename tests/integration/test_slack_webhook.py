"""Slack through an incoming webhook: every kind of notice, and what each refusal means."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from compassd.destinations.base import SendError
from compassd.destinations.slack import SlackDestination
from compassd.notice import BreachNotice, Happening, Notice, TestNotice
from lab.breaches import make_breach
from lab.memory import InMemory
from lab.notices import BEGAN, make_digest, make_figures, make_incident, make_message
from lab.receiver import Receiver, Status

NOTICES: list[Notice] = [
    BreachNotice(breach=make_breach()),
    TestNotice(server="web1", at=BEGAN),
    make_digest(),
    *[make_incident(happening, make_figures(10_000, 9_998), (make_breach(),) * 3) for happening in Happening],
]


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with Receiver(slack_rate=None) as running:
        yield running


@pytest.fixture
def slack(receiver: Receiver) -> Iterator[SlackDestination]:
    destination = SlackDestination("ops", receiver.slack_url)
    yield destination
    destination.close()


def test_every_kind_of_notice_is_taken_and_none_is_remembered(
    receiver: Receiver, slack: SlackDestination
) -> None:
    memory = InMemory()
    for number, notice in enumerate(NOTICES):
        slack.send(make_message(notice, number), memory)
    assert [request.accepted for request in receiver.received] == [True] * len(NOTICES)
    assert receiver.violations == []
    assert memory.kept == {}


@pytest.mark.parametrize(
    ("status", "word"),
    [
        (404, "no_service"),
        (404, "no_active_hooks"),
        (404, "channel_not_found"),
        (410, "channel_is_archived"),
        (403, "invalid_token"),
        (403, "action_prohibited"),
        (403, "team_disabled"),
        (400, "posting_to_general_channel_denied"),
        (404, "<html>"),
    ],
)
def test_a_webhook_that_takes_nothing_any_more_is_gone(
    receiver: Receiver, slack: SlackDestination, status: int, word: str
) -> None:
    receiver.misbehave(Status(status, {}, word.encode()))
    error = failure(slack)
    assert error.gone
    assert error.permanent
    if word.isidentifier():
        assert str(error) == f"destination ops: HTTP {status} ({word})"


@pytest.mark.parametrize("word", ["invalid_payload", "too_many_attachments", "no_text", "invalid_blocks"])
def test_a_message_that_is_wrong_says_nothing_of_the_next(
    receiver: Receiver, slack: SlackDestination, word: str
) -> None:
    receiver.misbehave(Status(400, {}, word.encode()))
    error = failure(slack)
    assert error.permanent
    assert not error.gone


@pytest.mark.parametrize("word", ["rollup_error", "no_service"])
def test_a_server_error_may_pass_whatever_it_says(
    receiver: Receiver, slack: SlackDestination, word: str
) -> None:
    receiver.misbehave(Status(500, {}, word.encode()))
    assert not failure(slack).permanent


def failure(slack: SlackDestination) -> SendError:
    with pytest.raises(SendError) as caught:
        slack.send(make_message(make_incident()), InMemory())
    return caught.value
