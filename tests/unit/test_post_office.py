"""The post office: from settings to threads, and to their end."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from compassd.clerk import ClerkCounters
from compassd.errors import StoreError
from compassd.outgoing import Backoff
from compassd.redact import redact
from lab.breaches import make_breach
from lab.hostile import ATTACKS
from lab.post_office import STATE, Times, post_office
from lab.processes import wait_until
from lab.receiver import Hang, Receiver, Status

SETTINGS = """
[incidents]
coalesce = "0s"

[destinations.out]
type = "stdout"

[destinations.{name}]
type = "webhook"
url = "{url}"
tell = "{tell}"
"""


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with Receiver() as running:
        yield running


def settings(receiver: Receiver, name: str = "hook", tell: str = "breaches") -> str:
    return SETTINGS.format(name=name, url=receiver.webhook_url, tell=tell)


def test_only_breaches_for_remote_destinations_are_taken(receiver: Receiver, tmp_path: Path) -> None:
    with post_office(tmp_path, settings(receiver)) as office:
        assert list(office.couriers) == ["hook"]
        office.accept(make_breach(start_ns=1, destinations=("out",)))
        office.accept(make_breach(start_ns=2, destinations=("out", "hook")))
        receiver.wait_for(1)
        wait_until(lambda: office.stats()["hook"].sent == 1, timeout=10.0, what="that it is noted")
        assert office.counters() == ClerkCounters(accepted=1)
    assert len(receiver.received) == 1


def test_the_end_sends_what_was_accepted(receiver: Receiver, tmp_path: Path) -> None:
    with post_office(tmp_path, settings(receiver)) as office:
        for number in range(50):
            office.accept(make_breach(start_ns=number, destinations=("hook",)))
        office.drain(time.monotonic() + 60.0)
        assert office.stats()["hook"].waiting == 0
        office.accept(make_breach(destinations=("hook",)))
        assert office.counters() == ClerkCounters(accepted=50, overflowed=1)
    assert len(receiver.received) == 50


def test_the_next_one_sends_what_was_left(receiver: Receiver, tmp_path: Path) -> None:
    receiver.misbehave(Hang())
    with post_office(tmp_path, settings(receiver)) as office:
        for number in range(20):
            office.accept(make_breach(start_ns=number, destinations=("hook",)))
        receiver.wait_for(1)
        office.drain(time.monotonic())
        assert office.stats()["hook"].waiting == 20
    with post_office(tmp_path, settings(receiver)) as office:
        received = receiver.wait_for(21)
        wait_until(lambda: office.stats()["hook"].waiting == 0, timeout=10.0, what="that it is noted")
    assert len({request.headers["webhook-id"] for request in received}) == 20
    assert received[0].body == received[1].body


def test_who_wants_each_breach_gets_each_after_an_outage(receiver: Receiver, tmp_path: Path) -> None:
    times = Times()
    receiver.misbehave(*[Status(503)] * 10)
    slow = Backoff(base_s=0.1, cap_s=0.1)
    with post_office(tmp_path, settings(receiver), backoff=slow, times=times) as office:
        for number in range(20):
            office.accept(make_breach(start_ns=number, destinations=("hook",)))
        wait_until(lambda: office.stats()["hook"].waiting == 20, timeout=10.0, what="20 messages to wait")
        times.pass_by(120 * 1_000_000_000)
        wait_until(lambda: office.stats()["hook"].sent == 20, timeout=30.0, what="delivery")
    told = [request.json["type"] for request in receiver.received if request.accepted]
    assert told == ["compass.breach"] * 20


def test_incidents_go_on_after_a_restart(receiver: Receiver, tmp_path: Path) -> None:
    times = Times()
    for number in range(2):
        with post_office(tmp_path, settings(receiver, tell="incidents"), times=times) as office:
            office.accept(make_breach(start_ns=number, destinations=("hook",)))
            wait_until(lambda: office.counters().accepted == 1, timeout=10.0, what="it to be kept")
            office.drain(time.monotonic() + 10.0)
        times.pass_by(31 * 1_000_000_000)
    with post_office(tmp_path, settings(receiver, tell="incidents"), times=times):
        opened, updated = (request.json for request in receiver.wait_for(2))
    assert opened["incident_id"] == updated["incident_id"]
    assert (updated["happening"], updated["figures"]["new_hits"]) == ("updated", 1)


def test_what_waits_for_a_destination_that_is_named_no_more_is_kept_and_said(
    receiver: Receiver, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    receiver.misbehave(Hang())
    with post_office(tmp_path, settings(receiver)) as office:
        for number in range(3):
            office.accept(make_breach(start_ns=number, destinations=("hook",)))
        receiver.wait_for(1)
    with post_office(tmp_path, settings(receiver, name="other")):
        assert "destination hook: 3 messages wait for it" in caplog.text
        assert "`compassd outbox purge --all hook`" in caplog.text
    with post_office(tmp_path, settings(receiver)):
        assert [request.accepted for request in receiver.wait_for(4)] == [False, True, True, True]


def test_a_state_directory_has_one_post_office(receiver: Receiver, tmp_path: Path) -> None:
    with (
        post_office(tmp_path, settings(receiver)),
        pytest.raises(StoreError, match=f"another compassd uses the state directory .*{STATE}"),
        post_office(tmp_path, settings(receiver)),
    ):
        pass


@pytest.mark.parametrize("tell", ["breaches", "incidents"])
def test_hostile_requests_get_through(tell: str, receiver: Receiver, tmp_path: Path) -> None:
    receiver.misbehave(Status(500))
    with post_office(tmp_path, settings(receiver, tell=tell)) as office:
        for number, attack in enumerate(ATTACKS):
            made = make_breach(
                start_ns=number,
                destinations=("hook",),
                uri=attack,
                host=attack,
                id=attack,
                transaction=attack,
                tags={"tag": attack},
            )
            office.accept(redact(made, query_strings=True))
        # Who drains gives up at a failure.
        receiver.wait_for(2)
        office.drain(time.monotonic() + 30.0)
        assert office.counters() == ClerkCounters(accepted=len(ATTACKS))
        assert office.stats()["hook"].dead == 0
    assert any(request.accepted for request in receiver.received)
