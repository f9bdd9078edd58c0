"""The hot path in words."""

from __future__ import annotations

from dataclasses import replace

import pytest

from compassd.calltree import NO_PARENT, CallTree, Frame, Node, Totals
from compassd.destinations.journald import fields
from compassd.hot_path import at, kind, last_seen, notable_waits, percent, verdict, waits
from lab.breaches import make_breach

MS = 1_000_000

TREE = CallTree(
    duration_ns=1_000 * MS,
    nodes=(
        Node(Frame("{main}", "/srv/shop/index.php", 3), NO_PARENT, 10 * MS, 0, 0),
        Node(Frame("Shop\\Repo::find", "/srv/shop/src/Repo.php", 42), 0, 20 * MS, 0, 0),
        Node(Frame("PDOStatement::execute", "", 0), 1, 30 * MS, 900 * MS, 212),
    ),
)


def test_the_end_is_placed_in_the_users_code() -> None:
    last = TREE.hot_path()[-1]
    assert last.place == Frame("PDOStatement::execute", "/srv/shop/src/Repo.php", 42)
    assert last.share == 0.93


def test_the_verdict_is_one_line() -> None:
    expected = "93% in PDOStatement::execute at src/Repo.php:42, waiting, 212 waits (in a loop?)"
    assert verdict(TREE.hot_path()) == expected


def test_nothing_is_said_of_nothing() -> None:
    assert verdict(CallTree(duration_ns=5, nodes=()).hot_path()) == ""
    assert notable_waits(CallTree(duration_ns=5, nodes=())) == []


def _waiting(text: str, waits: int = 212, ns: int = 900 * MS, last: int = NO_PARENT) -> CallTree:
    leaf = Node(Frame("PDOStatement::execute", "", 0), 1, 30 * MS, ns, waits, text)
    return replace(TREE, nodes=(*TREE.nodes[:2], leaf), last=last)


def test_what_was_waited_for_is_part_of_the_line() -> None:
    end = "waiting, 212 waits (in a loop?): SELECT * FROM product WHERE id = ?"
    assert verdict(_waiting("SELECT * FROM product WHERE id = ?").hot_path()).endswith(end)
    assert len(verdict(_waiting("x" * 5_000).hot_path())) < 400


def test_waits_are_notable_by_their_number_or_when_it_is_known_what_for() -> None:
    (place,) = notable_waits(_waiting("SELECT 1", waits=1))
    assert (place.waited_for, waits(place.totals)) == ("SELECT 1", "1 wait, 900 ms")
    assert waits(notable_waits(_waiting("", waits=20))[0].totals) == "20 waits, 900 ms"
    assert notable_waits(_waiting("", waits=19)) == []
    assert notable_waits(_waiting("SELECT 1", ns=49 * MS)) == []


def test_where_a_request_is_now_is_one_line() -> None:
    seen = _waiting("SELECT 1", last=2).last_seen()
    assert seen is not None
    where = "in PDOStatement::execute at src/Repo.php:42"
    assert last_seen(seen, 3_200 * MS) == f"waiting for 3.20 s {where}: SELECT 1"
    # On the processor it waits for nothing.
    assert last_seen(seen, None) == where
    assert _waiting("SELECT 1").last_seen() is None


@pytest.mark.parametrize(
    ("totals", "words"),
    [
        (Totals(0, 0, 0), "CPU"),
        (Totals(100 * MS, 0, 0), "CPU"),
        (Totals(0, 100 * MS, 1), "waiting, 1 wait"),
        (Totals(10 * MS, 90 * MS, 3), "waiting, 3 waits"),
        (Totals(10 * MS, 90 * MS, 0), "waiting for a processor"),
        (Totals(40 * MS, 60 * MS, 0), "40.0 ms CPU, 60.0 ms waiting for a processor"),
        (Totals(40 * MS, 60 * MS, 3), "40.0 ms CPU, 60.0 ms waiting, 3 waits"),
        (Totals(40 * MS, 60 * MS, 30), "40.0 ms CPU, 60.0 ms waiting, 30 waits (in a loop?)"),
    ],
)
def test_what_kind_of_time_it_was(totals: Totals, words: str) -> None:
    assert kind(totals) == words


def test_places_are_short() -> None:
    assert at(Frame("f", "/a/b/c/d.php", 7)) == " at c/d.php:7"
    assert at(Frame("f", "/d.php", 7)) == " at /d.php:7"
    assert at(Frame("f", "", 0)) == ""
    assert percent(0.996) == "100%"


def test_the_journal_has_the_place_in_fields_and_the_path_in_the_message() -> None:
    entry = dict(fields(make_breach(tree=TREE)))
    assert entry["COMPASS_FUNCTION"] == "PDOStatement::execute"
    assert entry["COMPASS_FILE"] == "/srv/shop/src/Repo.php"
    assert entry["COMPASS_LINE"] == "42"
    assert entry["MESSAGE"].endswith(
        "; 93% in PDOStatement::execute at src/Repo.php:42, waiting, 212 waits (in a loop?); "
        "{main} > Shop\\Repo::find > PDOStatement::execute"
    )
