from __future__ import annotations

from dataclasses import replace

import pytest

from compassd.breach import Severity, State
from compassd.incidents import book as book_module
from compassd.incidents.book import IncidentBook
from compassd.incidents.incident import MAX_RUNNING
from compassd.notice import MAX_EXEMPLARS, DigestNotice, IncidentNotice
from tests.unit.incident_desk import (
    CLOSED,
    ESCALATED,
    HOUR,
    MIN,
    OPENED,
    START,
    UPDATED,
    Desk,
    S,
    breach,
    tree,
)

MS = 1_000_000


def test_the_first_message_waits_for_what_comes_with_the_first_breach() -> None:
    desk = Desk()
    desk.hit()
    desk.at(1.9 * S)
    desk.hit()
    desk.at(2 * S - 1)
    assert desk.messages == []
    desk.at(2 * S)
    assert desk.told() == [(2.0, OPENED, 2)]


def test_new_breaches_are_told_after_one_five_and_fifteen_minutes_then_hourly() -> None:
    desk = Desk()
    for minute in range(200):
        desk.at(minute * MIN)
        desk.hit()
    assert desk.told() == [
        (2.0, OPENED, 1),
        (62.0, UPDATED, 1),
        (302.0, UPDATED, 4),
        (902.0, UPDATED, 10),
        (3602.0, UPDATED, 45),
        (7202.0, UPDATED, 60),
        (10802.0, UPDATED, 60),
    ]


def test_without_new_breaches_nothing_is_told_but_the_end() -> None:
    desk = Desk()
    desk.hit()
    desk.at(24 * HOUR)
    assert desk.told() == [(2.0, OPENED, 1), (602.0, CLOSED, 0)]
    assert desk.book.next_due(desk.now) is None


def test_a_breach_after_an_update_waits_for_the_next_one() -> None:
    desk = Desk()
    desk.hit()
    desk.at(70 * S)
    desk.hit()
    desk.at(400 * S)
    assert desk.told() == [(2.0, OPENED, 1), (302.0, UPDATED, 1)]


def test_a_breach_at_the_moment_of_an_update_waits_for_the_next_one() -> None:
    desk = Desk()
    for second in (0, 10, 62):
        desk.at(second * S)
        desk.hit()
    desk.at(400 * S)
    assert desk.told() == [(2.0, OPENED, 1), (62.0, UPDATED, 1), (302.0, UPDATED, 1)]


def test_the_end_carries_what_was_not_told_yet() -> None:
    desk = Desk()
    desk.hit()
    for second in (500, 903):
        desk.at(second * S)
        desk.hit()
    desk.at(HOUR)
    assert desk.told() == [(2.0, OPENED, 1), (902.0, UPDATED, 1), (1505.0, CLOSED, 1)]
    figures = desk.last().figures
    assert (figures.hits, figures.first_at, figures.last_at) == (3, START, START + 903 * S)


def test_a_breach_after_the_end_begins_another_incident() -> None:
    desk = Desk()
    desk.hit()
    desk.at(600 * S)
    desk.hit()
    desk.at(602 * S)
    assert desk.told() == [(2.0, OPENED, 1), (602.0, CLOSED, 0), (602.0, OPENED, 1)]
    first, last, again = (message.notice for message in desk.messages)
    assert isinstance(first, IncidentNotice)
    assert isinstance(last, IncidentNotice)
    assert isinstance(again, IncidentNotice)
    assert first.incident_id == last.incident_id != again.incident_id
    assert again.figures.hits == 1


def test_a_breach_just_before_the_end_puts_it_off() -> None:
    desk = Desk()
    desk.hit()
    desk.at(600 * S - 1)
    desk.hit()
    desk.at(1_199 * S)
    assert [reason for _, reason, _ in desk.told()] == [OPENED, UPDATED]


def test_what_gets_worse_is_told_at_once() -> None:
    desk = Desk()
    desk.hit(severity=Severity.INFO)
    desk.at(10 * S)
    desk.hit(severity=Severity.INFO)
    desk.hit(severity=Severity.CRITICAL)
    desk.at(20 * S)
    desk.hit(severity=Severity.WARNING)
    desk.at(HOUR)
    assert desk.told() == [(2.0, OPENED, 1), (10.0, ESCALATED, 2), (62.0, UPDATED, 1), (622.0, CLOSED, 0)]
    assert desk.last().severity is Severity.CRITICAL


def test_what_gets_worse_before_it_was_told_is_told_as_it_is() -> None:
    desk = Desk()
    desk.hit(severity=Severity.INFO)
    desk.hit(severity=Severity.CRITICAL)
    desk.at(5 * S)
    assert desk.told() == [(2.0, OPENED, 2)]
    assert desk.last().severity is Severity.CRITICAL


def test_each_destination_is_told_what_it_was_not_told_before() -> None:
    desk = Desk()
    desk.hit("ops")
    desk.at(30 * S)
    desk.hit("ops", "hook")
    desk.at(40 * S)
    desk.hit("hook")
    desk.at(HOUR)
    assert desk.told("ops") == [(2.0, OPENED, 1), (62.0, UPDATED, 1), (642.0, CLOSED, 0)]
    assert desk.told("hook") == [(32.0, OPENED, 1), (92.0, UPDATED, 1), (642.0, CLOSED, 0)]
    assert desk.last().figures.hits == 3


def test_a_breach_for_nobody_is_nothing() -> None:
    desk = Desk()
    desk.book.take(breach(1), (), desk.now)
    assert desk.book.next_due(desk.now) is None
    assert desk.book.counters.open == 0


@pytest.mark.parametrize(
    "changes",
    [
        {"rule": "other"},
        {"host": "other"},
        {"pool": "other"},
        {"route": "/other"},
        {"tree": tree("curl_exec")},
        {"tree": None},
    ],
)
def test_breaches_of_another_key_are_another_incident(changes: dict[str, object]) -> None:
    desk = Desk()
    desk.hit(tree=tree("PDO::query"))
    desk.hit(tree=tree("PDO::query"), uri="/elsewhere?id=7")
    desk.hit(**{"tree": tree("PDO::query"), **changes})
    assert (desk.book.counters.open, desk.book.counters.opened) == (2, 2)


def test_figures_and_exemplars_are_of_all_breaches() -> None:
    desk = Desk()
    for number in range(1, 101):
        desk.hit(duration_ns=number * MS, state=State.DIED if number == 7 else State.FINISHED)
    desk.at(2 * S)
    notice = desk.last()
    figures = notice.figures
    assert (figures.hits, figures.new_hits, figures.died, figures.max_ns) == (100, 100, 1, 100 * MS)
    assert figures.p50_ns == pytest.approx(50 * MS, rel=0.01)
    assert figures.p95_ns == pytest.approx(95 * MS, rel=0.01)
    assert figures.worst_ratio == 1.55
    assert [exemplar.request.duration_ns // MS for exemplar in notice.exemplars] == [7, 100, 99]
    assert len(notice.exemplars) == MAX_EXEMPLARS
    assert notice.server == "web1"
    assert (notice.key.rule, notice.key.route, notice.key.host) == ("checkout", "/cart", "shop.example")


def test_the_end_of_a_request_that_was_told_running_does_not_count_again() -> None:
    desk = Desk()
    running = desk.hit(state=State.RUNNING, duration_ns=S)
    desk.at(5 * S)
    ended = replace(running, request=replace(running.request, duration_ns=9 * S))
    desk.end(ended, state=State.DIED, tree=tree("elsewhere"))
    desk.at(HOUR)
    # It ended 5 s after it was told, which is news; nothing has happened since.
    assert desk.told() == [(2.0, OPENED, 1), (62.0, UPDATED, 0), (607.0, CLOSED, 0)]
    notice = desk.last()
    figures = notice.figures
    assert (figures.hits, figures.died, figures.max_ns) == (1, 1, 9 * S)
    assert figures.p50_ns == pytest.approx(9 * S, rel=0.01)
    (exemplar,) = notice.exemplars
    assert exemplar.state is State.DIED
    assert desk.book.counters.open == 0


def test_one_that_still_runs_the_second_time_does_not_count_again() -> None:
    desk = Desk()
    running = desk.hit(state=State.RUNNING)
    desk.take(running)
    assert len(desk.book._running) == 1
    desk.end(running)
    assert len(desk.book._running) == 0
    desk.at(2 * S)
    assert desk.told() == [(2.0, OPENED, 1)]


def test_the_end_is_known_again_after_a_restart() -> None:
    desk = Desk()
    running = desk.hit(state=State.RUNNING)
    desk.commit()
    desk.restart()
    # Nobody remembers that it was told; its id does.
    desk.end(running, told_running=False)
    desk.at(HOUR)
    assert desk.told() == [(2.0, OPENED, 1), (602.0, CLOSED, 0)]


def test_an_end_that_nobody_waits_for_counts() -> None:
    desk = Desk()
    running = desk.hit(state=State.RUNNING)
    desk.at(600 * S)
    desk.end(running)
    desk.at(602 * S)
    assert desk.told() == [(2.0, OPENED, 1), (602.0, CLOSED, 0), (602.0, OPENED, 1)]


def test_an_end_counts_even_if_nobody_has_asked_since_its_incident_was_over() -> None:
    desk = Desk()
    running = desk.hit(state=State.RUNNING)
    desk.at(2 * S)
    desk.now = START + 700 * S
    desk.end(running)
    desk.at(702 * S)
    assert desk.told() == [(2.0, OPENED, 1), (702.0, CLOSED, 0), (702.0, OPENED, 1)]


def test_an_end_is_waited_for_only_so_many_times() -> None:
    desk = Desk()
    first = desk.hit(state=State.RUNNING)
    second = desk.hit(state=State.RUNNING)
    for _ in range(MAX_RUNNING - 1):
        desk.hit(state=State.RUNNING)
    desk.end(second)
    desk.at(2 * S)
    assert desk.told() == [(2.0, OPENED, MAX_RUNNING + 1)]
    desk.end(first)
    desk.at(62 * S)
    assert desk.told()[1:] == [(62.0, UPDATED, 1)]


def test_beyond_the_bound_breaches_are_counted_by_rule_and_pool(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(book_module, "MAX_INCIDENTS", 3)
    desk = Desk()
    for number in range(10):
        desk.hit(route=f"/{number}", tree=tree())
    desk.hit(rule="other")
    assert desk.book.counters.open == 5
    desk.hit(route="/2", tree=tree())
    desk.at(2 * S)
    found = {
        (notice.key.rule, notice.key.route, notice.key.host, notice.key.function): notice.figures.hits
        for message in desk.messages
        if isinstance(notice := message.notice, IncidentNotice)
    }
    assert found[("checkout", "<other>", "<other>", "")] == 7
    assert found[("other", "<other>", "<other>", "")] == 1
    assert found[("checkout", "/2", "shop.example", "PDO::query")] == 2


def test_invented_pools_do_not_pass_the_bound(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(book_module, "MAX_INCIDENTS", 3)
    monkeypatch.setattr(book_module, "MAX_OTHERS", 2)
    desk = Desk()
    for number in range(50):
        desk.hit(pool=f"pool{number}")
    desk.hit(rule="other", pool="another")
    assert desk.book.counters.open == 7
    desk.at(2 * S)
    (digest,) = (message.notice for message in desk.messages)
    assert isinstance(digest, DigestNotice)
    found = {
        (line.key.rule, line.key.pool, line.key.host, line.key.route): line.figures.hits
        for line in digest.lines
    }
    assert found == {
        **{("checkout", f"pool{number}", "shop.example", "/cart"): 1 for number in range(3)},
        **{("checkout", f"pool{number}", "<other>", "<other>"): 1 for number in (3, 4)},
        ("checkout", "<other>", "<other>", "<other>"): 45,
        ("other", "<other>", "<other>", "<other>"): 1,
    }


def test_trees_of_exemplars_are_bounded_together(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(book_module, "MAX_NODES", 25)
    desk = Desk()
    for number in range(5):
        desk.hit(route=f"/{number}", tree=tree(nodes=10))
    desk.at(2 * S)
    trees = [
        notice.exemplars[0].tree
        for message in desk.messages
        if isinstance(notice := message.notice, IncidentNotice)
    ]
    assert sum(made is not None for made in trees) == 2
    # Once it is over there is room again.
    desk.at(HOUR)
    desk.hit(tree=tree(nodes=25))
    desk.at(HOUR + 2 * S)
    assert desk.last().exemplars[0].tree is not None


def test_time_may_stand_still_or_step_back() -> None:
    desk = Desk()
    desk.hit()
    desk.at(2 * S)
    desk.now = START - S
    desk.hit()
    assert desk.book.next_due(desk.now) == START + 62 * S
    desk.tell()
    desk.at(HOUR)
    assert desk.told() == [(2.0, OPENED, 1), (62.0, UPDATED, 1), (604.0, CLOSED, 0)]


def test_what_is_due_in_the_past_is_due_now() -> None:
    desk = Desk()
    desk.hit()
    desk.now = START + 30 * S
    assert desk.book.next_due(desk.now) == desk.now
    assert IncidentBook(desk.settings, "web1").next_due(desk.now) is None


def test_ten_thousand_breaches_of_a_route_in_a_minute_are_three_messages() -> None:
    desk = Desk()
    for number in range(10_000):
        desk.at(number * 6 * MS)
        desk.hit()
    desk.at(HOUR)
    assert [reason for _, reason, _ in desk.told()] == [OPENED, UPDATED, CLOSED]
    assert sum(new for _, _, new in desk.told()) == 10_000


def test_the_end_of_a_request_that_was_told_running_is_news() -> None:
    desk = Desk()
    running = desk.hit(state=State.RUNNING, duration_ns=S)
    desk.at(30 * S)
    ended = replace(running, request=replace(running.request, duration_ns=30 * S))
    desk.end(ended)
    desk.at(5 * MIN)
    # An update in its turn, in which nothing is new but the end.
    assert desk.told() == [(2.0, OPENED, 1), (62.0, UPDATED, 0)]
    assert desk.last().figures.max_ns == 30 * S
    assert desk.last().exemplars[0].state is State.FINISHED
    desk.restart()
    desk.at(20 * MIN)
    assert [why for _, why, _ in desk.told()] == [OPENED, UPDATED, CLOSED]


@pytest.mark.parametrize("jump", [-HOUR, HOUR])
def test_an_end_is_news_in_its_turn_if_the_clock_was_set(jump: int) -> None:
    desk = Desk()
    running = desk.hit(state=State.RUNNING)
    desk.at(30 * S)
    desk.end(running)
    desk.book.shift(jump)
    desk.now += jump
    desk.at(5 * MIN + jump)
    assert desk.told() == [(2.0, OPENED, 1), (62.0 + jump / S, UPDATED, 0)]


def test_an_end_that_comes_before_the_incident_is_told_is_no_news_of_its_own() -> None:
    desk = Desk()
    running = desk.hit(state=State.RUNNING)
    desk.at(S)
    desk.end(running)
    desk.at(5 * MIN)
    assert desk.told() == [(2.0, OPENED, 1)]
