"""From a tree_record of the kernel to the call tree of a request. Pure, but for the names it is given."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

from compassd.calltree import NO_PARENT, CallTree, Frame, Node, Totals
from compassd.errors import RecordError
from compassd.kernel import layout

# ZEND_EVAL_CODE
_EVAL = 4

# A tick stands for the time since the one before it. When few fell into a request they may have to stand for
# more, as the time on the processor is known; by how much is bounded, and the rest is left unattributed.
_PERIODS_MAX = 2

UNKNOWN = "(unknown)"


class Names(Protocol):
    """What is needed of a function's names."""

    @property
    def function(self) -> str:
        """Name, "" for code outside of functions."""

    @property
    def scope(self) -> str:
        """Class, "" for none."""

    @property
    def file(self) -> str:
        """Where it is defined, "" for an internal function."""

    @property
    def type(self) -> int:
        """Type of its zend_function."""


def tree_key(record: bytes) -> tuple[int, int]:
    """Return process id and start (ns) of the request that a tree_record belongs to.

    Raises:
        RecordError: The record is too short.
    """
    if len(record) < layout.TREE_RECORD.size:
        raise RecordError(
            f"a tree record of {len(record)} bytes; expected at least {layout.TREE_RECORD.size}"
        )
    _kind, pid, start_ns = layout.TREE_RECORD.unpack_from(record)[:3]
    return pid, start_ns


def decode_tree(
    record: bytes, duration_ns: int, period_ns: int, names: Callable[[int], Names | None]
) -> CallTree:
    """Return the call tree in a tree_record.

    Args:
        record: Its bytes; a ring buffer may have padded them at the end.
        duration_ns: Of the request, ns.
        period_ns: Between two ticks, ns.
        names: Names of a symbol, None if they are not known.

    Raises:
        RecordError: The record is too short or contradicts itself.
    """
    tree_key(record)
    _, _, _, walk_ns, walks, cut, count, _ = layout.TREE_RECORD.unpack_from(record)
    end = layout.TREE_RECORD.size + count * layout.TREE_NODE.size
    if not 1 <= count <= layout.TREE_NODES or len(record) < end:
        raise RecordError(f"a tree record of {len(record)} bytes with {count} nodes")
    raw = list(layout.TREE_NODE.iter_unpack(record[layout.TREE_RECORD.size : end]))
    tick_ns = _tick_ns(duration_ns, period_ns, sum(node[3] for node in raw), sum(node[1] for node in raw))

    merged: dict[tuple[int, Frame], int] = {}
    times: list[Totals] = []
    # Where each of the kernel's nodes went. Node 0 is what found no room.
    places: list[int] = [NO_PARENT]
    for index, (symbol, off_ns, line, ticks, waits, parent) in enumerate(raw[1:], start=1):
        if parent != layout.NO_PARENT and not 0 < parent < index:
            raise RecordError(f"node {index} of a tree has the parent {parent}")
        above = NO_PARENT if parent == layout.NO_PARENT else places[parent]
        frame = _frame(names(symbol), line, is_root=above == NO_PARENT)
        # Two closures are two functions to PHP, and one place to a reader.
        place = merged.setdefault((above, frame), len(times))
        if place == len(times):
            times.append(Totals())
        sofar = times[place]
        times[place] = Totals(sofar.on_ns + int(ticks * tick_ns), sofar.off_ns + off_ns, sofar.waits + waits)
        places.append(place)
    nodes = tuple(
        Node(frame, above, spent.on_ns, spent.off_ns, spent.waits)
        for (above, frame), spent in zip(merged, times, strict=True)
    )
    _, off_ns, _, ticks, waits, _ = raw[0]
    other = Totals(int(ticks * tick_ns), off_ns, waits)
    return CallTree(
        duration_ns=duration_ns, nodes=nodes, other=other, cut_stacks=cut, walks=walks, walk_ns=walk_ns
    )


def _tick_ns(duration_ns: int, period_ns: int, ticks: int, off_ns: int) -> float:
    """Return what one tick stands for, ns: the time on the processor is what is left of the duration."""
    if not ticks:
        return 0.0
    return min(max(0, duration_ns - off_ns) / ticks, _PERIODS_MAX * period_ns)


def _frame(names: Names | None, line: int, *, is_root: bool) -> Frame:
    if names is None:
        return Frame(UNKNOWN, "", 0)
    if names.function:
        name = f"{names.scope}::{names.function}" if names.scope else names.function
    elif names.type == _EVAL:
        name = "eval"
    elif names.file:
        name = "{main}" if is_root else "include"
    else:
        name = UNKNOWN
    return Frame(name, names.file, line)
