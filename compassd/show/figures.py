"""Shares, times and counts as all tables of the terminal have them: in colour, blank if there are none."""

from __future__ import annotations

from rich.text import Text

from compassd.calltree import Totals
from compassd.show.names import percent
from compassd.units import format_duration

ON_STYLE, OFF_STYLE = "dark_orange", "dodger_blue1"  # readable on light and on dark


def share(part_ns: int, whole_ns: int) -> Text:
    """Return part of whole in per cent; what is much stands out."""
    found = part_ns / whole_ns if whole_ns else 0.0
    style = "bold red" if found >= 0.5 else "yellow" if found >= 0.1 else ""  # noqa: PLR2004 - half, a tenth
    return Text(percent(part_ns, whole_ns), style)


def on_cpu(times: Totals) -> Text:
    """Return the time on the processor."""
    return Text(format_duration(times.on_ns) if times.on_ns else "", ON_STYLE)


def waiting(times: Totals) -> Text:
    """Return the time off the processor."""
    return Text(format_duration(times.off_ns) if times.off_ns else "", OFF_STYLE)


def waits(times: Totals) -> Text:
    """Return the number of waits."""
    return Text(str(times.waits) if times.waits else "")
