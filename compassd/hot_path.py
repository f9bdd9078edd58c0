"""Where the time of a request went, in words: the hot path, its end, and what was waited for."""

from __future__ import annotations

from pathlib import PurePosixPath

from compassd.calltree import CallTree, Frame, Step, Totals, WaitPlace
from compassd.text import shorten
from compassd.units import format_duration

# From so much of the time on, it was all of one kind.
_MOSTLY = 0.8
# From so many waits at one place on, whoever reads it should think of a loop.
_LOOP_WAITS = 20
_PATH_PARTS = 2
# Of the duration: from so much on, waits at a place are worth a line.
_NOTABLE = 0.05
_WAIT_PLACES = 3
_TEXT = 200  # characters of what was waited for, in a line


def verdict(path: list[Step]) -> str:
    """Return one line, "" if nothing is known: "94% in PDO::query at src/Repo.php:42, waiting, 2 waits"."""
    if not path:
        return ""
    last = path[-1]
    text = f": {shorten(last.waited_for, _TEXT)}" if last.waited_for else ""
    return f"{percent(last.share)} in {last.frame.function}{at(last.place)}, {kind(last.totals)}{text}"


def notable_waits(tree: CallTree) -> list[WaitPlace]:
    """Return the places whose waits say more than the hot path: it is known for what, or they are many."""
    return [
        place
        for place in tree.wait_places(_WAIT_PLACES)
        if place.totals.off_ns >= _NOTABLE * tree.duration_ns
        and (place.waited_for or place.totals.waits >= _LOOP_WAITS)
    ]


def waits(totals: Totals) -> str:
    """Return how often and how long: "212 waits, 1.90 s"."""
    return f"{totals.waits} wait{'' if totals.waits == 1 else 's'}, {format_duration(totals.off_ns)}"


def last_seen(place: WaitPlace, waiting_ns: int | None) -> str:
    """Return one line: "waiting for 3.20 s in PDO::query at src/Repo.php:42: SELECT …"."""
    doing = "" if waiting_ns is None else f"waiting for {format_duration(waiting_ns)} "
    text = f": {shorten(place.waited_for, _TEXT)}" if place.waited_for and waiting_ns is not None else ""
    return f"{doing}in {place.frame.function}{at(place.frame)}{text}"


def kind(totals: Totals) -> str:
    """Return what kind of time it was: "CPU", "waiting, 3 waits", or the shares of both."""
    # Who never left the processor of its own accord had to make room for others.
    waited = "waiting for a processor"
    if totals.waits:
        waited = f"waiting, {totals.waits} wait{'' if totals.waits == 1 else 's'}"
        if totals.waits >= _LOOP_WAITS and totals.off_ns:
            waited += " (in a loop?)"
    share = totals.off_ns / totals.all_ns if totals.all_ns else 0.0
    if share >= _MOSTLY:
        return waited
    if share <= 1 - _MOSTLY:
        return "CPU"
    return f"{format_duration(totals.on_ns)} CPU, {format_duration(totals.off_ns)} {waited}"


def at(frame: Frame) -> str:
    """Return " at src/Repo.php:42", the end of the path only; "" for an unknown place."""
    if not frame.file:
        return ""
    short = "/".join(PurePosixPath(frame.file).parts[-_PATH_PARTS:]).replace("//", "/")
    return f" at {short}:{frame.line}" if frame.line else f" at {short}"


def percent(share: float) -> str:
    """Return a share of 0 to 1 as whole per cent."""
    return f"{round(share * 100)}%"
