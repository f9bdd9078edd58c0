"""The call tree in the terminal."""

from __future__ import annotations

from rich.text import Text

from compassd.show.branches import Branch, Kind
from compassd.show.figures import on_cpu, share, waiting, waits
from compassd.show.names import percent, place
from compassd.show.rows import Row, rows
from compassd.show.table import Line, Table
from compassd.text import ELLIPSIS
from compassd.units import format_duration

_WIDE = 100  # columns from which there is room for time in the function itself


def tree_table(branch: Branch, hot_length: int, root: str, width: int) -> list[Text]:
    """Return the lines of a request's calls, with a head; hot_length is how many calls the hot path has."""
    wide = width >= _WIDE
    heads = ["share", "self", "on CPU", "waiting", "waits"]
    lines = [_line(row, branch.all_ns, root, wide=wide) for row in rows(branch, hot_length)]
    table = Table(lines, width, tuple(heads if wide else heads[:1] + heads[2:]))
    return [table.head(), *map(table.row, lines)]


def _line(row: Row, whole_ns: int, root: str, *, wide: bool) -> Line:
    times = on_cpu(row.times), waiting(row.times), waits(row.times)
    own = (Text(percent(row.own_ns, whole_ns) if row.own_ns else ""),) if wide else ()
    return Line(
        figures=(share(row.all_ns, whole_ns), *own, *times),
        guide=row.guide,
        name=_name(row),
        style=_style(row),
        place=place(row.branch.frame, root) if row.branch else "",
        waited_for=row.branch.waited_for if row.branch else "",
    )


def _style(row: Row) -> str:
    if row.branch is None or not row.branch.is_call:
        return "" if row.branch and row.branch.kind is Kind.REQUEST else "dim"
    return "bold" if row.hot else ""


def _name(row: Row) -> str:
    if row.branch is None:
        return f"{ELLIPSIS} {row.hidden} more"
    if row.branch.kind is Kind.UNATTRIBUTED:
        return f"{row.branch.name} {format_duration(row.all_ns)}"
    return row.branch.name
