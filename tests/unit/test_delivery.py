from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Iterator

import pytest

from compassd.breach import Breach
from compassd.delivery import Delivery
from compassd.destinations.base import SendError
from compassd.outgoing import Backoff, Counters
from lab.breaches import make_breach
from lab.processes import wait_until

FAST = Backoff(base_s=0.001, cap_s=0.002, attempts=3)
SLOW = Backoff(base_s=600.0, cap_s=600.0, attempts=3)

Behaviour = Callable[[Breach], None]


class Fake:
    """A destination that records what it takes and does as told before."""

    def __init__(self, name: str = "ops", *, min_interval: float = 0.0) -> None:
        self.name = name
        self.min_interval = min_interval
        self.behaviours: list[Behaviour] = []
        self.always: Behaviour | None = None
        self.attempts: list[float] = []
        self.taken: list[Breach] = []
        self.closed = False

    def send(self, breach: Breach) -> None:
        self.attempts.append(time.monotonic())
        if self.behaviours:
            self.behaviours.pop(0)(breach)
        elif self.always:
            self.always(breach)
        self.taken.append(breach)

    def close(self) -> None:
        self.closed = True


def fail(*, permanent: bool = False, retry_after: float | None = None) -> Behaviour:
    def behaviour(_: Breach) -> None:
        raise SendError("ops", "HTTP 500", permanent=permanent, retry_after=retry_after)

    return behaviour


def wait_for(event: threading.Event) -> Behaviour:
    def behaviour(_: Breach) -> None:
        event.wait()

    return behaviour


def until(condition: Callable[[], bool]) -> None:
    wait_until(condition, timeout=10.0, what="delivery")


@pytest.fixture
def make() -> Iterator[Callable[..., Delivery]]:
    made: list[Delivery] = []

    def create(*destinations: Fake, queue_size: int = 100, backoff: Backoff = FAST) -> Delivery:
        made.append(Delivery(destinations, queue_size=queue_size, backoff=backoff))
        return made[-1]

    yield create
    for delivery in made:
        delivery.close()


Make = Callable[..., Delivery]


def test_breaches_arrive_in_order_and_redacted(make: Make) -> None:
    ops = Fake()
    delivery = make(ops)
    for number in range(50):
        delivery.accept(make_breach(pid=number + 1, uri="/a?token=x"))
    assert delivery.drain(10.0) == 0
    assert [breach.request.pid for breach in ops.taken] == list(range(1, 51))
    assert {breach.request.uri for breach in ops.taken} == {"/a"}
    assert delivery.stats() == {"ops": Counters(sent=50)}


def test_each_destination_gets_what_names_it(make: Make, caplog: pytest.LogCaptureFixture) -> None:
    ops, hook = Fake("ops"), Fake("hook")
    delivery = make(ops, hook)
    delivery.accept(make_breach(destinations=("hook", "gone")))
    delivery.accept(make_breach(destinations=("hook", "ops", "gone")))
    assert delivery.drain(10.0) == 0
    assert (len(ops.taken), len(hook.taken)) == (1, 2)
    assert [record.getMessage() for record in caplog.records] == [
        "rule checkout: there is no destination gone"
    ]


def test_failures_are_repeated_and_logged_once_per_change(
    make: Make, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    ops = Fake()
    ops.behaviours = [fail(), fail()]
    delivery = make(ops)
    delivery.accept(make_breach())
    until(lambda: delivery.stats()["ops"].sent == 1)
    assert len(ops.attempts) == 3
    assert [record.getMessage() for record in caplog.records] == [
        "destination ops: HTTP 500",
        "destination ops: works again",
    ]


def test_after_the_last_attempt_the_next_breach_has_its_turn(make: Make) -> None:
    ops = Fake()
    ops.behaviours = [fail()] * 3
    delivery = make(ops)
    delivery.accept(make_breach())
    delivery.accept(make_breach(pid=2))
    until(lambda: delivery.stats()["ops"] == Counters(sent=1, failed=1))
    assert [breach.request.pid for breach in ops.taken] == [2]


def test_a_permanent_failure_is_not_repeated(make: Make) -> None:
    ops = Fake()
    ops.behaviours = [fail(permanent=True)]
    delivery = make(ops)
    delivery.accept(make_breach())
    until(lambda: delivery.stats()["ops"].failed == 1)
    assert len(ops.attempts) == 1


def test_an_unknown_exception_is_survived_and_not_quoted(
    make: Make, caplog: pytest.LogCaptureFixture
) -> None:
    def explode(_: Breach) -> None:
        raise RuntimeError("https://secret")

    ops = Fake()
    ops.behaviours = [explode]
    delivery = make(ops)
    delivery.accept(make_breach())
    delivery.accept(make_breach())
    until(lambda: delivery.stats()["ops"] == Counters(sent=1, failed=1))
    assert "unexpected RuntimeError" in caplog.text
    assert "secret" not in caplog.text


def test_retry_after_is_a_floor_for_all_that_follows(make: Make) -> None:
    ops = Fake()
    ops.behaviours = [fail(retry_after=0.2), fail(permanent=True, retry_after=0.2)]
    delivery = make(ops)
    delivery.accept(make_breach())
    delivery.accept(make_breach())
    until(lambda: delivery.stats()["ops"].sent == 1)
    first, second, third = ops.attempts
    assert second - first >= 0.2
    assert third - second >= 0.2


def test_attempts_keep_their_distance(make: Make) -> None:
    ops = Fake(min_interval=0.1)
    delivery = make(ops)
    for _ in range(3):
        delivery.accept(make_breach())
    assert delivery.drain(10.0) == 0
    assert ops.attempts[1] - ops.attempts[0] >= 0.1
    assert ops.attempts[2] - ops.attempts[1] >= 0.1


def test_a_hanging_destination_delays_nothing_and_its_overflow_is_counted(
    make: Make, caplog: pytest.LogCaptureFixture
) -> None:
    release = threading.Event()
    stuck, other = Fake("stuck"), Fake("other")
    stuck.behaviours = [wait_for(release)]
    delivery = make(stuck, other, queue_size=10)
    accepted = [make_breach(destinations=("stuck",)) for _ in range(25)]
    for breach in accepted:
        delivery.accept(breach)
    delivery.accept(make_breach(destinations=("other",)))
    until(lambda: delivery.stats()["other"].sent == 1)
    assert delivery.stats()["stuck"] == Counters(queued=10, overflowed=15)
    assert delivery.pending == 10
    release.set()
    assert delivery.drain(10.0) == 0
    assert delivery.stats()["stuck"] == Counters(sent=10, overflowed=15)
    assert caplog.text.count("its queue of 10 is full") == 1
    assert caplog.text.count("15 breaches were dropped") == 1


def test_drain_wakes_what_sleeps_before_a_retry(make: Make) -> None:
    ops = Fake()
    ops.behaviours = [fail()]
    delivery = make(ops, backoff=SLOW)
    delivery.accept(make_breach())
    until(lambda: len(ops.attempts) == 1)
    assert delivery.drain(60.0) == 0
    assert len(ops.taken) == 1


@pytest.mark.parametrize("behaviour", [fail(), fail(retry_after=3_000.0)])
def test_drain_gives_up_as_soon_as_nothing_can_be_done(make: Make, behaviour: Behaviour) -> None:
    ops = Fake()
    ops.always = behaviour
    delivery = make(ops, backoff=SLOW)
    for _ in range(3):
        delivery.accept(make_breach())
    begun = time.monotonic()
    assert delivery.drain(60.0) == 3
    assert time.monotonic() - begun < 30.0
    assert len(ops.attempts) <= 2


def test_drain_waits_where_the_destination_says_how_long(make: Make) -> None:
    ops = Fake()
    ops.behaviours = [fail(retry_after=0.1)]
    delivery = make(ops, backoff=SLOW)
    delivery.accept(make_breach())
    assert delivery.drain(60.0) == 0


def test_drain_goes_on_after_a_permanent_failure(make: Make) -> None:
    ops = Fake()
    ops.always = fail(permanent=True)
    delivery = make(ops)
    for _ in range(3):
        delivery.accept(make_breach())
    assert delivery.drain(60.0) == 0
    assert delivery.stats()["ops"].failed == 3


def test_drain_is_bounded_and_tells_what_is_left(make: Make) -> None:
    release = threading.Event()
    ops = Fake()
    ops.always = wait_for(release)
    delivery = make(ops)
    for _ in range(3):
        delivery.accept(make_breach())
    assert delivery.drain(0.05) == 3
    release.set()


def test_close_ends_threads_and_closes_destinations(make: Make) -> None:
    ops = Fake()
    ops.always = fail()
    delivery = make(ops, backoff=SLOW)
    delivery.accept(make_breach())
    until(lambda: len(ops.attempts) == 1)
    delivery.close()
    assert ops.closed
    assert not [thread for thread in threading.enumerate() if thread.name == "to-ops"]
    delivery.accept(make_breach())
    assert delivery.stats()["ops"] == Counters(queued=1, overflowed=1)


def test_pauses_grow_and_are_capped() -> None:
    backoff = Backoff(base_s=1.0, cap_s=4.0)
    for failures, longest in ((1, 1.0), (2, 2.0), (3, 4.0), (9, 4.0)):
        pauses = [backoff.pause(failures) for _ in range(200)]
        assert min(pauses) >= 0.0
        assert longest / 2 < max(pauses) <= longest


class Holding(Fake):
    """Holds every breach back for a moment."""

    def __init__(self) -> None:
        super().__init__()
        self.held = 0
        self.told: list[int] = []
        self.refuse = 0

    def send(self, breach: Breach) -> None:
        super().send(breach)
        self.held += 1

    def idle(self) -> None:
        if self.refuse:
            self.refuse -= 1
            raise SendError("ops", "not now")
        self.told.append(self.held)
        self.held = 0

    def pause(self) -> float | None:
        return max(0.0, self.attempts[-1] + 0.05 - time.monotonic()) if self.held else None


@pytest.mark.parametrize("refusals", [0, 2])
def test_what_a_destination_holds_back_is_sent_though_nothing_follows(
    make: Make, caplog: pytest.LogCaptureFixture, refusals: int
) -> None:
    ops = Holding()
    ops.refuse = refusals
    delivery = make(ops)
    for number in range(3):
        delivery.accept(make_breach(pid=number + 1))
    until(lambda: sum(ops.told) == 3)
    assert delivery.stats()["ops"] == Counters(sent=3)
    assert caplog.text.count("not now") == min(refusals, 1)


def test_holding_back_begins_anew_with_the_next_breach(make: Make) -> None:
    ops = Holding()
    delivery = make(ops)
    delivery.accept(make_breach())
    until(lambda: ops.told == [1])
    delivery.accept(make_breach())
    until(lambda: ops.told == [1, 1])


def test_a_destination_that_holds_nothing_back_does_not_seem_to_work_again(
    make: Make, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    ops = Holding()
    ops.always = fail(permanent=True)
    delivery = make(ops)
    for _ in range(2):
        delivery.accept(make_breach())
        assert delivery.drain(10.0) == 0
    delivery.close()
    assert [record.getMessage() for record in caplog.records] == ["destination ops: HTTP 500"]
