"""A courier: from the outbox to one destination."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest

from compassd.courier import Courier
from compassd.notice import DigestNotice, DigestReason, Message
from compassd.notice_facts import told_breaches
from compassd.outgoing import Backoff
from compassd.store.admin import Entry, OutboxAdmin
from compassd.store.database import PresentFile
from compassd.store.store import Store
from lab.outbox import Behaviour, FakeDestination, fail, make_incident, make_message
from lab.processes import wait_until

FAST = Backoff(base_s=0.001, cap_s=0.002)
SLOW = Backoff(base_s=600.0, cap_s=600.0)
DAY_NS = 86_400 * 10**9

MakeCourier = Callable[..., Courier]


def until(condition: Callable[[], bool]) -> None:
    wait_until(condition, timeout=10.0, what="delivery")


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    store = Store.open(tmp_path)
    yield store
    store.close()


@pytest.fixture
def make(store: Store) -> Iterator[MakeCourier]:
    made: list[Courier] = []

    def create(
        destination: FakeDestination,
        *,
        backoff: Backoff = FAST,
        poll_s: float = 0.02,
        outage_ns: int = 0,
        clock: Callable[[], int] = time.time_ns,
    ) -> Courier:
        made.append(
            Courier(destination, store, backoff=backoff, poll_s=poll_s, outage_ns=outage_ns, clock=clock)
        )
        return made[-1]

    yield create
    for courier in made:
        courier.close()


@pytest.fixture
def admin(store: Store, tmp_path: Path) -> Iterator[OutboxAdmin]:  # noqa: ARG001 - makes the file
    with closing(PresentFile(tmp_path / "compassd.db")) as database:
        yield OutboxAdmin(database)


def messages(count: int, first: int = 0) -> list[Message]:
    """Return messages m0, m1, … of an incident each, of 1, 2, … new breaches."""
    return [
        make_message(
            f"m{number}", make_incident(f"{number:032x}", route=f"/page{number}", new_hits=number + 1)
        )
        for number in range(first, first + count)
    ]


def wait_for(event: threading.Event) -> Behaviour:
    def behaviour(_: Message) -> None:
        event.wait()

    return behaviour


def drain(courier: Courier, timeout_s: float = 10.0) -> int:
    deadline = time.monotonic() + timeout_s
    courier.hurry(deadline)
    courier.wait_idle(deadline)
    return courier.stats().waiting


def dead(admin: OutboxAdmin) -> list[tuple[str, str | None]]:
    return [(entry.id, entry.dead) for entry in admin.entries(dead=True)]


def test_messages_are_sent_in_order_and_leave_the_outbox(store: Store, make: MakeCourier) -> None:
    ops = FakeDestination()
    sent = messages(3)
    store.commit(messages=[*sent, make_message("other", destination="hook")])
    courier = make(ops)
    until(lambda: courier.stats().sent == 3)
    assert ops.taken == sent
    assert (store.outbox.backlog("ops"), store.outbox.backlog("hook")) == (0, 1)
    assert store.memory("ops").get("taken") == "3"


def test_a_kick_wakes_it(store: Store, make: MakeCourier) -> None:
    ops = FakeDestination()
    courier = make(ops, poll_s=600.0)
    time.sleep(0.05)  # asleep by now, most likely; if not, the kick must not be lost either
    store.commit(messages=messages(1))
    courier.kick()
    until(lambda: ops.ids == ["m0"])


def test_it_looks_by_itself(store: Store, make: MakeCourier) -> None:
    ops = FakeDestination()
    make(ops)
    store.commit(messages=messages(1))
    until(lambda: ops.ids == ["m0"])


def test_failures_are_repeated_in_order_with_the_same_id_and_logged_once_per_change(
    store: Store, make: MakeCourier, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    ops = FakeDestination()
    ops.behaviours = [fail(), fail(), fail()]
    store.commit(messages=messages(2))
    courier = make(ops)
    until(lambda: courier.stats().sent == 2)
    assert [message_id for _, message_id in ops.attempts] == ["m0", "m0", "m0", "m0", "m1"]
    assert courier.stats().retries == 3
    assert [record.getMessage() for record in caplog.records] == [
        "destination ops: HTTP 500",
        "destination ops: works again",
    ]


def test_a_message_that_always_fails_does_not_hold_up_the_others(store: Store, make: MakeCourier) -> None:
    ops = FakeDestination()
    ops.always = fail(only="m0")
    store.commit(messages=messages(5))
    courier = make(ops, backoff=Backoff(base_s=0.02, cap_s=600.0))
    until(lambda: courier.stats().sent == 4)
    assert ops.ids == ["m1", "m2", "m3", "m4"]
    assert courier.stats().waiting == 1


def test_a_permanent_failure_makes_a_dead_letter(
    store: Store, make: MakeCourier, admin: OutboxAdmin, caplog: pytest.LogCaptureFixture
) -> None:
    ops = FakeDestination()
    ops.behaviours = [fail(permanent=True)]
    store.commit(messages=messages(2))
    courier = make(ops)
    until(lambda: courier.stats().sent == 1)
    assert dead(admin) == [("m0", "destination ops: HTTP 500")]
    assert courier.stats().dead == 1
    assert "kept as a dead letter" in caplog.text


def test_an_unknown_exception_is_survived_and_not_quoted(
    store: Store, make: MakeCourier, admin: OutboxAdmin, caplog: pytest.LogCaptureFixture
) -> None:
    def explode(_: Message) -> None:
        raise RuntimeError("https://secret")

    ops = FakeDestination()
    ops.behaviours = [explode]
    store.commit(messages=messages(2))
    courier = make(ops)
    until(lambda: courier.stats().sent == 1)
    assert dead(admin) == [("m0", "destination ops: unexpected RuntimeError")]
    assert "secret" not in caplog.text


def test_retry_after_is_a_floor_for_all_that_follows(store: Store, make: MakeCourier) -> None:
    ops = FakeDestination()
    ops.behaviours = [fail(retry_after=0.2), fail(permanent=True, retry_after=0.2)]
    store.commit(messages=messages(2))
    courier = make(ops)
    until(lambda: courier.stats().sent == 1)
    first, second, third = (at for at, _ in ops.attempts)
    assert second - first >= 0.2
    assert third - second >= 0.2


def test_attempts_keep_their_distance(store: Store, make: MakeCourier) -> None:
    ops = FakeDestination(min_interval=0.1)
    store.commit(messages=messages(3))
    courier = make(ops)
    assert drain(courier) == 0
    times = [at for at, _ in ops.attempts]
    assert times[1] - times[0] >= 0.1
    assert times[2] - times[1] >= 0.1


def test_after_a_day_a_message_is_given_up_but_not_before_an_attempt(
    store: Store, make: MakeCourier, admin: OutboxAdmin
) -> None:
    old = time.time_ns() - DAY_NS - 10**9
    store.commit(messages=[make_message("old1", created_at=old), make_message("old2", created_at=old)])
    ops = FakeDestination()
    ops.behaviours = [fail()]
    courier = make(ops)
    until(lambda: courier.stats().sent == 1)
    assert dead(admin) == [("old1", "expired: destination ops: HTTP 500")]
    assert ops.ids == ["old2"]
    assert courier.stats().retries == 0


def test_a_destination_that_is_gone_gets_nothing_more(
    store: Store, make: MakeCourier, admin: OutboxAdmin, caplog: pytest.LogCaptureFixture
) -> None:
    ops = FakeDestination()
    ops.behaviours = [fail(gone=True)]
    store.commit(messages=messages(3))
    courier = make(ops)
    until(lambda: courier.stats().dead == 3)
    store.commit(messages=messages(1, first=3))
    courier.kick()
    until(lambda: courier.stats().dead == 4)
    assert len(ops.attempts) == 1
    assert [name for name, _ in dead(admin)] == ["m0", "m1", "m2", "m3"]
    assert caplog.text.count("nothing more is sent to it") == 1


@pytest.mark.parametrize("purged", [False, True])
def test_it_comes_back_when_somebody_asks_for_that(
    store: Store, make: MakeCourier, admin: OutboxAdmin, *, purged: bool
) -> None:
    ops = FakeDestination()
    ops.behaviours = [fail(gone=True)]
    store.commit(messages=messages(3))
    courier = make(ops)
    until(lambda: courier.stats().dead == 3)
    if purged:
        admin.purge("ops", waiting=False)
    admin.retry(["ops"], time.time_ns())
    store.commit(messages=messages(1, first=3))
    expected = ["m3"] if purged else ["m0", "m1", "m2", "m3"]
    until(lambda: ops.ids == expected)


def test_it_comes_back_with_the_next_daemon(store: Store, make: MakeCourier) -> None:
    ops = FakeDestination()
    ops.behaviours = [fail(gone=True)]
    store.commit(messages=messages(1))
    courier = make(ops)
    until(lambda: courier.stats().dead == 1)
    courier.close()
    store.commit(messages=messages(1, first=1))
    again = FakeDestination()
    make(again)
    until(lambda: again.ids == ["m1"])


def test_a_retry_is_tried_at_once_whatever_the_pause(
    store: Store, make: MakeCourier, admin: OutboxAdmin
) -> None:
    ops = FakeDestination()
    ops.behaviours = [fail()]
    store.commit(messages=messages(1))
    courier = make(ops, backoff=SLOW)
    until(lambda: courier.stats().retries == 1)
    assert admin.retry(["m0"], time.time_ns()) == {"ops": 0}
    until(lambda: ops.ids == ["m0"])


def test_a_revived_message_lives_for_another_day(store: Store, make: MakeCourier, admin: OutboxAdmin) -> None:
    ops = FakeDestination()
    ops.behaviours = [fail()]
    store.commit(messages=[make_message("old", created_at=time.time_ns() - 2 * DAY_NS)])
    courier = make(ops)
    until(lambda: courier.stats().dead == 1)
    ops.behaviours = [fail()]
    admin.retry([], time.time_ns())
    until(lambda: ops.ids == ["old"])


def test_a_message_that_was_purged_is_not_sent(store: Store, make: MakeCourier, admin: OutboxAdmin) -> None:
    ops = FakeDestination()
    ops.behaviours = [fail()]
    store.commit(messages=messages(2))
    courier = make(ops, backoff=SLOW)
    until(lambda: courier.stats().retries == 1)
    admin.purge(None, waiting=True)
    store.commit(messages=messages(1, first=2))
    admin.retry(["ops"], time.time_ns())
    until(lambda: ops.ids == ["m2"])


def test_after_an_outage_a_backlog_is_one_digest(
    store: Store, make: MakeCourier, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    ops = FakeDestination()
    broken = threading.Event()

    def behaviour(message: Message) -> None:
        if not broken.is_set():
            fail()(message)

    ops.always = behaviour
    store.commit(messages=messages(50))
    courier = make(ops)
    until(lambda: courier.stats().retries > 10)
    broken.set()
    until(lambda: courier.stats().waiting == 0)
    single, digest = ops.taken
    assert told_breaches(single.notice) + told_breaches(digest.notice) == sum(range(1, 51))
    assert isinstance(digest.notice, DigestNotice)
    assert (digest.notice.reason, digest.notice.incidents) == (DigestReason.OUTAGE, 49)
    assert "49 messages that waited become one digest" in caplog.text


def test_a_moment_without_an_answer_is_no_outage(store: Store, make: MakeCourier) -> None:
    ops = FakeDestination()
    ops.behaviours = [fail(), fail()]
    begun = time.time_ns()
    store.commit(messages=[replace(message, created_at=begun) for message in messages(9)])
    make(ops, outage_ns=600 * 1_000_000_000)
    until(lambda: len(ops.taken) == 9)
    assert sorted(ops.ids) == [f"m{number}" for number in range(9)]


def test_what_may_have_arrived_keeps_its_id_after_an_outage(store: Store, make: MakeCourier) -> None:
    ops = FakeDestination()
    ops.behaviours = [fail(uncertain=True), fail(), fail()]
    sent = messages(8)
    store.commit(messages=sent)
    make(ops)
    until(lambda: len(ops.taken) == 2)
    assert ops.ids[0] == "m0"
    digest = ops.taken[1].notice
    assert isinstance(digest, DigestNotice)
    assert digest.new_hits == sum(range(2, 9))


def test_few_messages_are_sent_one_by_one_after_an_outage(store: Store, make: MakeCourier) -> None:
    ops = FakeDestination()
    ops.behaviours = [fail()]
    store.commit(messages=messages(6))
    make(ops)
    until(lambda: ops.ids == [f"m{number}" for number in range(6)])


def test_without_an_outage_a_backlog_is_sent_one_by_one(store: Store, make: MakeCourier) -> None:
    ops = FakeDestination()
    store.commit(messages=messages(20))
    make(ops)
    until(lambda: ops.ids == [f"m{number}" for number in range(20)])


def test_a_restart_does_not_forget_the_outage(store: Store, make: MakeCourier) -> None:
    ops = FakeDestination()
    ops.always = fail()
    store.commit(messages=messages(20))
    courier = make(ops, backoff=SLOW)
    until(lambda: courier.stats().retries == 1)
    courier.close()
    again = FakeDestination()
    drain(make(again))
    assert len(again.taken) == 2
    assert sum(told_breaches(message.notice) for message in again.taken) == sum(range(1, 21))


def test_a_digest_that_fails_is_repeated_with_its_id(store: Store, make: MakeCourier) -> None:
    ops = FakeDestination()
    ops.behaviours = [fail(), lambda _: None, fail(), fail()]
    store.commit(messages=messages(20))
    courier = make(ops)
    until(lambda: courier.stats().waiting == 0)
    ids = [message_id for _, message_id in ops.attempts]
    assert ids[:2] == ["m0", "m0"]
    assert len(ids) == 5
    assert len(set(ids[2:])) == 1


def test_the_end_tries_at_once_what_sleeps_before_a_retry(store: Store, make: MakeCourier) -> None:
    ops = FakeDestination()
    ops.behaviours = [fail()]
    store.commit(messages=messages(2))
    courier = make(ops, backoff=SLOW)
    until(lambda: courier.stats().retries == 1)
    assert drain(courier, 60.0) == 0
    assert ops.ids == ["m0", "m1"]
    assert ops.closed.wait(10.0)


@pytest.mark.parametrize("retry_after", [None, 3_000.0])
def test_the_end_gives_up_as_soon_as_nothing_can_be_done(
    store: Store, make: MakeCourier, admin: OutboxAdmin, retry_after: float | None
) -> None:
    ops = FakeDestination()
    ops.always = fail(retry_after=retry_after)
    store.commit(messages=messages(3))
    courier = make(ops, backoff=SLOW)
    begun = time.monotonic()
    assert drain(courier, 60.0) == 3
    assert time.monotonic() - begun < 30.0
    assert len(ops.attempts) <= 2
    waiting: list[Entry] = admin.entries(dead=False)
    assert [entry.id for entry in waiting] == ["m0", "m1", "m2"]


def test_the_end_waits_where_the_destination_says_how_long(store: Store, make: MakeCourier) -> None:
    ops = FakeDestination()
    ops.behaviours = [fail(retry_after=0.1)]
    store.commit(messages=messages(1))
    assert drain(make(ops, backoff=SLOW), 60.0) == 0


def test_the_end_is_bounded_and_leaves_the_rest_to_the_next_start(store: Store, make: MakeCourier) -> None:
    release = threading.Event()
    ops = FakeDestination()
    ops.always = wait_for(release)
    store.commit(messages=messages(3))
    courier = make(ops)
    assert drain(courier, 0.05) == 3
    courier.close()
    release.set()
    assert ops.closed.wait(10.0)
    again = FakeDestination()
    assert drain(make(again)) == 0
    assert [*ops.ids, *again.ids] == ["m0", "m1", "m2"]


def test_a_destination_that_hangs_past_the_end_breaks_nothing(tmp_path: Path) -> None:
    release = threading.Event()
    ops = FakeDestination()
    ops.always = wait_for(release)
    store = Store.open(tmp_path)
    store.commit(messages=messages(1))
    courier = Courier(ops, store)
    until(lambda: len(ops.attempts) == 1)
    courier.close()
    store.close()
    release.set()
    assert ops.closed.wait(10.0)
    with closing(Store.open(tmp_path)) as reopened:
        assert reopened.outbox.backlog("ops") == 1
