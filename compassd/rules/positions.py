"""Where in a TOML document each key and value stands.

tomllib gives values without positions. This scanner gives positions without values, for documents that
tomllib has accepted: it relies on their being valid, and checks nothing. Its key paths are the places in
tomllib's result, so ("rule", 0, "budget", "duration") is document["rule"][0]["budget"]["duration"].
"""

from __future__ import annotations

import re
import tomllib
from bisect import bisect_right
from collections.abc import Mapping
from dataclasses import dataclass

KeyPath = tuple[str | int, ...]


@dataclass(frozen=True, slots=True, order=True)
class Place:
    """A place in a text, both numbers from 1; columns count characters."""

    line: int
    column: int


@dataclass(frozen=True, slots=True)
class Position:
    """Where a key and its value begin.

    An element of an array has no key of its own: both are its value's place. A table made by a header, or by
    the dots of a key, has no value of its own: both are the place of its name.
    """

    key: Place
    value: Place


def scan(text: str) -> dict[KeyPath, Position]:
    """Return the position of every key, table and array element of a valid TOML document.

    A table mentioned more than once has the position of the first mention.

    Raises:
        RecursionError: Arrays are nested too deeply. For a document that tomllib refuses, anything may be
            returned or raised.
    """
    return _Scanner(text).scan()


def locate(positions: Mapping[KeyPath, Position], path: KeyPath) -> Position | None:
    """Return the position of path, or of the nearest table or array around it that has one.

    Where a list may be written as its only element, without brackets, a path may go through index 0 of it.
    """
    found: KeyPath = ()
    for part in path:
        if (*found, part) in positions:
            found = (*found, part)
        elif part != 0:
            break
    return positions.get(found)


_SPACE = re.compile(r"[ \t]*")
# Between statements and inside of arrays: also line ends and comments.
_BLANK = re.compile(r"(?:[ \t\r\n]|#[^\n]*)*")
_KEY = re.compile(r"""[A-Za-z0-9_-]+|"(?:[^"\\]|\\.)*"|'[^']*'""")
# Up to two quotes may stand directly before the three that end a multi-line string. A scalar that is no
# string ends where its surroundings go on; a date may contain a space.
_SCALAR = re.compile(
    r'''"""[^"\\]*(?:(?:\\.|"(?!""))[^"\\]*)*""""{0,2}'''
    r"""|\'\'\'.*?\'\'\'\'{0,2}"""
    r'''|"(?:[^"\\]|\\.)*"'''
    r"""|'[^']*'"""
    r"""|[^,\]}#\n]+""",
    re.DOTALL,
)


class _Scanner:
    """One pass over one document."""

    def __init__(self, text: str) -> None:
        self._text = text
        self._at = 0
        self._line_starts = [0, *(found.end() for found in re.finditer("\n", text))]
        self._positions: dict[KeyPath, Position] = {}
        self._lengths: dict[KeyPath, int] = {}
        """How many elements each array of tables has so far."""

    def scan(self) -> dict[KeyPath, Position]:
        table: KeyPath = ()
        self._skip(_BLANK)
        while self._at < len(self._text):
            if self._text[self._at] == "[":
                table = self._header()
            else:
                self._key_and_value(table)
            self._skip(_BLANK)
        return self._positions

    def _header(self) -> KeyPath:
        """Take a [table] or [[array of tables]] and return the path of the table it opens."""
        brackets = 2 if self._text.startswith("[[", self._at) else 1
        self._at += brackets
        *outer, (name, start) = self._dotted_key()
        self._at += brackets
        path: KeyPath = ()
        for part, part_start in outer:
            path = self._mention((*path, part), part_start)
            if path in self._lengths:
                path = (*path, self._lengths[path] - 1)
        path = self._mention((*path, name), start)
        if brackets == 1:
            return path
        count = self._lengths.get(path, 0)
        self._lengths[path] = count + 1
        return self._mention((*path, count), start)

    def _key_and_value(self, table: KeyPath) -> None:
        *outer, (name, start) = self._dotted_key()
        for part, part_start in outer:
            table = self._mention((*table, part), part_start)
        self._at += 1  # "="
        self._skip(_SPACE)
        path = (*table, name)
        self._positions[path] = Position(key=self._place(start), value=self._place(self._at))
        self._value(path)

    def _value(self, path: KeyPath) -> None:
        opening = self._text[self._at]
        if opening == "[":
            self._array(path)
        elif opening == "{":
            self._inline_table(path)
        else:
            self._skip(_SCALAR)

    def _array(self, path: KeyPath) -> None:
        count = 0
        self._step()
        while self._text[self._at] != "]":
            self._value(self._mention((*path, count), self._at))
            count += 1
            self._comma()
        self._at += 1

    def _inline_table(self, path: KeyPath) -> None:
        self._step()
        while self._text[self._at] != "}":
            self._key_and_value(path)
            self._comma()
        self._at += 1

    def _comma(self) -> None:
        """Take what separates two elements."""
        self._skip(_BLANK)
        if self._text[self._at] == ",":
            self._step()

    def _step(self) -> None:
        """Take one character and the blanks after it."""
        self._at += 1
        self._skip(_BLANK)

    def _dotted_key(self) -> list[tuple[str, int]]:
        """Take a key with the blanks around it; return its parts, each with the offset where it begins."""
        parts: list[tuple[str, int]] = []
        while not parts or self._text[self._at] == ".":
            self._at += bool(parts)
            self._skip(_SPACE)
            start = self._at
            self._skip(_KEY)
            parts.append((_name(self._text[start : self._at]), start))
            self._skip(_SPACE)
        return parts

    def _skip(self, pattern: re.Pattern[str]) -> None:
        found = pattern.match(self._text, self._at)
        if found is None:
            raise ValueError(f"not a TOML document at offset {self._at}")
        self._at = found.end()

    def _mention(self, path: KeyPath, offset: int) -> KeyPath:
        """Note the place of a path that has no value of its own, unless an earlier one is known."""
        if path not in self._positions:
            place = self._place(offset)
            self._positions[path] = Position(key=place, value=place)
        return path

    def _place(self, offset: int) -> Place:
        line = bisect_right(self._line_starts, offset)
        return Place(line=line, column=offset - self._line_starts[line - 1] + 1)


def _name(written: str) -> str:
    """Return the name that a part of a key stands for: without quotes, escapes replaced."""
    if written[0] == '"' and "\\" in written:
        return str(tomllib.loads(f"name = {written}")["name"])
    return written[1:-1] if written[0] in "\"'" else written
