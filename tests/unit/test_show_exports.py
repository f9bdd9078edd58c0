"""Folded stacks and speedscope's format: all time is in them, once."""

from __future__ import annotations

import json
from typing import Any

from hypothesis import given

from compassd.calltree import CallTree, Frame, Node, Totals
from compassd.show.branches import grow, walk
from compassd.show.folded import folded
from compassd.show.speedscope import SCHEMA, speedscope
from lab import hostile
from lab.call_trees import call_trees

MS = 1_000_000
TREE = CallTree(
    duration_ns=1_000 * MS,
    nodes=(
        Node(Frame("{main}", "/srv/index.php", 3), -1, 10 * MS, 0, 0),
        Node(Frame("Cart::show", "/srv/Cart.php", 42), 0, 20 * MS, 0, 0),
        Node(Frame("PDO::query", "", 0), 1, 5 * MS, 600 * MS, 2, "SELECT a;b FROM c"),
        Node(Frame("Cart::show", "/srv/Cart.php", 43), 0, 30 * MS, 0, 0),
        Node(Frame("a;b", "", 0), 0, 7 * MS, 0, 0),
    ),
    other=Totals(3 * MS, 0, 0),
)


def _whole_ns(tree: CallTree) -> int:
    return max(tree.duration_ns, tree.attributed().all_ns)


def _stacks(text: str) -> dict[str, int]:
    return {stack: int(us) for stack, us in (line.rsplit(" ", 1) for line in text.splitlines())}


def _profile(text: str) -> dict[str, Any]:
    document = json.loads(text)
    assert isinstance(document, dict)
    return document


def test_folded_stacks_read_as_the_calls_were() -> None:
    main = "{main} /srv/index.php"
    assert _stacks(folded(grow(TREE, "GET /"))) == {
        main: 10_000,
        f"{main};Cart::show": 50_000,
        f"{main};Cart::show;PDO::query": 5_000,
        f"{main};Cart::show;PDO::query;(waiting)": 600_000,
        f"{main};a:b": 7_000,
        "(other)": 3_000,
        "(unattributed)": 325_000,
    }


def test_a_tree_without_time_is_no_stacks() -> None:
    assert folded(grow(CallTree(duration_ns=0, nodes=()), "GET /")) == ""


@given(call_trees())
def test_folded_stacks_add_up_to_the_request(tree: CallTree) -> None:
    stacks = _stacks(folded(grow(tree, "GET /")))
    assert sum(stacks.values()) == _whole_ns(tree) // 1_000
    assert all(us > 0 for us in stacks.values())


@given(call_trees(hostile.cleaned))
def test_a_name_cannot_forge_a_stack(tree: CallTree) -> None:
    depth = max((len(path) for path in walk(grow(tree, "GET /"))), default=0)
    text = folded(grow(tree, "GET /"))
    assert len(text.splitlines()) == text.count("\n")
    assert all(stack.count(";") <= depth for stack in _stacks(text))


def test_speedscope_has_a_profile_of_each_kind_of_time() -> None:
    document = _profile(speedscope(grow(TREE, "GET /"), "slow: GET /"))
    assert (document["$schema"], document["name"]) == (SCHEMA, "slow: GET /")
    frames = document["shared"]["frames"]
    assert frames[0] == {"name": "{main}", "file": "/srv/index.php", "line": 3}
    query = "PDO::query: SELECT a;b FROM c"
    assert {"name": query, "file": "/srv/Cart.php", "line": 42} in frames
    wall, on, off = document["profiles"]
    assert [profile["name"] for profile in (wall, on, off)] == ["wall time", "on CPU", "waiting"]
    assert [profile["endValue"] // MS for profile in (wall, on, off)] == [1_000, 75, 600]
    names = [[frames[index]["name"] for index in stack] for stack in off["samples"]]
    assert (names, off["weights"]) == ([["{main}", "Cart::show", query]], [600 * MS])


def test_in_speedscope_a_statement_is_one_frame_on_every_path_and_two_are_two() -> None:
    paths = [(0, "SELECT a"), (1, "SELECT a"), (0, "SELECT b"), (1, "x" * 900)]
    leaves = [Node(Frame("PDO::query", "/a.php", 1), above, 0, MS, 1, text) for above, text in paths]
    callers = [Node(Frame(name, "/b.php", 1), -1, 0, 0, 0) for name in ("f", "g")]
    tree = CallTree(duration_ns=4 * MS, nodes=(*callers, *leaves))
    document = _profile(speedscope(grow(tree, "GET /"), "x"))
    names = [frame["name"] for frame in document["shared"]["frames"]]
    assert sorted(names)[:2] == ["PDO::query: SELECT a", "PDO::query: SELECT b"]
    assert (len(names), max(map(len, names))) == (5, len("PDO::query: ") + 200)


@given(call_trees())
def test_speedscope_profiles_are_well_formed_and_complete(tree: CallTree) -> None:
    document = _profile(speedscope(grow(tree, "GET /"), "x"))
    frames = document["shared"]["frames"]
    sums = {}
    for profile in document["profiles"]:
        assert (profile["type"], profile["unit"], profile["startValue"]) == ("sampled", "nanoseconds", 0)
        assert len(profile["samples"]) == len(profile["weights"])
        assert all(0 <= index < len(frames) for stack in profile["samples"] for index in stack)
        assert all(weight > 0 for weight in profile["weights"])
        assert sum(profile["weights"]) == profile["endValue"]
        sums[profile["name"]] = profile["endValue"]
    attributed = tree.attributed()
    assert sums["wall time"] == _whole_ns(tree)
    assert (sums.get("on CPU", 0), sums.get("waiting", 0)) == (attributed.on_ns, attributed.off_ns)
