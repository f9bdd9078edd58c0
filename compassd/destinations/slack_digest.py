"""Many incidents as one Slack message."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from compassd.destinations.slack_text import (
    ICONS,
    QUIET_ICON,
    Block,
    code,
    context,
    envelope,
    header,
    section,
)
from compassd.destinations.slack_words import NAME, counted, named, period, spoken
from compassd.notice import DigestLine, DigestNotice, DigestReason, Happening
from compassd.units import format_duration

# A section has 3,000 characters.
_LINES = 5

_REASONS = {
    DigestReason.STORM: "There were too many incidents at once for a message each.",
    DigestReason.OUTAGE: "No message could be delivered for a while. This is what happened since.",
}


def digest_payload(notice: DigestNotice) -> dict[str, Any]:
    """Return the message about many incidents."""
    title = f"{counted(notice.incidents, 'incident')}, {counted(notice.new_hits, 'request')} over budget"
    worst = f" Worst: {spoken(notice.lines[0].key)}." if notice.lines else ""
    return envelope(
        f"{title}. {_REASONS[notice.reason]}{worst}",
        [
            header(f"{ICONS[notice.severity]} {title}"),
            section(_REASONS[notice.reason]),
            *_lines(notice),
            *_dropped(notice),
            context([f"server {code(notice.server, NAME)}", period(notice.since, notice.until)]),
        ],
    )


def _lines(notice: DigestNotice) -> Iterator[Block]:
    lines = [_line(line) for line in notice.lines]
    if more := notice.incidents - len(lines):
        lines.append(f"and {more:,} more")
    for first in range(0, len(lines), _LINES):
        yield section("\n".join(lines[first : first + _LINES]))


def _line(line: DigestLine) -> str:
    figures = line.figures
    quiet = line.happening is Happening.CLOSED
    icon = QUIET_ICON if quiet else ICONS[line.severity]
    before = "" if figures.hits == figures.new_hits else f" ({figures.hits:,} in all)"
    where = f" in {code(line.key.function, NAME)}" if line.key.function else ""
    return (
        f"{icon} {named(line.key)}: {counted(figures.new_hits, 'request')}{before}, "
        f"longest {format_duration(figures.max_ns)}{where}{', quiet now' if quiet else ''}"
    )


def _dropped(notice: DigestNotice) -> list[Block]:
    if not notice.dropped:
        return []
    dropped = counted(notice.dropped, "request")
    return [section(f"*Dropped*: {dropped} over budget could not be kept for a message, only counted.")]
