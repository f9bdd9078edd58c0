"""The call tree as it is shown: nested, heaviest first, with all of the request's time in it. Pure.

What is not in the tree gets branches of its own, so that whatever is drawn from this adds up to the whole.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from enum import Enum, auto

from compassd.calltree import NO_PARENT, CallTree, Frame, Totals

_NONE = Totals()


class Kind(Enum):
    """What a branch stands for."""

    REQUEST = auto()
    """All of it."""
    CALL = auto()
    """A place in the code."""
    OTHER = auto()
    """Time that found no room in the tree."""
    UNATTRIBUTED = auto()
    """Time that nobody saw: neither on nor off the processor is known of it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Branch:
    """A call and everything it called.

    Attributes:
        kind: What it stands for.
        frame: Its function, and its place in the user's code: an internal function is where it is called.
        internal: Whether the function is one of PHP's own.
        own: Time in it itself, ns.
        below: Time in it and in everything it called, ns.
        all_ns: The same in one figure; in the request itself more, by what is unattributed.
        waited_for: For what it waited itself, in the longest of its waits; "" if it is not known.
        children: What it called, heaviest first.
    """

    kind: Kind = Kind.CALL
    frame: Frame
    internal: bool = False
    own: Totals = _NONE
    below: Totals = _NONE
    all_ns: int
    waited_for: str = ""
    children: tuple[Branch, ...] = ()

    @property
    def name(self) -> str:
        """What to call it."""
        return self.frame.function or "(unnamed)"

    @property
    def is_call(self) -> bool:
        """Whether it is a place in the code."""
        return self.kind is Kind.CALL

    @property
    def own_ns(self) -> int:
        """Time that is in none of its children, ns."""
        return self.all_ns - sum(child.all_ns for child in self.children)


def grow(tree: CallTree, title: str) -> Branch:
    """Return the whole request as a branch named title."""
    totals = tree.totals()
    below: dict[int, list[Branch]] = defaultdict(list)
    for index in range(len(tree.nodes) - 1, -1, -1):
        node = tree.nodes[index]
        branch = Branch(
            frame=tree.place(index),
            internal=not node.frame.file,
            own=Totals(node.on_ns, node.off_ns, node.waits),
            below=totals[index],
            all_ns=totals[index].all_ns,
            waited_for=node.waited_for,
            children=_heaviest_first(below.pop(index, [])),
        )
        below[node.parent].append(branch)
    attributed = tree.attributed()
    return Branch(
        kind=Kind.REQUEST,
        frame=Frame(title, "", 0),
        below=attributed,
        all_ns=attributed.all_ns + tree.unattributed_ns,
        children=(*_heaviest_first(below[NO_PARENT]), *_rest(tree)),
    )


def walk(root: Branch) -> Iterator[tuple[Branch, ...]]:
    """Yield the path to each branch below root, without root: callers first, then what is heaviest."""
    # Not recursive: a stack in PHP may be deeper than Python's own may become.
    pending: list[tuple[Branch, ...]] = [(child,) for child in reversed(root.children)]
    while pending:
        path = pending.pop()
        yield path
        pending.extend((*path, child) for child in reversed(path[-1].children))


def _heaviest_first(collected: list[Branch]) -> tuple[Branch, ...]:
    """Return branches that were collected from the last to the first; equals in the tree's order."""
    collected.reverse()
    collected.sort(key=lambda branch: -branch.all_ns)
    return tuple(collected)


def _rest(tree: CallTree) -> Iterator[Branch]:
    other, unattributed_ns = tree.other, tree.unattributed_ns
    if other.all_ns or other.waits:
        yield Branch(
            kind=Kind.OTHER, frame=Frame("(other)", "", 0), own=other, below=other, all_ns=other.all_ns
        )
    if unattributed_ns:
        frame = Frame("(unattributed)", "", 0)
        yield Branch(kind=Kind.UNATTRIBUTED, frame=frame, all_ns=unattributed_ns)
