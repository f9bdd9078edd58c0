"""Render data as TOML. Without Ansible, so that it can be tested as a pure function."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from datetime import date, datetime, time, timedelta
from typing import Any

_BARE_KEY = re.compile(r"[A-Za-z0-9_-]+")
_ESCAPED = re.compile(r'["\\\x00-\x1f\x7f]')
_SHORT_ESCAPES = {
    '"': '\\"',
    "\\": "\\\\",
    "\b": "\\b",
    "\t": "\\t",
    "\n": "\\n",
    "\f": "\\f",
    "\r": "\\r",
}
# What every reader of TOML has to take.
_INT_MIN, _INT_MAX = -(2**63), 2**63 - 1


class TomlError(ValueError):
    """Something has no place in TOML. The message says where and what to do, and never shows a value."""


def render(document: Any) -> str:  # noqa: ANN401 - whatever somebody wrote into a variable
    """Return a TOML document, in the order of the mapping as far as TOML allows it.

    Mappings become tables and lists of mappings arrays of tables, with a line for each key, so that the
    difference between two documents is easy to read.

    Raises:
        TomlError: Something in it cannot be written as TOML.
    """
    if not isinstance(document, Mapping):
        raise TomlError("the document is not a mapping")
    return "\n".join("".join(f"{line}\n" for line in block) for block in _blocks(document, "", "", ""))


def _blocks(table: Mapping[Any, Any], name: str, where: str, header: str) -> list[list[str]]:
    """Return the lines of a table, and of every table in it.

    Args:
        table: The table.
        name: What it is called in headers: its dotted key.
        where: What it is called in errors, which tell the tables of an array apart.
        header: The line that begins it; "" for the document.
    """
    lines: list[str] = []
    inner: list[list[str]] = []
    for raw_key, value in table.items():
        key = _key(raw_key, where)
        full = f"{name}.{key}" if name else key
        place = f"{where}.{key}" if where else key
        if isinstance(value, Mapping):
            inner += _blocks(value, full, place, f"[{full}]")
        elif _is_array_of_tables(value):
            for number, item in enumerate(value, start=1):
                inner += _blocks(item, full, f"{place} number {number}", f"[[{full}]]")
        else:
            lines.append(f"{key} = {_inline(value, place)}")
    # A table that only holds tables is there by their names; one of an array is not.
    if inner and not lines and not header.startswith("[["):
        return inner
    return [[header, *lines] if header else lines, *inner]


def _is_array_of_tables(value: object) -> bool:
    if not isinstance(value, (list, tuple)) or not value:
        return False
    return all(isinstance(item, Mapping) for item in value)


def _inline(value: object, where: str) -> str:
    """Return a value as it is written behind its key."""
    if isinstance(value, (list, tuple)):
        return "[" + ", ".join(_inline(item, where) for item in value) + "]"
    if isinstance(value, Mapping):
        pairs = [f"{_key(key, where)} = {_inline(item, f'{where}.{key}')}" for key, item in value.items()]
        return "{ " + ", ".join(pairs) + " }" if pairs else "{}"
    return _scalar(value, where)


def _scalar(value: object, where: str) -> str:
    if isinstance(value, str):
        return _text(value, where)
    # A bool is an int to Python, and a datetime a date.
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int):
        if not _INT_MIN <= value <= _INT_MAX:
            raise TomlError(f"{where}: the number has more than 64 bits")
        return format(value, "d")
    if isinstance(value, float):
        return float.__repr__(value) if math.isfinite(value) else _not_finite(value)
    if isinstance(value, (datetime, date, time)):
        return _moment(value, where)
    if value is None:
        raise TomlError(f"{where}: TOML has no null; leave the key out")
    raise TomlError(f"{where}: TOML has nothing for a value of type {type(value).__name__}")


def _not_finite(value: float) -> str:
    if math.isnan(value):
        return "nan"
    return "inf" if value > 0 else "-inf"


def _moment(value: datetime | date | time, where: str) -> str:
    if isinstance(value, time) and value.tzinfo is not None:
        raise TomlError(f"{where}: TOML has no time with an offset; give the date, too")
    offset = value.utcoffset() if isinstance(value, datetime) else None
    if offset is not None and offset % timedelta(minutes=1):
        raise TomlError(f"{where}: the offset from UTC is not in whole minutes")
    return value.isoformat()


def _key(key: object, where: str) -> str:
    if not isinstance(key, str):
        raise TomlError(f"{where or 'the document'}: a key is not text; write it in quotes")
    return key if _BARE_KEY.fullmatch(key) else _text(key, where)


def _text(text: str, where: str) -> str:
    if any("\ud800" <= char <= "\udfff" for char in text):
        raise TomlError(f"{where}: the text is not valid Unicode")
    return '"' + _ESCAPED.sub(lambda found: _escape(found.group()), text) + '"'


def _escape(char: str) -> str:
    return _SHORT_ESCAPES.get(char, f"\\u{ord(char):04x}")
