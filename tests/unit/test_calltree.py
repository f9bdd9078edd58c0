"""The call tree: totals, the hot path, and places."""

from __future__ import annotations

from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

from compassd.calltree import NO_PARENT, CallTree, Frame, Node, Totals, WaitPlace


def _frame(function: str, line: int = 0) -> Frame:
    return Frame(function, "/srv/app.php" if line else "", line)


def _node(  # noqa: PLR0913 - as many as a node has fields
    function: str, parent: int, on: int = 0, off: int = 0, waits: int = 0, line: int = 0
) -> Node:
    return Node(_frame(function, line), parent, on, off, waits)


TREE = CallTree(
    duration_ns=1_000,
    nodes=(
        _node("{main}", NO_PARENT, on=10, line=3),
        _node("Cart::show", 0, on=20, line=42),
        _node("PDOStatement::execute", 1, on=50, off=600, waits=212),
        _node("Cart::show", 0, on=5, line=43),
        _node("PDOStatement::execute", 3, off=100, waits=1),
        _node("hash", 0, on=150),
    ),
)


def test_totals_include_everything_below() -> None:
    totals = TREE.totals()
    assert totals[0] == Totals(235, 700, 213)
    assert totals[1] == Totals(70, 600, 212)
    assert totals[5] == Totals(150, 0, 0)


def test_the_hot_path_leads_to_the_heaviest_leaf() -> None:
    path = TREE.hot_path()
    assert [step.frame.function for step in path] == ["{main}", "Cart::show", "PDOStatement::execute"]
    assert [step.share for step in path] == [0.935, 0.67, 0.65]
    assert path[-1].totals == Totals(50, 600, 212)


def test_the_hot_path_ends_where_most_time_is_the_frames_own() -> None:
    nodes = (_node("busy", NO_PARENT, on=900, line=1), _node("small", 0, on=50), _node("smaller", 0, on=10))
    tree = CallTree(duration_ns=1_000, nodes=nodes)
    assert [step.frame.function for step in tree.hot_path()] == ["busy"]


def test_an_internal_function_is_placed_where_it_is_called() -> None:
    assert TREE.place(2) == Frame("PDOStatement::execute", "/srv/app.php", 42)
    assert TREE.place(1) == Frame("Cart::show", "/srv/app.php", 42)
    assert TREE.place(5) == Frame("hash", "/srv/app.php", 3)


def test_an_internal_function_called_by_an_internal_one_is_placed_at_the_users_line() -> None:
    nodes = (
        _node("{main}", NO_PARENT, line=7),
        _node("array_map", 0),
        _node("usleep", 1, off=10, waits=1),
    )
    assert CallTree(duration_ns=10, nodes=nodes).place(2) == Frame("usleep", "/srv/app.php", 7)


def test_waits_are_ranked_by_place() -> None:
    assert TREE.wait_places(5) == [
        WaitPlace(Frame("PDOStatement::execute", "/srv/app.php", 42), Totals(50, 600, 212), ""),
        WaitPlace(Frame("PDOStatement::execute", "/srv/app.php", 43), Totals(0, 100, 1), ""),
    ]
    assert len(TREE.wait_places(1)) == 1


def test_one_place_that_waited_for_two_things_is_two() -> None:
    nodes = (
        _node("a", NO_PARENT, line=1),
        _node("b", NO_PARENT, line=2),
        *(_node("query", parent, line=9) for parent in (0, 0, 1)),
    )
    waits = [
        replace(nodes[2], waits=1, off_ns=10, waited_for="SELECT a"),
        replace(nodes[3], waits=2, off_ns=50, waited_for="SELECT b"),
        replace(nodes[4], waits=3, off_ns=30, waited_for="SELECT a"),
    ]
    tree = CallTree(duration_ns=100, nodes=(*nodes[:2], *waits))
    assert [(place.waited_for, place.totals) for place in tree.wait_places(9)] == [
        ("SELECT b", Totals(0, 50, 2)),
        ("SELECT a", Totals(0, 40, 4)),
    ]


def test_one_place_reached_by_two_paths_is_one() -> None:
    nodes = (
        _node("a", NO_PARENT, line=1),
        _node("b", NO_PARENT, line=2),
        _node("save", 0, on=3, line=9),
        _node("save", 1, on=4, line=9),
    )
    assert CallTree(duration_ns=10, nodes=nodes).top_self(1) == [(_frame("save", 9), Totals(7, 0, 0))]


def test_what_is_not_accounted_for_is_said() -> None:
    assert TREE.unattributed_ns == 1_000 - 935
    other = CallTree(duration_ns=100, nodes=(), other=Totals(30, 20, 2))
    assert other.attributed() == Totals(30, 20, 2)
    assert other.unattributed_ns == 50
    assert other.hot_path() == []


_amounts = st.integers(min_value=0, max_value=10**9)


@st.composite
def _trees(draw: st.DrawFn) -> CallTree:
    nodes: list[Node] = []
    for index in range(draw(st.integers(min_value=0, max_value=30))):
        parent = draw(st.integers(min_value=NO_PARENT, max_value=index - 1))
        function = draw(st.sampled_from("abc"))
        line = draw(st.integers(min_value=0, max_value=2))
        nodes.append(_node(function, parent, draw(_amounts), draw(_amounts), draw(_amounts), line))
    return CallTree(duration_ns=draw(_amounts), nodes=tuple(nodes))


@given(_trees())
def test_nothing_is_lost_or_counted_twice(tree: CallTree) -> None:
    totals = tree.totals()
    roots = [totals[index] for index, node in enumerate(tree.nodes) if node.parent == NO_PARENT]
    attributed = tree.attributed()
    assert sum(root.all_ns for root in roots) == attributed.all_ns
    assert sum(root.waits for root in roots) == attributed.waits
    assert sum(totals.all_ns for _, totals in tree.top_self(100)) == attributed.all_ns
    assert tree.unattributed_ns >= 0


@given(_trees())
def test_the_hot_path_never_gets_heavier(tree: CallTree) -> None:
    path = tree.hot_path()
    times = [step.totals.all_ns for step in path]
    assert times == sorted(times, reverse=True)
    assert len(path) <= len(tree.nodes)
