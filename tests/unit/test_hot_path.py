"""The hot path in words."""

from __future__ import annotations

import pytest

from compassd.calltree import NO_PARENT, CallTree, Frame, Node, Totals
from compassd.destinations.journald import fields
from compassd.hot_path import at, culprit, kind, percent, verdict
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


def test_the_culprit_is_placed_in_the_users_code() -> None:
    found = culprit(TREE.hot_path())
    assert found is not None
    assert found.frame == Frame("PDOStatement::execute", "/srv/shop/src/Repo.php", 42)
    assert found.share == 0.93


def test_the_verdict_is_one_line() -> None:
    expected = "93% in PDOStatement::execute at src/Repo.php:42, waiting, 212 waits (in a loop?)"
    assert verdict(TREE.hot_path()) == expected


def test_nothing_is_said_of_nothing() -> None:
    assert verdict(CallTree(duration_ns=5, nodes=()).hot_path()) == ""
    assert culprit([]) is None


@pytest.mark.parametrize(
    ("totals", "words"),
    [
        (Totals(0, 0, 0), "CPU"),
        (Totals(100 * MS, 0, 0), "CPU"),
        (Totals(0, 100 * MS, 1), "waiting, 1 wait"),
        (Totals(10 * MS, 90 * MS, 3), "waiting, 3 waits"),
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
