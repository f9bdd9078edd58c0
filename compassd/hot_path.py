"""Where the time of a request went, in words: the hot path and its culprit."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import PurePosixPath

from compassd.calltree import Frame, Step, Totals
from compassd.units import format_duration

# From so much of the time on, it was all of one kind.
_MOSTLY = 0.8
# From so many waits at one place on, whoever reads it should think of a loop.
_LOOP_WAITS = 20
_PATH_PARTS = 2


@dataclass(frozen=True, slots=True)
class Culprit:
    """The end of the hot path.

    Attributes:
        frame: The function, with the file and line of the user's code that it is in or was called from.
        totals: Time in it and below.
        share: Of the request's duration, 0 to 1.
    """

    frame: Frame
    totals: Totals
    share: float


def culprit(path: list[Step]) -> Culprit | None:
    """Return where a hot path ends; None if there is no path."""
    if not path:
        return None
    last = path[-1]
    frame = last.frame
    for step in reversed(path[:-1]):
        if frame.file:
            break
        frame = Frame(frame.function, step.frame.file, step.frame.line)
    return Culprit(frame, last.totals, last.share)


def verdict(path: list[Step]) -> str:
    """Return one line, "" if nothing is known: "94% in PDO::query at src/Repo.php:42, waiting, 2 waits"."""
    found = culprit(path)
    if found is None:
        return ""
    return f"{percent(found.share)} in {found.frame.function}{at(found.frame)}, {kind(found.totals)}"


def kind(totals: Totals) -> str:
    """Return what kind of time it was: "CPU", "waiting, 3 waits", or the shares of both."""
    waits = ""
    if totals.waits:
        waits = f", {totals.waits} wait{'' if totals.waits == 1 else 's'}"
        if totals.waits >= _LOOP_WAITS and totals.off_ns:
            waits += " (in a loop?)"
    waiting = totals.off_ns / totals.all_ns if totals.all_ns else 0.0
    if waiting >= _MOSTLY:
        return f"waiting{waits}"
    if waiting <= 1 - _MOSTLY:
        return "CPU"
    return f"{format_duration(totals.on_ns)} CPU, {format_duration(totals.off_ns)} waiting{waits}"


def at(frame: Frame) -> str:
    """Return " at src/Repo.php:42", the end of the path only; "" for an unknown place."""
    if not frame.file:
        return ""
    short = "/".join(PurePosixPath(frame.file).parts[-_PATH_PARTS:]).replace("//", "/")
    return f" at {short}:{frame.line}" if frame.line else f" at {short}"


def percent(share: float) -> str:
    """Return a share of 0 to 1 as whole per cent."""
    return f"{round(share * 100)}%"
