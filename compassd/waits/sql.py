"""The shape of a SQL text: its literals are ?, its comments are gone, its lists are of one element.

readings.py says what is a literal or a comment. The rest, the code, is cut into words, numbers and operators
by sqlparse's lexer. That one never sees a quote: it has one opinion of where a string ends, whatever the
database's is, and before 0.4.4 takes exponential time over one that does not end. Its parser is not used: it
recurses.

Visible stay keywords, placeholders, and the names of tables, columns, functions, aliases and variables. Of
double-quoted texts, which are strings to MySQL, and to SQLite if need be, only those that must be names by
their place. Where anything is in doubt, the shape ends.
"""

from __future__ import annotations

import re
from functools import lru_cache

from sqlparse import tokens
from sqlparse.lexer import tokenize

from compassd.text import ELLIPSIS
from compassd.waits.readings import Span, begin_of_doubt, hidden
from compassd.waits.sql_lists import BLANK, VALUE, Kind, Piece, last, shorten_lists

# Control characters occur in binary data only. Behind a character beyond ASCII, a backslash may be its second
# byte (GBK, Big5, Shift JIS) instead of an escape, which matters if a quote follows.
_DOUBTFUL = re.compile(r"""[\x00-\x08\x0e-\x1f\x7f]|[^\x00-\x7f]\\+['"]""")
# Quotes and backslashes in names; and the acute accent, in pairs of which the lexer sees names.
_UNREADABLE = re.compile(r"""['"\\\N{ACUTE ACCENT}]""")
# What belongs to the string behind it: N'…', X'…', B'…', E'…', U&'…', _utf8'…'.
_PREFIX = re.compile(r"(?<![\w$@.])(?:[nxbe]|u&|_[a-z0-9]+)\Z", re.IGNORECASE)
_NAME_CHARACTER = re.compile(r"[\w$]")
_QUOTED_NAME = re.compile(r'"[A-Za-z_]\w{0,63}"', re.ASCII)
# Stands for a literal in a skeleton: no text has control characters.
_LITERAL = "\x01"
_LITERAL_OR_NAME = re.compile(f"{_LITERAL}|{_QUOTED_NAME.pattern}", re.ASCII)
_BRACKETED_NAME = re.compile(r"\[[A-Za-z_][\w $]*\]", re.ASCII)
# Numbers of every kind: 0xFF, 1.5e-3, 1_000. Those in quoted names stay.
_NUMBER = re.compile(
    rf"(?P<name>`[^`]*`|{_BRACKETED_NAME.pattern})|(?<![\w$:?@#.])\.?[0-9](?:[eE][+-](?=[0-9])|[\w.])*"
)
_BLANKS = re.compile(r"\s+")
_NUMBER_OF_A_KEYWORD = re.compile(r"(?<=\s)[0-9]\w*")
# A number in the place of a placeholder: a[:20241231] in PostgreSQL.
_NUMBER_LIKE_PLACEHOLDER = re.compile(r"[$:?][0-9]{4}")
_CONSTANTS = ("NULL", "TRUE", "FALSE")
_INSERTING = ("INSERT", "REPLACE", "IGNORE", "MERGE")


class _DoubtError(Exception):
    """The text could not be told apart from here on."""


def mask_sql(text: str, *, cut: bool) -> str:
    """Return the shape of a statement.

    Args:
        text: The statement, or its beginning.
        cut: Whether it is only the beginning. Its last word may be half of one, and is left out.

    Returns:
        One line, with … at its end if the text goes on. Not yet safe to show: see compassd.text.
    """
    doubtful = _DOUBTFUL.search(text)
    if doubtful:
        text, cut = text[: doubtful.start()], True
    spans = hidden(text, cut=cut)
    if spans is None:
        spans, cut = [Span(begin_of_doubt(text), len(text), comment=False)], True
    return _shape(_skeleton(text, spans), cut=cut)


def _skeleton(text: str, spans: list[Span]) -> str:
    """Return the text without its literals and comments, and with one number for all."""
    parts = []
    position = 0
    for span in spans:
        parts.append(_NUMBER.sub(_same_number, text[position : span.start]))
        quoted = text[span.start : span.end]
        parts.append(" " if span.comment else quoted if _QUOTED_NAME.fullmatch(quoted) else _LITERAL)
        position = span.end
    parts.append(_NUMBER.sub(_same_number, text[position:]))
    return _BLANKS.sub(" ", "".join(parts)).lstrip(" ")


def _same_number(found: re.Match[str]) -> str:
    return found["name"] or "0"


# The lexer takes a millisecond or two, a program has few different skeletons, and they hold no literals.
@lru_cache(maxsize=1024)
def _shape(skeleton: str, *, cut: bool) -> str:
    reader = _Reader(skeleton)
    try:
        reader.read()
    except _DoubtError:
        cut = True
    else:
        if cut and not skeleton.endswith(_LITERAL):
            reader.drop_last()
    line = " ".join("".join(piece.text for piece in shorten_lists(reader.pieces)).split())
    return line.rstrip(" ,") + ELLIPSIS if cut else line.rstrip(" ;")


class _Reader:
    """Makes pieces of a skeleton.

    Attributes:
        pieces: What was read so far.
    """

    def __init__(self, skeleton: str) -> None:
        self.pieces: list[Piece] = []
        self._skeleton = skeleton
        # For every open bracket, whether a SELECT began in it.
        self._selects = [False]

    def read(self) -> None:
        """Read all of the skeleton.

        Raises:
            _DoubtError: From there on nothing is safe to show. The pieces end before it.
        """
        position = 0
        for literal in _LITERAL_OR_NAME.finditer(self._skeleton):
            self._read_literal(literal, before=self._skeleton[position : literal.start()])
            position = literal.end()
        self._read_code(self._skeleton[position:])

    def drop_last(self) -> None:
        """Leave out what may go on behind the end of the text."""
        if self.pieces and self.pieces[-1] is not BLANK:
            self.pieces.pop()

    def _read_literal(self, literal: re.Match[str], before: str) -> None:
        """Read the code in front of a literal, and the literal."""
        code = _PREFIX.sub("", before)
        self._read_code(code)
        previous = self.pieces[-1] if self.pieces else BLANK
        if code and code == before and previous.kind in (Kind.NAME, Kind.VALUE):
            # A string of a kind that no reading knows, such as Oracle's q'[…]', or a quote too many.
            raise _DoubtError
        is_touched = _NAME_CHARACTER.match(self._skeleton, literal.end()) is not None
        if literal[0] != _LITERAL and not is_touched and self._is_place_of_name(literal.end()):
            self.pieces.append(Piece(Kind.NAME, literal[0]))
            return
        self._add_value()
        if is_touched:
            # As in 'O'Brien'.
            raise _DoubtError

    def _is_place_of_name(self, end: int) -> bool:
        """Tell whether what comes next, and ends there, is a name, because no string can be in its place."""
        if self._skeleton.startswith(".", end):
            return True
        behind = (piece for piece in reversed(self.pieces) if piece.kind is not Kind.BLANK)
        previous, second = next(behind, BLANK), next(behind, BLANK)
        if previous.is_mark("."):
            return True
        if previous.is_word("FROM"):
            # Not in EXTRACT(DAY FROM "…"), IS DISTINCT FROM "…" or PREPARE a FROM "…".
            return second.is_word("DELETE") or (self._selects[-1] and not second.is_word("DISTINCT"))
        if previous.is_word("INTO"):
            # Not in VACUUM INTO "…".
            return second.is_word(*_INSERTING)
        return previous.is_word("JOIN", "UPDATE")

    def _read_code(self, code: str) -> None:
        unreadable = _UNREADABLE.search(code)
        if unreadable:
            code = code[: unreadable.start()]
        for kind, text in tokenize(code):
            self._read_token(kind, text)
        if unreadable:
            raise _DoubtError

    def _read_token(self, kind: tokens._TokenType, text: str) -> None:
        if kind in tokens.Whitespace:
            self._add_blank()
        elif kind in tokens.Number or text[0].isdecimal():
            self._read_number(text)
        elif kind in tokens.Error or kind in tokens.Literal or kind in tokens.Comment:
            # The lexer sees a string or a comment where no reading does.
            raise _DoubtError
        elif kind in tokens.Name.Placeholder:
            self.pieces.append(VALUE if _NUMBER_LIKE_PLACEHOLDER.match(text) else Piece(Kind.VALUE, text))
        elif kind in tokens.Name and text[0] == "[" and not _BRACKETED_NAME.fullmatch(text):
            # A list of numbers, as in ARRAY[[1, 2], [3, 4]], is a name in brackets to the lexer.
            self.pieces += [Piece(Kind.MARK, "["), VALUE, Piece(Kind.MARK, "]")]
        elif kind in tokens.Name or _NAME_CHARACTER.match(text):
            self._read_word(kind, text)
        else:
            self._read_mark(text)

    def _read_number(self, text: str) -> None:
        previous = last(self.pieces)
        is_operand = previous.kind in (Kind.NAME, Kind.VALUE) or previous.is_mark(")", "]")
        if text[0] == "-" and is_operand:
            # In a-1 it is no sign.
            self.pieces.append(Piece(Kind.MARK, "-"))
        self._add_value()

    def _read_word(self, kind: tokens._TokenType, text: str) -> None:
        if self.pieces and self.pieces[-1] == VALUE:
            # The rest of a name that begins with digits.
            return
        if kind not in tokens.Keyword and kind not in tokens.Operator and kind not in tokens.Name.Builtin:
            self.pieces.append(Piece(Kind.NAME, text))
            return
        previous = last(self.pieces)
        if text.upper() in _CONSTANTS and previous.kind is Kind.MARK and not previous.is_mark(")", "]"):
            # As in a = NULL, not as in a IS NULL.
            self._add_value()
            return
        if text.upper() == "SELECT":
            self._selects[-1] = True
        self.pieces.append(Piece(Kind.KEYWORD, _NUMBER_OF_A_KEYWORD.sub("?", text)))

    def _read_mark(self, text: str) -> None:
        if text == "(":
            self._selects.append(False)
        elif text == ")" and len(self._selects) > 1:
            self._selects.pop()
        self.pieces.append(Piece(Kind.MARK, text))

    def _add_value(self) -> None:
        """Add a mask. What touches one belongs to it."""
        if not self.pieces or self.pieces[-1] != VALUE:
            self.pieces.append(VALUE)

    def _add_blank(self) -> None:
        if self.pieces and self.pieces[-1] is not BLANK:
            self.pieces.append(BLANK)
