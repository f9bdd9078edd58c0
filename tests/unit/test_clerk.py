"""The clerk: breaches become messages, and both are on disk before anything is sent."""

from __future__ import annotations

import logging
import re
import threading
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from compassd import clerk as clerk_module
from compassd.breach import Breach
from compassd.clerk import Clerk, ClerkCounters
from compassd.courier import Courier
from compassd.errors import StoreError
from compassd.notice import BreachNotice, IncidentNotice, Message
from compassd.notice_facts import told_breaches
from compassd.settings import IncidentSettings
from compassd.store.admin import OutboxAdmin
from compassd.store.database import PresentFile
from compassd.store.store import Store
from lab.breaches import make_breach
from lab.outbox import FakeDestination, fail
from lab.post_office import FAST, Times
from lab.processes import wait_until

S = 1_000_000_000
DAY = 86_400 * S
COOLDOWN = 600 * S
SETTINGS = IncidentSettings().model_copy(update={"coalesce": 0, "cooldown": COOLDOWN, "max_messages": 1_000})

MakeClerk = Callable[..., Clerk]


def until(condition: Callable[[], bool], what: str) -> None:
    wait_until(condition, timeout=30.0, what=what)


def breach(number: int, *destinations: str, uri: str = "/cart") -> Breach:
    """Return a breach; each number is a request of its own."""
    return make_breach(start_ns=number, uri=uri, destinations=destinations or ("ops",))


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    with closing(Store.open(tmp_path)) as opened:
        yield opened


@pytest.fixture
def make(store: Store) -> Iterator[MakeClerk]:
    """Start a clerk, and a courier for each destination; takes Clerk's other arguments."""
    clerks: list[Clerk] = []
    couriers: list[Courier] = []

    def start(*destinations: FakeDestination, times: Times | None = None, **arguments: Any) -> Clerk:  # noqa: ANN401
        clock = (times or Times()).clock
        made = {
            destination.name: Courier(destination, store, backoff=FAST, poll_s=0.05, clock=clock.now)
            for destination in destinations
        }
        couriers.extend(made.values())
        clerks.append(Clerk(SETTINGS, "web1", store, made, clock=clock, **arguments))
        return clerks[-1]

    yield start
    for clerk in clerks:
        clerk.close()
    for courier in couriers:
        courier.close()


def incidents(destination: FakeDestination) -> list[tuple[str, str, int]]:
    """Return incident, happening and new breaches of each message taken."""
    notices = [message.notice for message in destination.taken]
    return [
        (notice.incident_id, str(notice.happening), notice.figures.new_hits)
        for notice in notices
        if isinstance(notice, IncidentNotice)
    ]


class Gate:
    """Holds up whoever commits."""

    def __init__(self, store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
        self.reached, self._open = threading.Event(), threading.Event()
        commit = store.commit

        def wait(**values: Any) -> None:  # noqa: ANN401 - passed on
            self.reached.set()
            self._open.wait(30.0)
            commit(**values)

        monkeypatch.setattr(store, "commit", wait)

    def open(self) -> None:
        """Let everybody through from now on."""
        self._open.set()


def test_everything_is_on_disk_before_it_is_sent(store: Store, make: MakeClerk, tmp_path: Path) -> None:
    seen: list[tuple[list[str], int]] = []

    def look(_: Message) -> None:
        with closing(PresentFile(tmp_path / "compassd.db")) as database:
            waiting = [entry.id for entry in OutboxAdmin(database).entries(dead=False)]
        seen.append((waiting, len(store.incidents())))

    ops = FakeDestination()
    ops.always = look
    clerk = make(ops)
    clerk.accept(breach(1))
    until(lambda: len(ops.taken) == 1, "the message")
    # The incident and the record of what the destination got.
    assert seen == [(ops.ids, 2)]
    assert clerk.counters() == ClerkCounters(accepted=1)


def test_nothing_is_sent_while_it_cannot_be_committed(
    store: Store, make: MakeClerk, monkeypatch: pytest.MonkeyPatch
) -> None:
    gate = Gate(store, monkeypatch)
    ops = FakeDestination()
    clerk = make(ops, each=["ops"])
    clerk.accept(breach(1))
    assert gate.reached.wait(30.0)
    clerk.accept(breach(2))
    assert clerk.counters() == ClerkCounters(queued=2)
    assert not ops.attempts
    gate.open()
    until(lambda: len(ops.taken) == 2, "both")
    assert clerk.counters() == ClerkCounters(accepted=2)


def test_what_the_queue_cannot_hold_is_counted_and_said_once_a_second(
    store: Store, make: MakeClerk, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    gate = Gate(store, monkeypatch)
    ops = FakeDestination()
    clerk = make(ops, each=["ops"], queue_size=5)
    clerk.accept(breach(0))
    assert gate.reached.wait(30.0)
    for number in range(1, 13):
        clerk.accept(breach(number))
    assert clerk.counters() == ClerkCounters(queued=6, overflowed=7)
    gate.open()
    until(lambda: "in no message" in caplog.text, "the line")
    until(lambda: len(ops.taken) == 6, "the others")
    clerk.close()
    clerk.accept(breach(13))
    assert clerk.counters() == ClerkCounters(accepted=6, overflowed=8)
    assert re.findall(r"(\d+) breaches are in no message: .* (\d+) at a time", caplog.text) == [("7", "5")]


def test_what_overflowed_in_the_last_moment_is_said_at_the_end(
    store: Store, make: MakeClerk, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    gate = Gate(store, monkeypatch)
    clerk = make(FakeDestination(), queue_size=1)
    clerk.accept(breach(0))
    assert gate.reached.wait(30.0)
    for number in range(1, 4):
        clerk.accept(breach(number))
    closing_thread = threading.Thread(target=clerk.close)
    closing_thread.start()
    gate.open()
    closing_thread.join()
    assert "2 breaches are in no message" in caplog.text


def test_who_wants_each_breach_gets_each_and_is_in_no_incident(store: Store, make: MakeClerk) -> None:
    each, ops = FakeDestination("each"), FakeDestination()
    clerk = make(each, ops, each=["each"])
    made = [breach(number, "each", "ops") for number in range(20)]
    only = [breach(number, "each", uri="/other") for number in range(20, 30)]
    for one in [*made, *only]:
        clerk.accept(one)
    until(lambda: len(each.taken) == 30, "all of them")
    assert each.ids == [one.message_id for one in [*made, *only]]
    assert [message.notice for message in each.taken] == [BreachNotice(breach=one) for one in [*made, *only]]
    until(lambda: clerk.incidents().open == 1, "one incident")
    clerk.close()
    assert all(b'"each"' not in state for state in store.incidents().values())


def test_the_end_commits_all_that_was_accepted(store: Store, make: MakeClerk) -> None:
    ops = FakeDestination("each")
    ops.always = fail()
    clerk = make(ops, each=["each"])
    for number in range(500):
        clerk.accept(breach(number, "each"))
    clerk.close()
    assert clerk.counters() == ClerkCounters(accepted=500)
    assert store.outbox.backlog("each") == 500


def test_an_incident_of_before_a_restart_goes_on_without_those_that_are_named_no_more(
    store: Store, make: MakeClerk, caplog: pytest.LogCaptureFixture
) -> None:
    ops, old, times = FakeDestination(), FakeDestination("old"), Times()
    clerk = make(ops, old, times=times)
    clerk.accept(breach(1, "ops", "old"))
    until(lambda: len(ops.taken) == len(old.taken) == 1, "that it began")
    clerk.close()
    clerk = make(ops, times=times)
    # Rules are checked against the settings; should one slip through, it is as if it were not named.
    for number in (2, 3):
        clerk.accept(breach(number, "ops", "old"))
    until(lambda: clerk.counters().accepted == 2, "more breaches")
    times.pass_by(61 * S)
    until(lambda: len(ops.taken) == 2, "an update")
    times.pass_by(COOLDOWN)
    until(lambda: len(ops.taken) == 3, "the end")
    clerk.close()
    ((first, opened, _), (second, updated, hits), (third, closed, _)) = incidents(ops)
    assert first == second == third
    assert (opened, updated, hits, closed) == ("opened", "updated", 2, "closed")
    assert len(old.taken) == 1
    assert store.outbox.backlogs() == {}
    assert caplog.text.count("destination old: the settings do not name it any more") == 1


@pytest.mark.parametrize("jump", [DAY, -DAY], ids=["forward", "back"])
def test_a_clock_that_is_set_changes_nothing(
    jump: int, make: MakeClerk, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, logger="compassd.clerk")
    ops, down, times = FakeDestination(), FakeDestination("down"), Times()
    down.always = fail()
    clerk = make(ops, down, times=times)
    clerk.accept(breach(1, "ops", "down"))
    until(lambda: len(ops.taken) == 1, "that it began")
    until(lambda: len(down.attempts) > 3, "attempts before")
    times.set(jump)
    until(lambda: "the clock was set" in caplog.text, "that it is noticed")
    clerk.accept(breach(2, "ops", "down"))
    tried = len(down.attempts)
    until(lambda: len(down.attempts) > tried + 10, "attempts afterwards")
    assert len(ops.taken) == 1
    times.pass_by(61 * S)
    until(lambda: len(ops.taken) == 2, "an update when its time has come")
    times.pass_by(COOLDOWN - 120 * S)
    clerk.accept(breach(3, "ops", "down"))
    until(lambda: clerk.counters().accepted == 3, "another breach")
    down.always = None
    until(lambda: sum(told_breaches(message.notice) for message in down.taken) == 2, "what waited")
    times.pass_by(COOLDOWN + S)
    until(lambda: len(ops.taken) == 3, "the end when its time has come")
    until(lambda: sum(told_breaches(message.notice) for message in down.taken) == 3, "the end of that, too")
    told = incidents(ops)
    assert len({incident for incident, _, _ in told}) == 1
    assert [(happening, hits) for _, happening, hits in told] == [
        ("opened", 1),
        ("updated", 1),
        ("closed", 1),
    ]
    assert [record.getMessage() for record in caplog.records if record.name == "compassd.clerk"] == [
        f"the clock was set by {jump // S:+d} s: incidents and messages are moved along"
    ]


def test_what_is_sent_while_the_clock_is_set_does_not_grow_old(store: Store, make: MakeClerk) -> None:
    ops, times, attempt = FakeDestination(), Times(), threading.Event()

    def hang(message: Message) -> None:
        times.set(2 * DAY)
        attempt.set()
        until(lambda: times.clock.jumped() == 0, "the clerk to follow")
        fail()(message)

    ops.behaviours = [hang]
    clerk = make(ops, times=times)
    clerk.accept(breach(1))
    assert attempt.wait(30.0)
    until(lambda: len(ops.taken) == 1, "another attempt")
    assert len(ops.attempts) == 2
    assert store.outbox.backlog("ops") == 0


def test_a_store_that_fails_is_tried_until_it_works(
    store: Store, make: MakeClerk, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    commit, faults = store.commit, [StoreError("no memory"), StoreError("no memory")]

    def refuse(**values: Any) -> None:  # noqa: ANN401 - passed on
        if faults:
            raise faults.pop()
        commit(**values)

    monkeypatch.setattr(store, "commit", refuse)
    ops = FakeDestination()
    clerk = make(ops, each=["ops"])
    for number in range(100):
        clerk.accept(breach(number))
    until(lambda: len(ops.taken) == 100, "all of them")
    assert clerk.counters() == ClerkCounters(accepted=100)
    assert caplog.text.count("no memory: trying again") == 2


def test_a_clock_is_followed_when_the_store_works_again(
    store: Store, make: MakeClerk, monkeypatch: pytest.MonkeyPatch
) -> None:
    shift, faults, times = store.outbox.shift, [StoreError("no memory")], Times()

    def refuse(jump_ns: int) -> None:
        if faults:
            raise faults.pop()
        shift(jump_ns)

    monkeypatch.setattr(store.outbox, "shift", refuse)
    ops = FakeDestination()
    clerk = make(ops, times=times)
    times.set(DAY)
    clerk.accept(breach(1))
    until(lambda: len(ops.taken) == 1, "the message")
    assert not faults
    assert times.clock.jumped() == 0


def test_the_end_gives_up_a_store_that_never_works(
    store: Store, make: MakeClerk, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def refuse(**_: object) -> None:
        raise StoreError("no memory")

    monkeypatch.setattr(store, "commit", refuse)
    monkeypatch.setattr(clerk_module, "_JOIN_S", 0.2)
    clerk = make(FakeDestination())
    for number in range(3):
        clerk.accept(breach(number))
    clerk.close()
    assert "3 breaches cannot be kept and are in no message" in caplog.text
    until(lambda: not clerk._thread.is_alive(), "the thread to end")
    assert clerk.counters() == ClerkCounters(queued=3)
