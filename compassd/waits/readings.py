r"""Where the literals and comments of a SQL text are, whichever database it was written for.

Databases disagree about it. To MySQL 'it\'s' is one string; to SQLite 'it\' is one, and another opens after
the s. A # begins a comment or is an operator, comments nest or do not. Which database a text was sent to is
not known: PDO speaks to all of them, and their settings change the rules. So a text is read in every way it
can be read, and only what is code in all of these readings counts as code. What a database would refuse to
read is no reading: an escaped quote leaves the others with a string that never ends, or with a backslash
outside of one.

This is sound for every statement that its own database can read. In a statement broken by a value that was
not quoted at all, nobody can tell the value from the code.
"""

from __future__ import annotations

import re
from typing import NamedTuple

# A quote inside is doubled, or escaped. No repetition can match the same text in two ways, so that all of
# them take time proportional to it. (Possessive ones would say so, but do not work before Python 3.11.5.)
_SINGLE = r"'[^']*(?:''[^']*)*'(?!')"
_DOUBLE = _SINGLE.replace("'", '"')
_SINGLE_ESCAPED = r"'[^'\\]*(?:(?:''|\\.)[^'\\]*)*'(?!')"
_DOUBLE_ESCAPED = _SINGLE_ESCAPED.replace("'", '"')
_BACKTICKS = _SINGLE.replace("'", "`")
_BRACKETS = r"\[[^\]]*\]"

# PostgreSQL takes everything beyond ASCII for letters, and a $ inside a name for a part of the name.
_NO_NAME_BEFORE = r"(?<![\w$\x80-\U0010ffff])"
# E'…' goes on where another string follows on the next line.
_E_STRING = rf"{_NO_NAME_BEFORE}[eE]{_SINGLE_ESCAPED}(?:\s*{_SINGLE_ESCAPED})*"
_NOT_AFTER_E = rf"(?<!{_NO_NAME_BEFORE}[eE])"
_DOLLAR = rf"{_NO_NAME_BEFORE}\$(?:[A-Za-z_\x80-\U0010ffff][A-Za-z0-9_\x80-\U0010ffff]*)?\$"
_DOLLAR_STRING = rf"(?P<tag>{_DOLLAR}).*?(?P=tag)"

# Up to the end of the line. A carriage return ends it for some, before a line feed for all.
_LINE = r"[^\n]*?(?=\r?(?:\n|\Z))"
_DASHES = rf"--{_LINE}"
_DASHES_BLANK = rf"--(?=[\x00-\x20\x7f]|\Z){_LINE}"
_DASHES_RETURN = r"--[^\n\r]*"
_HASH = rf"\#{_LINE}"
_BLOCK = r"/\*(?:.*?\*/|.*)"
# MySQL executes what is in /*! */ and /*M! */ and obeys /*+ */: in there it reads strings and comments, which
# may hold the characters that seem to end it all.
_EXECUTED = r"/\*(?:M?!|\+)"
_EXECUTED_PLAIN = rf"""{_EXECUTED}(?:(?!/\*|--|\*/)[^'"`#\\])*\*/"""

_NEVER = r"(?!)"
_COMMENT_ENDS = re.compile(r"/\*|\*/")
# Where the literals, comments and quoted names of any database may begin. Looked for first: to look for the
# whole of them at every character takes several times as long.
_BEGIN = re.compile(r"""['"`\[#$\\]|[eE]'|--|/\*""")
# What all databases read alike, and what they might not.
_PLAIN = re.compile(
    r"""(?P<literal>'[^'\\]*'|"[^"\\]*")|`[^`'"\\\[#$/-]*`|\$[0-9]+(?!\$)|(?P<unsure>['"`\[#$\\]|--|/\*)""",
)


class Span(NamedTuple):
    """A part of a text that must not be shown: from start up to, not including, end.

    It is a comment if it is that very comment in every reading; else it is, or may hold, a literal.
    """

    start: int
    end: int
    comment: bool


class _Reading:
    """How one database, with one set of settings, reads a text.

    Args:
        literal: Pattern of the strings.
        comment: Pattern of the comments, unterminated ones included.
        name: Pattern of the quoted names that are no strings to any database.
        opening: Pattern of what opens a string or a name. If none of the above match there, it never closes.
        nesting: Pattern of what opens a comment that may hold others.
        unsure: Pattern of what makes everything behind it doubtful.
    """

    def __init__(  # noqa: PLR0913 - each is a thing that databases disagree about
        self,
        *,
        literal: str,
        comment: str,
        opening: str,
        name: str = _NEVER,
        nesting: str = _NEVER,
        unsure: str = _NEVER,
    ) -> None:
        self._pattern = re.compile(
            rf"(?P<literal>{literal})|(?P<comment>{comment})|(?P<name>{name})|(?P<nesting>{nesting})"
            # A backslash is code nowhere but in \N, which is MySQL's NULL.
            rf"|(?P<unsure>(?:{unsure}).*)|(?P<unclosed>(?:{opening}).*)|(?P<illegal>\\(?!N|\Z))",
            re.DOTALL,
        )

    def hidden(self, text: str, *, cut: bool) -> list[Span] | None:
        """Return what is not code, in order; None if this database could not read the text."""
        spans: list[Span] = []
        position = 0
        while begin := _BEGIN.search(text, position):
            found = self._pattern.match(text, begin.start())
            if not found:
                position = begin.start() + 1
                continue
            kind, position = found.lastgroup, found.end()
            if kind == "illegal" or (kind == "unclosed" and not cut):
                return None
            if kind == "nesting":
                position = _end_of_nesting(text, found.start())
            if kind != "name":
                spans.append(Span(found.start(), position, kind in ("comment", "nesting")))
        return spans


def _end_of_nesting(text: str, start: int) -> int:
    depth = 0
    for end in _COMMENT_ENDS.finditer(text, start):
        depth += 1 if end[0] == "/*" else -1
        if depth == 0:
            return end.end()
    return len(text)


def _mysql(strings: str) -> _Reading:
    return _Reading(
        literal=strings,
        comment=f"{_EXECUTED_PLAIN}|(?!{_EXECUTED}){_BLOCK}|{_DASHES_BLANK}|{_HASH}",
        name=_BACKTICKS,
        opening="""['"`]""",
        unsure=_EXECUTED,
    )


def _postgresql(single: str) -> _Reading:
    return _Reading(
        literal=f"{_E_STRING}|{_NOT_AFTER_E}{single}|{_DOUBLE}|{_DOLLAR_STRING}",
        comment=_DASHES_RETURN,
        opening=f"""['"]|{_DOLLAR}""",
        nesting=r"/\*",
    )


_READINGS = (
    _mysql(f"{_SINGLE_ESCAPED}|{_DOUBLE_ESCAPED}"),
    _mysql(f"{_SINGLE_ESCAPED}|{_DOUBLE}"),  # ANSI_QUOTES
    _mysql(f"{_SINGLE}|{_DOUBLE}"),  # NO_BACKSLASH_ESCAPES
    _postgresql(_SINGLE),
    _postgresql(_SINGLE_ESCAPED),  # standard_conforming_strings = off
    _Reading(  # SQLite; and Microsoft's, as far as it goes
        literal=f"{_SINGLE}|{_DOUBLE}",
        comment=f"{_BLOCK}|{_DASHES}",
        name=f"{_BACKTICKS}|{_BRACKETS}",
        opening=r"""['"`\[]""",
    ),
)


def hidden(text: str, *, cut: bool) -> list[Span] | None:
    """Return the parts of a text that are not code in every reading, in order and apart from each other.

    Args:
        text: A statement, or several.
        cut: Whether it is only the beginning of one, so that a string may still be open at its end.

    Returns:
        The parts; None if no database could read the text.
    """
    plain = _plain_literals(text)
    if plain is not None:
        return plain
    found = [spans for reading in _READINGS if (spans := reading.hidden(text, cut=cut)) is not None]
    if not found:
        return None
    first, *others = found
    return first if all(spans == first for spans in others) else _union(found)


def _plain_literals(text: str) -> list[Span] | None:
    """Do fast what the readings do, for a text that cannot be read in two ways; return None for others."""
    spans = []
    for found in _PLAIN.finditer(text):
        if found.lastgroup == "unsure":
            return None
        if found.lastgroup == "literal":
            spans.append(Span(*found.span(), comment=False))
    return spans


def begin_of_doubt(text: str) -> int:
    """Return where code ends for sure, even if no database could read the text."""
    begin = _BEGIN.search(text)
    return begin.start() if begin else len(text)


def _union(readings: list[list[Span]]) -> list[Span]:
    """Merge the spans of several readings. Only what all of them hold for the same comment stays one."""
    merged: list[Span] = []
    for span in sorted({span for spans in readings for span in spans}):
        agreed = span.comment and all(span in spans for spans in readings)
        if merged and span.start < merged[-1].end:
            last = merged.pop()
            merged.append(Span(last.start, max(last.end, span.end), comment=False))
        else:
            merged.append(Span(*span[:2], comment=agreed))
    return merged
