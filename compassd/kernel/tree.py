"""From a tree_record of the kernel to the call tree of a request. Pure, but for the names it is given."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Protocol

from compassd.calltree import NO_PARENT, CallTree, Frame, Node, Totals
from compassd.errors import RecordError
from compassd.kernel import layout
from compassd.kernel.texts import RawText

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


@dataclass(frozen=True, slots=True)
class TreeReader:
    """Turns tree_records into call trees.

    Args:
        period_ns: Between two ticks of the sampler, ns.
        names: Names of a symbol, None if they are not known.
        show_text: What may be told of what was waited for, given class and name of the internal function.
    """

    period_ns: int
    names: Callable[[int], Names | None]
    show_text: Callable[[str, str, RawText], str]

    def read(self, record: bytes, duration_ns: int, texts: Mapping[int, RawText]) -> CallTree:
        """Return the call tree in a tree_record.

        Args:
            record: Its bytes; a ring buffer may have padded them at the end.
            duration_ns: Of the request, ns.
            texts: What was waited for, by the index of the kernel's node.

        Raises:
            RecordError: The record is too short or contradicts itself.
        """
        if len(record) < layout.TREE_RECORD.size:
            raise RecordError(f"a tree record of {len(record)} bytes; expected {layout.TREE_RECORD.size}")
        _, _, _, walk_ns, walks, cut, count, _waits, last = layout.TREE_RECORD.unpack_from(record)
        end = layout.TREE_RECORD.size + count * layout.TREE_NODE.size
        if not 1 <= count <= layout.TREE_NODES or len(record) < end or last >= count:
            raise RecordError(f"a tree record of {len(record)} bytes with {count} nodes")
        raw = list(layout.TREE_NODE.iter_unpack(record[layout.TREE_RECORD.size : end]))
        on_ticks, off_ns = sum(node[3] for node in raw), sum(node[1] for node in raw)
        tick_ns = _tick_ns(duration_ns, self.period_ns, on_ticks, off_ns)

        merged: dict[tuple[int, Frame], _Growing] = {}
        # Where each of the kernel's nodes went. Node 0 is what found no room.
        places: list[int] = [NO_PARENT]
        for index, (symbol, off_ns, line, ticks, waits, parent) in enumerate(raw[1:], start=1):
            if parent != layout.NO_PARENT and not 0 < parent < index:
                raise RecordError(f"node {index} of a tree has the parent {parent}")
            above = NO_PARENT if parent == layout.NO_PARENT else places[parent]
            names = self.names(symbol)
            frame = _frame(names, line, is_root=above == NO_PARENT)
            # Two closures are two functions to PHP, and one place to a reader.
            node = merged.setdefault((above, frame), _Growing(len(merged)))
            node.on_ns += int(ticks * tick_ns)
            node.off_ns += off_ns
            node.waits += waits
            if names and index in texts:
                node.offer(names, texts[index])
            places.append(node.index)
        nodes = tuple(
            Node(frame, above, node.on_ns, node.off_ns, node.waits, self._shown(node))
            for (above, frame), node in merged.items()
        )
        _, off_ns, _, ticks, waits, _ = raw[0]
        return CallTree(
            duration_ns=duration_ns,
            nodes=nodes,
            other=Totals(int(ticks * tick_ns), off_ns, waits),
            cut_stacks=cut,
            walks=walks,
            walk_ns=walk_ns,
            last=places[last],
        )

    def _shown(self, node: _Growing) -> str:
        if node.names is None or node.text is None:
            return ""
        return self.show_text(node.names.scope, node.names.function, node.text)


@dataclass(slots=True)
class _Growing:
    index: int
    on_ns: int = 0
    off_ns: int = 0
    waits: int = 0
    names: Names | None = None
    text: RawText | None = None

    def offer(self, names: Names, text: RawText) -> None:
        """Take the text if it is that of a longer wait."""
        if self.text is None or text.longest_ns > self.text.longest_ns:
            self.names, self.text = names, text


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
