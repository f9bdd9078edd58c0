"""The call tree as rows of a table: what is shown of it, in which order, and how it hangs together. Pure.

Stacks of PHP frameworks are deep and mostly straight, so only a fork is indented: where a function called
one thing worth showing, that follows below it at the same depth, marked by an arrow. A row without a mark was
called by nobody.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from compassd.calltree import Totals
from compassd.show.branches import Branch

SMALL = 0.01
"""Share of the request below which calls are counted instead of shown."""

_ARROW = "↳ "
_FORK, _FORK_ON = "├ ", "│ "
_LAST, _LAST_ON = "└ ", "  "


@dataclass(frozen=True, slots=True)
class Row:
    """One line of the tree.

    Attributes:
        guide: What is drawn before the name.
        branch: The call; None for several that are too small to show.
        hidden: How many those are.
        all_ns: Time in it and below, ns.
        own_ns: Time in it itself, ns; of several, all of it.
        times: Time in it and below by kind.
        hot: Whether it is on the hot path.
    """

    guide: str
    branch: Branch | None
    hidden: int
    all_ns: int
    own_ns: int
    times: Totals
    hot: bool


@dataclass(frozen=True, slots=True)
class _Pending:
    """A row to come.

    Attributes:
        row: The row.
        indent: What is drawn before those below it.
        depth: How many calls it is below the request.
    """

    row: Row
    indent: str
    depth: int


def rows(root: Branch, hot_length: int) -> list[Row]:
    """Return the rows, callers before what they call; hot_length is how many calls the hot path has."""
    found: list[Row] = []
    pending = [_Pending(_row("", root, hot=True), "", 0)]
    while pending:
        last = pending.pop()
        found.append(last.row)
        if last.row.branch is not None:
            hot = last.row.hot and last.depth < hot_length
            pending.extend(reversed(_below(last.row.branch, root, last, hot=hot)))
    return found


def _below(branch: Branch, root: Branch, parent: _Pending, *, hot: bool) -> list[_Pending]:
    """Return the rows directly below a branch; if hot, its heaviest child is on the hot path."""
    # What is not a call is always shown, however small: it is why the figures add up.
    children = [child for child in branch.children if child.all_ns or child.below.waits]
    least_ns = SMALL * root.all_ns
    big = [child for child in children if child.all_ns >= least_ns or not child.is_call]
    small = [child for child in children if child.all_ns < least_ns and child.is_call]
    shown = [_row("", child, hot=hot and index == 0) for index, child in enumerate(big)]
    if small and len(big) == 1 and branch is not root:
        # One thing worth showing: what is not is no reason to indent it.
        guides = [(_FORK, _FORK_ON), (_ARROW, "")]
        shown.insert(0, _hidden(small))
    else:
        shown += [_hidden(small)] if small else []
        guides = _guides(len(shown), is_root=branch is root)
    return [
        _Pending(replace(row, guide=parent.indent + guide), parent.indent + indent, parent.depth + 1)
        for row, (guide, indent) in zip(shown, guides, strict=True)
    ]


def _guides(count: int, *, is_root: bool) -> list[tuple[str, str]]:
    """Return for each of the rows below one what is drawn before it, and before those below it."""
    if is_root:
        return [("", "")] * count
    if count <= 1:
        return [(_ARROW, "")] * count
    return [(_FORK, _FORK_ON)] * (count - 1) + [(_LAST, _LAST_ON)]


def _row(guide: str, branch: Branch, *, hot: bool) -> Row:
    return Row(guide, branch, 0, branch.all_ns, branch.own_ns, branch.below, hot)


def _hidden(branches: list[Branch]) -> Row:
    times = Totals(
        sum(branch.below.on_ns for branch in branches),
        sum(branch.below.off_ns for branch in branches),
        sum(branch.below.waits for branch in branches),
    )
    return Row("", None, len(branches), times.all_ns, times.all_ns, times, hot=False)
