from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from compassd.breach import Gate
from compassd.incidents.requests import FinishedRequests
from tests.unit.incident_desk import CLOSED, HOUR, MIN, OPENED, START, Desk, S

THREE = Gate(min_hits=3, within_ns=60 * S)
RATE = Gate(min_hits=2, within_ns=60 * S, min_rate=0.1)


def test_too_few_breaches_are_not_told_but_counted() -> None:
    desk = Desk()
    desk.hit(gate=THREE)
    desk.at(30 * S)
    desk.hit(gate=THREE)
    assert (desk.book.counters.pending, desk.book.counters.open) == (1, 0)
    desk.at(90 * S - 1)
    assert desk.book.counters.suppressed == 0
    desk.at(90 * S)
    assert desk.book.counters.suppressed == 2
    assert (desk.book.counters.pending, desk.book.counters.open) == (0, 0)
    desk.commit()
    assert desk.messages == []
    assert "ceilings" not in desk.kept
    assert desk.kept == {}


def test_enough_of_them_are_told_with_what_comes_then_and_all_count() -> None:
    desk = Desk()
    for second in (0, 30, 59, 60):
        desk.at(second * S)
        desk.hit(gate=THREE)
    desk.at(HOUR)
    assert desk.told() == [(61.0, OPENED, 4), (662.0, CLOSED, 0)]
    assert desk.book.counters.suppressed == 0


def test_breaches_beyond_the_time_are_too_few_but_count_once_there_are_enough() -> None:
    desk = Desk()
    for second in (0, 50, 60, 109):
        desk.at(second * S)
        desk.hit(gate=THREE)
        assert desk.book.counters.open == (second == 109)
    desk.at(111 * S)
    assert desk.told() == [(111.0, OPENED, 4)]


def test_too_few_breaches_let_nothing_wait_for_them() -> None:
    desk = Desk()
    desk.hit(gate=THREE)
    desk.at(1 * S)
    desk.hit(route="/other")
    desk.at(10 * S)
    assert desk.told() == [(3.0, OPENED, 1)]


def test_enough_of_them_are_told_with_what_others_wait_for_already() -> None:
    desk = Desk()
    desk.hit(route="/other")
    desk.at(1 * S)
    for _ in range(3):
        desk.hit(gate=THREE)
    desk.at(10 * S)
    assert desk.told() == [(2.0, OPENED, 3), (2.0, OPENED, 1)]


def test_what_is_told_already_needs_no_more_to_go_on() -> None:
    desk = Desk()
    for _ in range(3):
        desk.hit(gate=THREE)
    desk.at(300 * S)
    desk.hit(gate=THREE)
    desk.at(HOUR)
    assert desk.told() == [(2.0, OPENED, 3), (302.0, "updated", 1), (902.0, CLOSED, 0)]


def test_after_a_restart_the_rest_is_enough() -> None:
    desk = Desk()
    desk.hit(gate=THREE)
    desk.hit(gate=THREE)
    desk.commit()
    desk.restart()
    assert desk.book.counters.pending == 1
    desk.at(10 * S)
    desk.hit(gate=THREE)
    desk.at(12 * S)
    assert desk.told() == [(12.0, OPENED, 3)]


@pytest.mark.parametrize(("finished", "messages"), [(0, 0), (20, 1), (21, 0)])
def test_a_rate_is_of_the_finished_requests_within_the_time(finished: int, messages: int) -> None:
    desk = Desk()
    desk.book.note_requests(1_000, desk.now)
    desk.at(10 * S)
    desk.book.note_requests(1_000 + finished, desk.now)
    desk.hit(gate=RATE)
    desk.hit(gate=RATE)
    desk.at(20 * S)
    assert len(desk.messages) == messages


def test_without_a_count_of_requests_no_rate_is_reached() -> None:
    desk = Desk()
    for _ in range(10):
        desk.hit(gate=RATE)
    desk.at(30 * S)
    assert desk.messages == []


def test_a_rate_forgets_what_was_before_its_time() -> None:
    desk = Desk()
    for second in range(120):
        desk.at(second * S)
        desk.book.note_requests(100_000 if second >= 30 else 0, desk.now)
    desk.book.note_requests(100_010, desk.now)
    desk.hit(gate=RATE)
    desk.hit(gate=RATE)
    desk.at(121 * S)
    assert desk.told() == [(121.0, OPENED, 2)]


def test_a_rate_forgets_breaches_that_were_before_its_time() -> None:
    desk = Desk()
    for second in range(106):
        desk.at(second * S)
        desk.book.note_requests(1_000 + second if second else 0, desk.now)
        if second == 1:
            for _ in range(20):
                desk.hit(gate=RATE)
        if second in (50, 105):
            desk.hit(gate=RATE)
    assert (desk.book.counters.pending, desk.book.counters.open) == (1, 0)


def test_a_rate_is_of_what_came_since_a_restart() -> None:
    desk = Desk()
    desk.book.note_requests(0, desk.now)
    for _ in range(50):
        desk.hit(gate=RATE)
    desk.commit()
    desk.restart()
    desk.book.note_requests(0, desk.now)
    desk.book.note_requests(11, desk.now)
    desk.hit(gate=RATE)
    desk.at(3 * S)
    assert desk.messages == []
    desk.hit(gate=RATE)
    desk.at(5 * S)
    assert desk.told() == [(5.0, OPENED, 52)]


def test_a_rule_that_is_changed_counts_from_then_on() -> None:
    desk = Desk()
    desk.hit(gate=THREE)
    desk.hit(gate=Gate())
    desk.at(2 * S)
    assert desk.told() == [(2.0, OPENED, 2)]


STEPS = st.lists(st.tuples(st.integers(0, 3 * MIN), st.integers(0, 50)), min_size=1, max_size=60)


@given(STEPS, st.integers(1, 20 * MIN))
def test_requests_within_a_time_are_all_those_and_few_more(steps: list[tuple[int, int]], within: int) -> None:
    requests, now, seen, total = FinishedRequests(), START, [], 0
    requests.note(0, now)
    for passed, finished in steps:
        now += passed
        total += finished
        requests.note(total, now)
        seen.append((now, finished))
    gap = max(passed for passed, _ in steps)
    found = requests.since(now - within)
    assert sum(finished for at, finished in seen if at > now - within) <= found
    assert found <= sum(finished for at, finished in seen if at > now - within - gap - S)


def test_the_count_of_requests_may_begin_again() -> None:
    requests = FinishedRequests()
    assert requests.since(START) == 0
    for second, total in enumerate((500, 510, 3, 4)):
        requests.note(total, START + second * S)
    assert requests.since(START) == 14


def test_a_week_of_requests_takes_little_memory_and_stays_fine() -> None:
    requests, seconds = FinishedRequests(), 7 * 24 * 3600
    for second in range(seconds):
        requests.note(second * 10, START + second * S)
    assert len(requests._times) <= 2_000
    for within in (10, 60, 3600, 86_400, 5 * 86_400):
        found = requests.since(START + (seconds - 1 - within) * S)
        assert within * 10 <= found <= (within * (1 + 1 / 64) + 1) * 10
