"""The pieces of a masked SQL text, and its lists made as short as they can be.

The same statement must give the same text however many values it has: IN (?, ?, ?) becomes IN (?), and of
several rows of VALUES the first one stays.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import Enum, auto
from typing import NamedTuple

# What a list of any length follows: a IN (1, 2), FIELD(a, 1, 2), ARRAY[1, 2].
_LISTS = ("IN", "FIELD", "ARRAY")
_ROWS = ("VALUES", "VALUE")
_OPEN, _CLOSE = ("(", "["), (")", "]")


class Kind(Enum):
    """What a piece is."""

    BLANK = auto()
    KEYWORD = auto()
    NAME = auto()
    MARK = auto()
    """An operator or punctuation."""
    VALUE = auto()
    """What was a literal, or a placeholder."""


class Piece(NamedTuple):
    """A part of a masked text."""

    kind: Kind
    text: str

    def is_word(self, *words: str) -> bool:
        """Whether it, or its last word as in NOT IN, is one of those given in capitals."""
        return self.kind in (Kind.KEYWORD, Kind.NAME) and self.text.upper().rpartition(" ")[2] in words

    def is_mark(self, *marks: str) -> bool:
        """Whether it is one of those marks."""
        return self.kind is Kind.MARK and self.text in marks


BLANK = Piece(Kind.BLANK, " ")
VALUE = Piece(Kind.VALUE, "?")
_NOTHING = Piece(Kind.BLANK, "")


def last(pieces: list[Piece]) -> Piece:
    """Return the last piece that is not blank; an empty one if there is none."""
    return next((piece for piece in reversed(pieces) if piece.kind is not Kind.BLANK), _NOTHING)


@dataclass(slots=True)
class _Group:
    """What an open bracket holds.

    Attributes:
        is_list: Whether it is a list of any length.
        is_row: Whether it is the first of several rows.
        begin: Where its current element begins.
        previous: Its previous element.
        end: Where that ends.
    """

    is_list: bool
    is_row: bool
    begin: int
    previous: list[Piece] = field(default_factory=list)
    end: int = 0


def shorten_lists(pieces: list[Piece]) -> list[Piece]:
    """Leave one element of every list whose length may differ from one call to the next.

    Args:
        pieces: Those of a statement, or of its beginning: the last list may be open.
    """
    shortener = _Shortener()
    for piece in pieces:
        shortener.add(piece)
    return shortener.end()


class _Shortener:
    """The work of shorten_lists."""

    def __init__(self) -> None:
        self._short: list[Piece] = []
        self._groups: list[_Group] = []
        # Where the first row ends, while only blanks and commas follow; and the brackets open in another row.
        self._row_end: int | None = None
        self._open_in_row = 0

    def add(self, piece: Piece) -> None:
        if self._is_in_next_row(piece):
            return
        short, groups = self._short, self._groups
        closed = None
        if piece.is_mark(*_OPEN):
            before = last(short)
            groups.append(_Group(before.is_word(*_LISTS), before.is_word(*_ROWS), len(short) + 1))
        elif piece.is_mark(*_CLOSE) and groups:
            closed = groups.pop()
            self._end_element(closed)
        elif piece.is_mark(",") and groups:
            self._end_element(groups[-1])
            groups[-1].begin = len(short) + 1
        elif piece.is_word("SELECT", "WITH") and groups and last(short).is_mark("("):
            groups[-1].is_list = False
        elif piece.kind is Kind.VALUE and groups and groups[-1].is_list:
            # A list of placeholders has their numbers in it.
            piece = VALUE
        short.append(piece)
        if closed and closed.is_row:
            self._row_end = len(short)

    def end(self) -> list[Piece]:
        if self._groups:
            self._end_element(self._groups[-1])
        return self._short

    def _is_in_next_row(self, piece: Piece) -> bool:
        """Leave out what belongs to a second row, a third one and so on, with the comma before it."""
        if self._open_in_row:
            self._open_in_row += piece.is_mark(*_OPEN) - piece.is_mark(*_CLOSE)
            return True
        if self._row_end is None or piece.kind is Kind.BLANK or piece.is_mark(","):
            return False
        if piece.is_mark("(") and last(self._short).is_mark(","):
            del self._short[self._row_end :]
            self._open_in_row = 1
            return True
        self._row_end = None
        return False

    def _end_element(self, group: _Group) -> None:
        """Leave the current element of a list out if it is like the previous one."""
        if not group.is_list:
            return
        short = self._short
        begin, end = group.begin, len(short)
        while begin < end and short[begin].kind is Kind.BLANK:
            begin += 1
        while end > begin and short[end - 1].kind is Kind.BLANK:
            end -= 1
        element = short[begin:end]
        if element and element == group.previous:
            del short[group.end : end]
        else:
            group.previous, group.end = element, end
