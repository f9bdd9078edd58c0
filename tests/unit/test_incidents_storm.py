from __future__ import annotations

import pytest

from compassd.breach import Gate, Severity
from compassd.notice import MAX_DIGEST_LINES, DigestNotice, Happening, Message
from compassd.settings import IncidentSettings
from tests.unit.incident_desk import CLOSED, ESCALATED, HOUR, OPENED, START, Desk, S

THREE = IncidentSettings.model_construct(max_messages=3)
TWO = IncidentSettings.model_construct(max_messages=2)


def _routes(desk: Desk, first: int, count: int, **changes: object) -> None:
    for number in range(first, first + count):
        desk.hit(route=f"/{number}", **changes)


def _digest(message: Message) -> DigestNotice:
    notice = message.notice
    assert isinstance(notice, DigestNotice)
    return notice


def test_as_many_as_may_be_are_told_alone() -> None:
    desk = Desk(THREE)
    _routes(desk, 0, 3)
    desk.at(10 * S)
    assert desk.told() == [(2.0, OPENED, 1)] * 3


def test_one_more_makes_them_all_a_digest_and_then_there_is_silence() -> None:
    desk = Desk(THREE)
    _routes(desk, 0, 4)
    desk.at(10 * S)
    assert desk.told() == [(2.0, "storm", 4)]
    _routes(desk, 4, 1)
    desk.at(62 * S - 1)
    assert len(desk.messages) == 1
    desk.at(62 * S)
    assert desk.told()[1:] == [(62.0, OPENED, 1)]


def test_what_begins_while_others_wait_is_told_with_them() -> None:
    desk = Desk(THREE)
    for number in range(20):
        desk.at(number * S / 10)
        _routes(desk, number, 1)
    desk.at(30 * S)
    assert desk.told() == [(2.0, "storm", 20)]


def test_what_begins_when_they_are_told_is_not() -> None:
    desk = Desk(THREE)
    for second in (0, 1, 2):
        desk.at(second * S)
        _routes(desk, second, 1)
    desk.at(30 * S)
    assert desk.told() == [(2.0, OPENED, 1), (2.0, OPENED, 1), (4.0, OPENED, 1)]


def test_each_destination_collects_on_its_own() -> None:
    desk = Desk(THREE)
    desk.hit("ops", route="/0")
    desk.at(1 * S)
    desk.hit("hook", route="/1")
    desk.hit("ops", "hook", route="/0")
    desk.at(30 * S)
    assert desk.told("ops") == [(2.0, OPENED, 2)]
    assert desk.told("hook") == [(3.0, OPENED, 1)] * 2


def test_nothing_is_collected_for_no_time() -> None:
    desk = Desk(IncidentSettings.model_construct(coalesce=0, max_messages=3))
    for tenth in range(5):
        desk.at(tenth * S / 10)
        _routes(desk, tenth, 1)
        desk.tell()
    desk.at(90 * S)
    assert desk.told() == [(0.0, OPENED, 1), (0.1, OPENED, 1), (0.2, OPENED, 1), (60.0, "storm", 2)]


def test_an_interval_is_counted_from_every_message() -> None:
    desk = Desk(THREE)
    for second in (0, 50, 55, 58, 58):
        desk.at(second * S)
        _routes(desk, second * 10 + len(desk.book._incidents), 1)
    desk.at(117 * S)
    assert desk.told() == [(2.0, OPENED, 1), (52.0, OPENED, 1), (57.0, OPENED, 1), (62.0, "storm", 2)]


def test_other_destinations_go_on() -> None:
    desk = Desk(THREE)
    for number in range(10):
        desk.hit("ops", "hook", route=f"/{number}")
    desk.at(3 * S)
    desk.hit("quiet", route="/0")
    desk.at(6 * S)
    assert (desk.told("ops"), desk.told("hook")) == ([(2.0, "storm", 10)], [(2.0, "storm", 10)])
    assert desk.told("quiet") == [(5.0, OPENED, 1)]


@pytest.mark.parametrize(
    ("gate", "expected"),
    [
        (Gate(), [(2.0, 500), (62.0, 3_000), (302.0, 6_000), (782.0, 0)]),
        (Gate(min_hits=3), [(22.0, 1_500), (82.0, 3_000), (322.0, 5_000), (782.0, 0)]),
    ],
)
def test_many_routes_are_one_digest_each_time_and_nothing_besides(
    gate: Gate, expected: list[tuple[float, int]]
) -> None:
    desk = Desk()
    for second in range(0, 181, 10):
        for number in range(500):
            desk.at(second * S + number * S // 250)
            desk.hit("ops", "hook", route=f"/{number}", gate=gate)
    desk.at(HOUR)
    for name in ("ops", "hook"):
        assert desk.told(name) == [(at, "storm", new) for at, new in expected]
        assert sum(new for _, _, new in desk.told(name)) == 19 * 500
    assert {_digest(message).incidents for message in desk.messages} == {500}
    assert desk.book.next_due(desk.now) is None


def test_what_gets_worse_is_told_at_once_as_far_as_it_may_be() -> None:
    desk = Desk(THREE)
    _routes(desk, 0, 1, severity=Severity.INFO)
    desk.at(10 * S)
    _routes(desk, 1, 1, severity=Severity.INFO)
    desk.at(20 * S)
    _routes(desk, 0, 1)
    desk.at(30 * S)
    _routes(desk, 0, 2, severity=Severity.CRITICAL)
    desk.at(70 * S)
    assert desk.told() == [(2.0, OPENED, 1), (12.0, OPENED, 1), (20.0, ESCALATED, 1), (62.0, "storm", 2)]
    assert {line.happening for line in _digest(desk.messages[-1]).lines} == {Happening.ESCALATED}


def test_a_digest_says_the_worst_first() -> None:
    desk = Desk(TWO)
    _routes(desk, 0, 20)
    _routes(desk, 5, 1)
    _routes(desk, 100, 2, severity=Severity.CRITICAL)
    desk.at(2 * S)
    (message,) = desk.messages
    digest = _digest(message)
    assert (digest.incidents, digest.new_hits, digest.severity) == (22, 23, Severity.CRITICAL)
    assert len(digest.lines) == MAX_DIGEST_LINES
    assert [line.severity for line in digest.lines[:3]] == [Severity.CRITICAL] * 2 + [Severity.WARNING]
    assert (digest.lines[2].key.route, digest.lines[2].figures.new_hits) == ("/5", 2)
    assert {line.happening for line in digest.lines} == {Happening.OPENED}
    assert digest.server == "web1"


def test_a_digest_is_about_the_time_since_the_first_breach_that_is_new() -> None:
    desk = Desk(TWO)
    for second in (0, 1, 70, 80):
        desk.at(second * S)
        _routes(desk, 0, 3)
    desk.at(HOUR)
    digests = [notice for message in desk.messages if isinstance(notice := message.notice, DigestNotice)]
    # The last is about what is over; nothing is new in it.
    assert [((one.since - START) / S, one.new_hits) for one in digests] == [(0, 6), (70, 6), (80, 0)]


def test_what_is_over_and_what_begins_then_are_one_digest() -> None:
    desk = Desk(TWO)
    _routes(desk, 0, 2)
    desk.at(1 * S)
    _routes(desk, 2, 1)
    desk.at(600.5 * S)
    _routes(desk, 9, 1)
    desk.at(HOUR)
    assert desk.told() == [(2.0, "storm", 3), (602.0, "storm", 1), (1202.5, CLOSED, 0)]
    lines = _digest(desk.messages[1]).lines
    assert sorted(line.happening for line in lines) == [CLOSED] * 3 + [OPENED]


def test_what_could_not_be_told_before_it_was_over_is_told_first() -> None:
    settings = IncidentSettings.model_construct(max_messages=2, cooldown=10 * S)
    desk = Desk(settings)
    _routes(desk, 0, 3)
    desk.at(3 * S)
    _routes(desk, 9, 1)
    desk.at(HOUR)
    # At 62 s, /9 begins for the destination, and the others are over; then /9 is.
    assert desk.told() == [(2.0, "storm", 3), (62.0, "storm", 1), (122.0, CLOSED, 0)]
    assert desk.book.counters.open == 0
    assert desk.book.next_due(desk.now) is None


def test_what_was_used_of_an_interval_is_known_after_a_restart() -> None:
    desk = Desk(THREE)
    _routes(desk, 0, 9)
    desk.at(4 * S)
    desk.restart()
    _routes(desk, 20, 9)
    desk.at(HOUR / 10)
    assert desk.told() == [(2.0, "storm", 9), (62.0, "storm", 9)]


def test_a_restart_does_not_part_what_is_collected() -> None:
    desk = Desk(THREE)
    _routes(desk, 0, 2)
    desk.at(1 * S)
    desk.commit()
    desk.restart()
    _routes(desk, 2, 2)
    desk.at(30 * S)
    assert desk.told() == [(2.0, "storm", 4)]


def test_a_clock_that_is_set_back_between_two_runs_lets_nobody_wait_for_longer() -> None:
    desk = Desk(THREE)
    _routes(desk, 0, 2)
    desk.commit()
    desk.restart()
    desk.now = START - 24 * HOUR
    before = desk.now
    _routes(desk, 2, 2)
    desk.at(before - START + 2 * S)
    assert [message.created_at for message in desk.messages] == [before + 2 * S]
    assert _digest(desk.messages[0]).new_hits == 4


def test_a_clock_that_is_set_back_between_two_runs_silences_nobody() -> None:
    desk = Desk(THREE)
    _routes(desk, 0, 9)
    desk.at(4 * S)
    desk.restart()
    desk.now = START - 24 * HOUR
    before = desk.now
    _routes(desk, 20, 1)
    desk.at(before - START + 60 * S)
    assert len(desk.messages) == 2
    desk.at(before - START + 662 * S)
    assert desk.book.counters.open == 0
