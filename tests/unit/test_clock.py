from __future__ import annotations

from compassd.clock import Clock

SECOND = 1_000_000_000


class Times:
    def __init__(self) -> None:
        self.unix = 1_790_000_000 * SECOND
        self.boot = 500 * SECOND

    def clock(self) -> Clock:
        return Clock(lambda: self.unix, lambda: self.boot)

    def pass_by(self, ns: int) -> None:
        self.unix += ns
        self.boot += ns


def test_time_that_passes_is_no_jump() -> None:
    times = Times()
    clock = times.clock()
    times.pass_by(86_400 * SECOND)
    assert clock.now() == times.unix
    assert clock.jumped() == 0


def test_nobody_sees_a_jump_before_it_is_followed() -> None:
    times = Times()
    clock = times.clock()
    times.pass_by(SECOND)
    before = times.unix
    times.unix -= 3_600 * SECOND
    assert clock.jumped() == clock.jumped() == -3_600 * SECOND
    assert clock.now() == before
    clock.follow(-3_600 * SECOND)
    assert clock.now() == times.unix
    assert clock.jumped() == 0
    times.unix += 7_200 * SECOND
    assert clock.jumped() == 7_200 * SECOND


def test_a_clock_set_right_by_a_moment_is_followed_without_a_word() -> None:
    times = Times()
    clock = times.clock()
    for _ in range(5):
        times.unix += SECOND
        assert clock.jumped() == 0
        assert clock.now() == times.unix


def test_the_machines_own_clocks_run_alike() -> None:
    clock = Clock()
    assert clock.now() > 1_700_000_000 * SECOND
    assert clock.jumped() == 0
