"""The places in which a request spent its time, over all paths, in the terminal: itself, and waiting."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from rich.console import Console
from rich.padding import Padding
from rich.text import Text

from compassd.calltree import Frame, Totals, WaitPlace
from compassd.show.figures import on_cpu, share, waiting, waits
from compassd.show.names import place
from compassd.show.rows import SMALL
from compassd.show.table import Line, Table
from compassd.text import ELLIPSIS

TOP_SELF = 5
"""How many places are shown in which most time was spent."""
TOP_WAITS = 8
"""How many places are shown that waited longest."""

_TEXT_LINES = 3  # of what was waited for


def top_self(found: Sequence[tuple[Frame, Totals]], duration_ns: int, root: str, width: int) -> list[Text]:
    """Return the lines of the places with most time in themselves; none if no time is worth it."""
    lines = [
        Line(
            figures=(share(times.all_ns, duration_ns), on_cpu(times), waiting(times)),
            name=frame.function,
            place=place(frame, root),
        )
        for frame, times in found[:TOP_SELF]
        if times.all_ns >= SMALL * duration_ns
    ]
    if not lines:
        return []
    table = Table(lines, width, ("share", "on CPU", "waiting"))
    return [Text("Most self time", "bold"), table.head(), *map(table.row, lines)]


def longest_waits(
    found: Sequence[WaitPlace], duration_ns: int, root: str, console: Console
) -> list[Text | Padding]:
    """Return the lines of the places that waited longest, each with what for; none if no wait is worth it."""
    shown = [place for place in found[:TOP_WAITS] if place.totals.off_ns >= SMALL * duration_ns]
    if not shown:
        return []
    lines = [
        Line(
            figures=(waiting(each.totals), waits(each.totals)),
            name=each.frame.function,
            place=place(each.frame, root),
        )
        for each in shown
    ]
    table = Table(lines, console.width, ("waiting", "waits"))
    parts: list[Text | Padding] = [Text("Longest waits", "bold"), table.head()]
    for line, each in zip(lines, shown, strict=True):
        parts.append(table.row(line))
        parts += [
            Padding(part, (0, 0, 0, table.indent))
            for part in _wrapped(each.waited_for, console.width - table.indent, console)
        ]
    return parts


def _wrapped(text: str, width: int, console: Console) -> Iterator[Text]:
    """Yield the text on some lines; the last one shows whether it goes on."""
    if not text or width < 1:
        return
    lines = Text(text).wrap(console, width, overflow="fold")
    for number, line in enumerate(lines[:_TEXT_LINES], start=1):
        line.rstrip()
        if number == _TEXT_LINES < len(lines):
            line.append(ELLIPSIS)
            line.truncate(width, overflow="ellipsis")
        yield line
