"""Find the JSON object of one breach in a file: the only one, the last of JSON Lines, or the one of an id.

An incident stands for the worst breach that it has, and for others by their ids.

The size is bounded, so that a wrong file is refused instead of filling the memory.
"""

from __future__ import annotations

import json
from typing import Any, NoReturn

from compassd.errors import CompassError
from compassd.incident_document import INCIDENT_TYPE
from compassd.text import clean_text, shorten
from compassd.units import quoted

MAX_BYTES = 64 * 2**20
"""Of the whole input, bytes: thousands of breaches."""

WHOLE = "the input"
"""What an error calls the place of a document that is all of the input."""

_SHOWN_REASON = 200


class InputError(CompassError):
    """What was given to be shown is no breach document."""


def find_document(raw: bytes, breach_id: str | None = None) -> tuple[dict[str, Any], str]:
    """Return the breach in the input, the last one in a JSON Lines file, and what to call its place.

    Args:
        raw: The input, UTF-8.
        breach_id: The breach's id or the beginning of it, to have that one instead of the last.

    Raises:
        InputError: There is none, or it cannot be read; the message says where.
    """
    if len(raw) > MAX_BYTES:
        raise InputError(
            f"the input is larger than {MAX_BYTES // 2**20} MiB",
            hint="give one breach of it: tail -n 1 FILE | compassd show -",
        )
    parts = _parts(raw.decode("utf-8-sig", "replace"))
    if breach_id is None:
        place, text = parts[-1]
        return _breaches(load_object(text, place), place)[0]
    # Only those lines are parsed that can be it; a later one of the same id is the same breach, sent again.
    found: dict[str, tuple[dict[str, Any], str]] = {}
    for place, text in parts:
        if breach_id in text:
            for breach in _breaches(load_object(text, place), place):
                found_id = str(breach[0].get("id", ""))
                if found_id.startswith(breach_id):
                    found[found_id] = breach
    if not found:
        raise InputError(f"there is no breach with the id {quoted(breach_id)} in the input")
    if len(found) > 1 and breach_id not in found:
        raise InputError(
            f"{len(found)} breaches have an id that begins with {quoted(breach_id)}",
            hint="give more of the id",
        )
    return found.get(breach_id) or next(iter(found.values()))


def reason(error: Exception) -> str:
    """Return what is wrong, safe for a terminal: the error may quote the input."""
    return shorten(clean_text(str(error)), _SHOWN_REASON) or type(error).__name__


def _breaches(document: dict[str, Any], place: str) -> list[tuple[dict[str, Any], str]]:
    """Return an incident's breaches, worst first, or else the document; and what to call their places."""
    if document.get("type") != INCIDENT_TYPE:
        return [(document, place)]
    exemplars = document.get("exemplars")
    if (
        not isinstance(exemplars, list)
        or not exemplars
        or not all(isinstance(one, dict) for one in exemplars)
    ):
        raise InputError(f'{place} is not an incident: it has no list of objects "exemplars"')
    return [(breach, f"breach {number} of {place}") for number, breach in enumerate(exemplars, 1)]


def _parts(text: str) -> list[tuple[str, str]]:
    """Return the text of each object in the input, at least one, and what to call its place in an error."""
    if not text.strip():
        raise InputError("the input is empty", hint="give a breach's JSON document, or a file of them")
    lines = [(f"line {number}", line) for number, line in enumerate(text.split("\n"), 1) if line.strip()]
    # Objects on lines of their own are JSON Lines; the first line of one object over many is not complete.
    return lines if len(lines) > 1 and _is_object(lines[0][1]) else [(WHOLE, text)]


def _is_object(text: str) -> bool:
    try:
        return isinstance(_json(text), dict)
    except (ValueError, RecursionError):
        return False


def _json(text: str) -> object:
    # Python would take NaN and Infinity, which are no JSON and no times.
    return json.loads(text, parse_constant=_refuse_constant)


def _refuse_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is not JSON")


def load_object(text: str, place: str) -> dict[str, Any]:
    """Return the JSON object that text is.

    Args:
        text: The text.
        place: Where it is, for the error.

    Raises:
        InputError: It is none.
    """
    try:
        value = _json(text)
    except json.JSONDecodeError as error:
        at = f"line {error.lineno}, column {error.colno}" if place == WHOLE else f"column {error.colno}"
        raise InputError(
            f"{place} is not JSON: {error.msg} ({at})",
            hint="a line that is cut off was probably not written to its end",
        ) from None
    except (ValueError, RecursionError) as error:
        raise InputError(f"{place} is not JSON: {reason(error)}") from None
    if not isinstance(value, dict):
        raise InputError(
            f"{place} is not a JSON object", hint="give one object, or one a line; not a list of them"
        )
    return value
