from __future__ import annotations

from dataclasses import replace

import pytest

from compassd.breach import Severity, State
from compassd.incidents.saved import CEILINGS
from tests.unit.incident_desk import CLOSED, HOUR, OPENED, UPDATED, Desk, S, tree


def test_nothing_is_told_twice_and_nothing_forgotten() -> None:
    desk = Desk()
    desk.hit(tree=tree())
    desk.at(2 * S)
    desk.hit(tree=tree(), state=State.DIED)
    desk.commit()
    before = desk.told()
    desk.restart()
    assert desk.book.due(desk.now) == []
    desk.at(HOUR)
    assert before == [(2.0, OPENED, 1)]
    assert desk.told() == [(2.0, OPENED, 1), (62.0, UPDATED, 1), (604.0, CLOSED, 0)]
    figures = desk.last().figures
    assert (figures.hits, figures.died) == (2, 1)
    assert [exemplar.tree for exemplar in desk.last().exemplars] == [tree(), tree()]


def test_what_is_not_kept_is_told_again_in_the_same_message() -> None:
    desk = Desk()
    desk.hit()
    desk.commit()
    desk.now += 2 * S
    lost = desk.book.due(desk.now)
    desk.restart()
    assert desk.book.due(desk.now) == lost != []


def test_exemplars_are_written_only_if_they_have_changed() -> None:
    desk = Desk()
    for _ in range(3):
        desk.hit(duration_ns=5 * S)
    (record,) = desk.book.changes().upserted
    assert record.exemplars is not None
    desk.hit(duration_ns=4 * S)
    (record,) = desk.book.changes().upserted
    assert record.exemplars is None
    desk.hit(duration_ns=6 * S)
    (record,) = desk.book.changes().upserted
    assert record.exemplars is not None
    assert desk.book.changes().upserted == ()


def test_what_is_over_and_told_is_removed() -> None:
    desk = Desk()
    desk.hit()
    desk.at(2 * S)
    assert len(desk.kept) == 2
    desk.at(HOUR)
    assert set(desk.kept) == {CEILINGS}


def test_what_is_over_and_not_told_yet_is_told_after_a_restart() -> None:
    desk = Desk()
    for number in range(10):
        desk.hit(route=f"/{number}")
    desk.at(2 * S)
    desk.hit("other", route="/0")
    desk.at(599 * S)
    # The ceiling of ops is reached just before all of them end.
    for number in range(10):
        desk.hit(route=f"/new/{number}")
    desk.at(603 * S)
    desk.restart()
    assert desk.book.counters.open == 10
    desk.at(HOUR)
    assert desk.book.next_due(desk.now) is None
    assert set(desk.kept) == {CEILINGS}
    assert sum(new for _, _, new in desk.told()) == 20


@pytest.mark.parametrize("damage", [b"", b"{}", b"\xff", b'{"id": 3}'])
@pytest.mark.parametrize("part", ["state", "exemplars"])
def test_what_cannot_be_read_is_left_out_and_removed(part: str, damage: bytes) -> None:
    desk = Desk()
    one, _ = desk.hit(route="/1"), desk.hit(route="/2", severity=Severity.CRITICAL)
    desk.commit()
    for identity, record in list(desk.kept.items()):
        if one.id.encode() in (record.exemplars or b""):
            desk.kept[identity] = (
                replace(record, state=damage) if part == "state" else replace(record, exemplars=damage)
            )
    desk.restart()
    assert (desk.book.counters.open, desk.book.counters.unreadable) == (1, 1)
    desk.commit()
    assert len(desk.kept) == 1
    desk.at(2 * S)
    assert desk.last().severity is Severity.CRITICAL


def test_a_record_under_another_name_is_not_read() -> None:
    desk = Desk()
    desk.hit()
    desk.commit()
    (record,) = desk.kept.values()
    desk.kept = {"other": replace(record, id="other")}
    desk.restart()
    assert desk.book.counters.unreadable == 1


def test_ceilings_that_cannot_be_read_are_begun_anew() -> None:
    desk = Desk()
    desk.hit()
    desk.at(2 * S)
    desk.kept[CEILINGS] = replace(desk.kept[CEILINGS], state=b"?")
    desk.restart()
    assert desk.book.counters.unreadable == 1
    desk.at(HOUR)
    assert desk.told() == [(2.0, OPENED, 1), (602.0, CLOSED, 0)]
    assert CEILINGS in desk.kept
    desk.restart()
    assert desk.book.counters.unreadable == 0
