from __future__ import annotations

from compassd.breach import Severity
from compassd.notice import MAX_DIGEST_LINES, DigestNotice, Happening
from compassd.settings import IncidentSettings
from tests.unit.incident_desk import CLOSED, HOUR, OPENED, START, Desk, S

THREE = IncidentSettings.model_construct(max_messages=3)
TWO = IncidentSettings.model_construct(max_messages=2)


def _routes(desk: Desk, first: int, count: int, **changes: object) -> None:
    for number in range(first, first + count):
        desk.hit(route=f"/{number}", **changes)


def _digest(desk: Desk) -> DigestNotice:
    notice = desk.messages[-1].notice
    assert isinstance(notice, DigestNotice)
    return notice


def test_as_many_as_may_be_are_told_alone() -> None:
    desk = Desk(THREE)
    _routes(desk, 0, 3)
    desk.at(10 * S)
    assert desk.told() == [(2.0, OPENED, 1)] * 2 + [(4.0, OPENED, 1)]


def test_one_more_makes_a_digest_and_then_there_is_silence() -> None:
    desk = Desk(THREE)
    _routes(desk, 0, 4)
    desk.at(10 * S)
    assert desk.told() == [(2.0, OPENED, 1)] * 2 + [(4.0, "storm", 2)]
    _routes(desk, 4, 1)
    desk.at(64 * S - 1)
    assert len(desk.messages) == 3
    desk.at(64 * S)
    assert desk.told()[3:] == [(64.0, OPENED, 1)]


def test_the_last_message_waits_for_what_comes_with_it() -> None:
    desk = Desk(THREE)
    for number in range(20):
        desk.at(number * S / 10)
        _routes(desk, number, 1)
    desk.at(30 * S)
    assert desk.told() == [(2.0, OPENED, 1), (2.1, OPENED, 1), (4.2, "storm", 18)]


def test_the_last_message_is_of_one_incident_if_there_is_no_other() -> None:
    desk = Desk(THREE)
    for number in range(3):
        desk.at(number * 5 * S)
        _routes(desk, number, 1)
    desk.at(40 * S)
    assert desk.told() == [(2.0, OPENED, 1), (7.0, OPENED, 1), (14.0, OPENED, 1)]


def test_an_interval_is_counted_from_every_message() -> None:
    desk = Desk(THREE)
    for second in (0, 50, 55, 58, 58):
        desk.at(second * S)
        _routes(desk, second * 10 + len(desk.book._incidents), 1)
    desk.at(117 * S)
    assert desk.told() == [(2.0, OPENED, 1), (52.0, OPENED, 1), (59.0, OPENED, 1), (62.0, "storm", 2)]


def test_other_destinations_go_on() -> None:
    desk = Desk(THREE)
    for number in range(10):
        desk.hit("ops", "hook", route=f"/{number}")
    desk.at(3 * S)
    desk.hit("quiet", route="/0")
    desk.at(6 * S)
    assert [len(desk.told(name)) for name in ("ops", "hook", "quiet")] == [3, 3, 1]


def test_a_digest_says_the_worst_first() -> None:
    desk = Desk(TWO)
    _routes(desk, 0, 20)
    _routes(desk, 5, 1)
    _routes(desk, 100, 2, severity=Severity.CRITICAL)
    desk.at(4 * S)
    digest = _digest(desk)
    assert (digest.incidents, digest.new_hits, digest.severity) == (21, 22, Severity.CRITICAL)
    assert len(digest.lines) == MAX_DIGEST_LINES
    assert digest.lines[0].severity is Severity.CRITICAL
    assert (digest.lines[1].key.route, digest.lines[1].figures.new_hits) == ("/5", 2)
    assert {line.happening for line in digest.lines} == {Happening.OPENED}
    assert digest.server == "web1"


def test_what_began_is_worth_more_than_what_is_over() -> None:
    desk = Desk(TWO)
    _routes(desk, 0, 3, severity=Severity.CRITICAL)
    desk.at(598 * S)
    _routes(desk, 9, 1)
    desk.at(602 * S)
    # The breach at 598 s is due at 600 s, too.
    assert desk.told()[2:] == [(600.0, OPENED, 1), (602.0, "storm", 0)]
    assert {line.happening for line in _digest(desk).lines} == {Happening.CLOSED}


def test_what_could_not_be_told_before_it_was_over_is_told_first() -> None:
    settings = IncidentSettings.model_construct(max_messages=2, cooldown=10 * S)
    desk = Desk(settings)
    _routes(desk, 0, 3)
    desk.at(3 * S)
    _routes(desk, 9, 1)
    desk.at(HOUR)
    told = desk.told()
    assert told[:3] == [(2.0, OPENED, 1), (4.0, "storm", 2), (64.0, OPENED, 1)]
    assert sum(new for _, _, new in told) == 4
    assert told[-1][1] in (CLOSED, "storm")
    assert desk.book.counters.open == 0
    assert desk.book.next_due(desk.now) is None


def test_what_was_used_of_an_interval_is_known_after_a_restart() -> None:
    desk = Desk(THREE)
    _routes(desk, 0, 9)
    desk.at(4 * S)
    desk.restart()
    _routes(desk, 20, 9)
    desk.at(64 * S - 1)
    assert len(desk.messages) == 3
    desk.at(64 * S)
    assert len(desk.messages) == 6  # two and a digest, as they have waited for long


def test_a_clock_that_is_set_back_between_two_runs_silences_nobody() -> None:
    desk = Desk(THREE)
    _routes(desk, 0, 9)
    desk.at(4 * S)
    desk.restart()
    desk.now = START - 24 * HOUR
    before = desk.now
    _routes(desk, 20, 1)
    desk.at(before - START + 60 * S)
    assert len(desk.messages) == 4
    desk.at(before - START + 660 * S)
    assert desk.book.counters.open == 0
