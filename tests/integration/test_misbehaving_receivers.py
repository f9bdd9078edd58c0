"""Whatever a receiver does, every breach is in exactly one message that it took, or in a dead letter."""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from pathlib import Path
from typing import Any

import pytest

from compassd.__main__ import main
from compassd.outgoing import Backoff
from compassd.post_office import PostOffice
from lab.breaches import make_breach
from lab.post_office import STATE, Times, post_office
from lab.processes import wait_until
from lab.receiver import Cut, Hang, Mode, Received, Receiver, Reset, SlowBytes, Status

SETTINGS = """
[incidents]
coalesce = "0s"
cooldown = "1h"
max_messages = 1000

[destinations.ops]
type = "{kind}"
url = "{url}"
timeout = "{timeout}"
"""


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with Receiver(slack_rate=None) as running:
        yield running


@pytest.fixture(params=["slack", "webhook"])
def kind(request: pytest.FixtureRequest) -> str:
    return str(request.param)


def settings(kind: str, receiver: Receiver, timeout: str = "30s") -> str:
    url = receiver.slack_url if kind == "slack" else receiver.webhook_url
    return SETTINGS.format(kind=kind, url=url, timeout=timeout)


def feed(office: PostOffice, *numbers: int) -> None:
    """Let breaches be accepted, each of an incident of its own, one after the other."""
    before = office.counters().accepted
    for count, number in enumerate(numbers, 1):
        office.accept(make_breach(start_ns=number, rule=f"rule{number}"))
        wait_until(
            lambda wanted=before + count: office.counters().accepted == wanted,  # type: ignore[misc]
            timeout=60.0,
            what="a breach to be accepted",
        )


def rule(request: Received) -> str:
    """Return the one rule that a message tells of."""
    (found,) = set(re.findall(rb"rule[0-9]+", request.body))
    return str(found, "ascii")


def until_empty(office: PostOffice, sent: int) -> None:
    """Return when so many messages were taken and nothing waits."""
    wait_until(
        lambda: (office.stats()["ops"].sent, office.stats()["ops"].waiting) == (sent, 0),
        timeout=60.0,
        what=f"{sent} messages to be sent",
        detail=lambda: str(office.stats()),
    )


def dead(directory: Path, capsys: pytest.CaptureFixture[str]) -> list[tuple[str, str]]:
    """Return why dead letters are dead, and what they tell of, as the command lists them."""
    assert main(["outbox", "list", "--dead", "--json", "--state", str(directory / STATE)]) == 0
    entries = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    return [(entry["dead"], entry["summary"].split()[0]) for entry in entries]


def in_three_seconds() -> str:
    return format_datetime(datetime.now(UTC) + timedelta(seconds=3), usegmt=True)


@pytest.mark.parametrize(
    ("mode", "pause"),
    [
        (lambda: Status(500), 0.0),
        (lambda: Status(429, {"Retry-After": "1"}), 0.9),
        (lambda: Status(429, {"Retry-After": in_three_seconds()}), 1.0),
        (lambda: Status(503, {"Retry-After": "soon"}, b"<html>"), 0.0),
        (Reset, 0.0),
    ],
    ids=["500", "429-seconds", "429-date", "503", "reset"],
)
def test_what_may_pass_is_repeated_until_it_has(
    kind: str, mode: Callable[[], Mode], pause: float, receiver: Receiver, tmp_path: Path
) -> None:
    with post_office(tmp_path, settings(kind, receiver)) as office:
        receiver.misbehave(mode())
        feed(office, 1, 2)
        until_empty(office, 2)
    first, again, last = receiver.received
    assert [request.accepted for request in receiver.received] == [False, True, True]
    assert first.body == again.body
    assert (rule(again), rule(last)) == ("rule1", "rule2")
    assert first.headers.get("webhook-id") == again.headers.get("webhook-id")
    assert again.at - first.at >= pause


@pytest.mark.parametrize("mode", [Hang(), SlowBytes(after_head=False)], ids=["hang", "slow"])
def test_what_gets_no_answer_in_time_is_repeated(
    kind: str, mode: Mode, receiver: Receiver, tmp_path: Path
) -> None:
    with post_office(tmp_path, settings(kind, receiver, timeout="2s")) as office:
        receiver.misbehave(mode)
        feed(office, 1, 2)
        until_empty(office, 2)
    first, again, last = receiver.received
    assert first.body == again.body
    assert (rule(again), rule(last)) == ("rule1", "rule2")


@pytest.mark.parametrize(
    "mode", [Cut(), SlowBytes(), Status(200, {}, b"<html>ok</html>")], ids=["cut", "slow", "page"]
)
def test_a_strange_body_after_success_is_repeated_for_slack_only(
    kind: str, mode: Mode, receiver: Receiver, tmp_path: Path
) -> None:
    with post_office(tmp_path, settings(kind, receiver, timeout="2s")) as office:
        receiver.misbehave(mode)
        feed(office, 1, 2)
        until_empty(office, 2)
    *again, first, last = receiver.received
    assert (rule(first), rule(last)) == ("rule1", "rule2")
    assert [request.body for request in again] == ([first.body] if kind == "slack" else [])


@pytest.mark.parametrize("status", [302, 400, 401])
def test_a_refused_message_is_a_dead_letter_until_it_is_tried_again(
    kind: str, status: int, receiver: Receiver, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with post_office(tmp_path, settings(kind, receiver)) as office:
        receiver.misbehave(Status(status, {"Location": receiver.origin + "/elsewhere"}))
        feed(office, 1, 2)
        until_empty(office, 1)
        assert dead(tmp_path, capsys) == [(f"destination ops: HTTP {status}", "rule1")]
        assert main(["outbox", "retry", "ops", "--state", str(tmp_path / STATE)]) == 0
        capsys.readouterr()
        until_empty(office, 2)
        assert dead(tmp_path, capsys) == []
    refused, other, revived = receiver.received
    assert (rule(other), rule(revived)) == ("rule2", "rule1")
    assert revived.body == refused.body


@pytest.mark.parametrize(
    ("status", "word", "fault"),
    [(410, b"", "HTTP 410"), (404, b"no_service", "HTTP 404 (no_service)")],
    ids=["410", "no_service"],
)
def test_who_is_gone_is_left_alone_until_somebody_asks_for_more(  # noqa: PLR0913 - pytest's way to pass them
    kind: str,
    status: int,
    word: bytes,
    fault: str,
    receiver: Receiver,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    with post_office(tmp_path, settings(kind, receiver)) as office:
        receiver.misbehave(Status(status, {}, word))
        feed(office, 1, 2)
        wait_until(lambda: office.stats()["ops"].dead == 2, timeout=60.0, what="dead letters")
        feed(office, 3)
        wait_until(lambda: office.stats()["ops"].dead == 3, timeout=60.0, what="another")
        assert dead(tmp_path, capsys) == [(f"destination ops: {fault}", f"rule{n}") for n in (1, 2, 3)]
        assert len(receiver.received) == 1
        assert main(["outbox", "retry", "ops", "--state", str(tmp_path / STATE)]) == 0
        capsys.readouterr()
        until_empty(office, 3)
        assert dead(tmp_path, capsys) == []
    assert [rule(request) for request in receiver.received if request.accepted] == ["rule1", "rule2", "rule3"]


def test_after_an_outage_what_waited_is_one_message(
    receiver: Receiver, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    # Long enough that all are there before it ends.
    outage: list[Mode] = [Reset(), *[Status(503)] * 30]
    slow = Backoff(base_s=0.2, cap_s=0.2)
    times = Times()
    with post_office(tmp_path, settings("webhook", receiver), backoff=slow, times=times) as office:
        receiver.misbehave(*outage)
        for number in range(40):
            office.accept(make_breach(start_ns=number, rule=f"rule{number}"))
        wait_until(lambda: office.stats()["ops"].waiting == 40, timeout=60.0, what="40 messages to wait")
        # What is shorter than a minute is no outage.
        times.pass_by(120 * 1_000_000_000)
        receiver.wait_for(len(outage), timeout=60.0)
        wait_until(lambda: office.stats()["ops"].waiting == 0, timeout=60.0, what="the end of the outage")
        assert dead(tmp_path, capsys) == []
    told = {request.headers["webhook-id"]: request.json for request in receiver.received if request.accepted}
    kinds = Counter(document["type"] for document in told.values())
    assert kinds["compass.digest"] == 1
    # One that may have arrived before the outage was seen, and one that found its end.
    assert kinds["compass.incident"] <= 2
    assert sum(new_hits(document) for document in told.values()) == 40


def new_hits(document: dict[str, Any]) -> int:
    """Return how many breaches a document tells of."""
    return int(document.get("figures", document)["new_hits"])
