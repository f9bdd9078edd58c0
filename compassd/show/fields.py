"""Take single values out of a JSON document that may hold anything: checked, bounded, and safe to print.

What is needed raises KeyError, TypeError or ValueError if it is not there or is something else, which part()
turns into an error for people. What may be missing has a value that says so.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, TypeVar

from compassd.calltree import Frame, Totals
from compassd.show.source import InputError, reason
from compassd.text import clean_text, shorten

MAX_NUMBER = 2**63 - 1
"""More than any time in ns or count that is told."""

_MAX_TEXT = 1_000  # characters of one name, path, URI or statement

_Read = TypeVar("_Read")


def part(document: Mapping[str, Any], name: str, place: str, read: Callable[[Any], _Read]) -> _Read | None:
    """Return what read makes of a part of a document, None if the document does not have it.

    Args:
        document: The document.
        name: Of the part.
        place: Where the document is, for the error.
        read: Raises KeyError, TypeError, ValueError or OverflowError if the part is not what it should be.

    Raises:
        InputError: The part cannot be read.
    """
    value = document.get(name)
    if value is None:
        return None
    try:
        return read(value)
    except (KeyError, TypeError, ValueError, OverflowError) as error:
        raise InputError(f'the "{name}" of {place} cannot be read: {reason(error)}') from error


def items(value: object, most: int) -> list[Any]:
    """Return the value if it is a list with at most so many elements."""
    if not isinstance(value, list) or len(value) > most:
        raise TypeError("not a list, or too long")
    return value


def frame(item: Mapping[str, Any]) -> Frame:
    """Return the place in the code that an object names."""
    return safe_frame(Frame(str(item["function"]), str(item["file"]), amount(item, "line")))


def times(item: Mapping[str, Any]) -> Totals:
    """Return the times and waits of an object."""
    return Totals(amount(item, "on_cpu_ns"), amount(item, "off_cpu_ns"), amount(item, "waits"))


def amount(item: Mapping[str, Any], name: str) -> int:
    """Return a whole number, 0 to MAX_NUMBER."""
    found = int(item[name])
    if not 0 <= found <= MAX_NUMBER:
        raise ValueError(f"{name} is negative or too large")
    return found


def waited_for(item: Mapping[str, Any]) -> str:
    """Return what was waited for, "" if it is not known."""
    return safe(str(item.get("waited_for", "")))


def text(document: Mapping[str, Any], name: str) -> str:
    """Return a text, "" if there is none."""
    value = document.get(name)
    return safe(value) if isinstance(value, str) else ""


def number(document: Mapping[str, Any], name: str) -> int | None:
    """Return a whole number, 0 to MAX_NUMBER; None if there is none."""
    value = document.get(name)
    if not isinstance(value, int) or isinstance(value, bool):
        return None
    return value if 0 <= value <= MAX_NUMBER else None


def safe_frame(unsafe: Frame) -> Frame:
    """Return a place in the code with names that can be printed."""
    return Frame(safe(unsafe.function), safe(unsafe.file), unsafe.line)


def safe(unsafe: str) -> str:
    """Return a text that can be printed on one line of a terminal, cut to a length nobody needs."""
    return clean_text(shorten(unsafe, _MAX_TEXT))
