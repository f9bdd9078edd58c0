"""Decoding a tree_record into a call tree."""

from __future__ import annotations

import pytest

from compassd.calltree import NO_PARENT, CallTree, Frame, Node, Totals
from compassd.errors import RecordError
from compassd.kernel import layout
from compassd.kernel.symbols import Symbol
from compassd.kernel.texts import RawText
from compassd.kernel.tree import TreeReader
from lab.kernel_records import OTHER, RawNode, tree_record

PERIOD = 10
ROOT = layout.NO_PARENT

NAMES = {
    1: Symbol("", "", "/index.php", 2),
    2: Symbol("show", "Shop\\Cart", "/Cart.php", 2),
    3: Symbol("execute", "PDOStatement", "", 1),
    4: Symbol("", "", "", 4),
    5: Symbol("{closure}", "", "/index.php", 2),
    6: Symbol("{closure}", "", "/index.php", 2),
}


def _show(scope: str, function: str, text: RawText) -> str:
    return f"{scope}::{function}: {text.raw.decode()}{'...' if text.is_cut else ''}"


READER = TreeReader(PERIOD, NAMES.get, _show)


def _decode(*nodes: RawNode, duration: int = 1_000, texts: dict[int, RawText] | None = None) -> CallTree:
    return READER.read(tree_record(OTHER, *nodes), duration, texts or {})


def test_a_tree_has_names_places_and_times() -> None:
    tree = _decode((1, 0, 3, 0, 0, ROOT), (2, 100, 42, 0, 1, 1), (3, 895, 0, 1, 212, 2))
    assert tree.nodes == (
        Node(Frame("{main}", "/index.php", 3), NO_PARENT, 0, 0, 0),
        Node(Frame("Shop\\Cart::show", "/Cart.php", 42), 0, 0, 100, 1),
        Node(Frame("PDOStatement::execute", "", 0), 1, 5, 895, 212),
    )
    assert (tree.walks, tree.walk_ns, tree.cut_stacks) == (5, 77, 2)
    assert tree.unattributed_ns == 0


def test_what_a_tick_stands_for_follows_from_the_time_on_the_processor() -> None:
    # 60 ns on the processor, six ticks: each stands for as long as the period.
    tree = _decode((1, 40, 1, 2, 0, ROOT), (3, 0, 0, 4, 0, 1), duration=100)
    assert [node.on_ns for node in tree.nodes] == [20, 40]
    # Fewer ticks than there should be: each stands for more, but not for any amount.
    tree = _decode((1, 0, 1, 1, 0, ROOT), duration=15)
    assert (tree.nodes[0].on_ns, tree.unattributed_ns) == (15, 0)
    tree = _decode((1, 0, 1, 1, 0, ROOT), duration=100)
    assert (tree.nodes[0].on_ns, tree.unattributed_ns) == (20, 80)
    # More than there can be: never more than the duration.
    tree = _decode((1, 90, 1, 5, 0, ROOT), duration=100)
    assert tree.attributed() == Totals(10, 90, 0)


def test_without_ticks_the_time_on_the_processor_is_not_attributed() -> None:
    tree = _decode((1, 300, 1, 0, 1, ROOT))
    assert tree.unattributed_ns == 700


def test_code_outside_of_functions_is_named_by_what_it_is() -> None:
    tree = _decode((1, 1, 1, 0, 0, ROOT), (1, 1, 9, 0, 0, 1), (4, 1, 2, 0, 0, 2))
    assert [node.frame.function for node in tree.nodes] == ["{main}", "include", "eval"]


def test_two_closures_at_one_place_are_one_node() -> None:
    tree = _decode((5, 1, 7, 0, 1, ROOT), (6, 2, 7, 0, 1, ROOT), (3, 3, 0, 0, 1, 1), (3, 4, 0, 0, 1, 2))
    assert tree.nodes == (
        Node(Frame("{closure}", "/index.php", 7), NO_PARENT, 0, 3, 2),
        Node(Frame("PDOStatement::execute", "", 0), 0, 0, 7, 2),
    )


def test_a_function_whose_names_are_not_known_keeps_its_time() -> None:
    tree = _decode((99, 500, 7, 0, 3, ROOT))
    assert tree.nodes == (Node(Frame("(unknown)", "", 0), NO_PARENT, 0, 500, 3),)


def test_what_found_no_room_is_told() -> None:
    record = tree_record((0, 300, 0, 2, 9, ROOT), (1, 0, 1, 0, 0, ROOT))
    assert READER.read(record, 1_000, {}).other == Totals(40, 300, 9)


def test_what_was_waited_for_is_at_its_node() -> None:
    tree = _decode(
        (1, 0, 3, 0, 0, ROOT),
        (3, 100, 0, 0, 1, 1),
        texts={2: RawText(b"SELECT 1", is_cut=True, longest_ns=9)},
    )
    assert [node.waited_for for node in tree.nodes] == ["", "PDOStatement::execute: SELECT 1..."]


def test_of_two_texts_at_one_place_that_of_the_longer_wait_is_told() -> None:
    closures = ((5, 1, 7, 0, 1, ROOT), (6, 2, 7, 0, 1, ROOT))
    short, long = RawText(b"short", is_cut=False, longest_ns=1), RawText(b"long", is_cut=False, longest_ns=2)
    for texts in ({1: short, 2: long}, {1: long, 2: short}):
        (node,) = _decode(*closures, texts=texts).nodes
        assert node.waited_for == "::{closure}: long"


def test_the_place_seen_last_is_known() -> None:
    closures = ((5, 1, 7, 0, 1, ROOT), (6, 2, 7, 0, 1, ROOT), (3, 3, 0, 0, 1, 2))
    assert READER.read(tree_record(OTHER, *closures, last=3), 100, {}).last == 1
    assert READER.read(tree_record(OTHER, *closures, last=2), 100, {}).last == 0
    assert READER.read(tree_record(OTHER, *closures, last=0), 100, {}).last == NO_PARENT


def test_bytes_behind_the_last_node_are_ignored() -> None:
    record = tree_record(OTHER, (1, 5, 1, 0, 0, ROOT)) + b"\xff" * 40
    assert len(READER.read(record, 10, {}).nodes) == 1


@pytest.mark.parametrize(
    "record",
    [
        b"",
        tree_record(OTHER)[:20],
        tree_record(OTHER, count=0),
        tree_record(OTHER, count=2),
        tree_record(OTHER, count=layout.TREE_NODES + 1) + b"\0" * 20_000,
        tree_record(OTHER, (1, 0, 0, 0, 0, 1)),
        tree_record(OTHER, (1, 0, 0, 0, 0, 0)),
        tree_record(OTHER, (1, 0, 0, 0, 0, 7)),
        tree_record(OTHER, (1, 0, 0, 0, 0, ROOT), last=2),
    ],
)
def test_a_record_that_contradicts_itself_is_refused(record: bytes) -> None:
    with pytest.raises(RecordError):
        READER.read(record, 1_000, {})
