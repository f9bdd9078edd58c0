"""No literal and no comment ever shows, however a database quotes it and wherever the text is cut."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from compassd.waits.kinds import TextKind, TextPolicy
from compassd.waits.normalise import LONGEST_WAIT_TEXT, wait_text

SECRET = b"qKzwVxJh"
NUMBER = b"9173640285"
SHORTEST_PART = 6

# What gives a lexer wrong ideas, and bytes that are no text.
TRICKS = (
    *rb"""' " ` \ \' '' [ ] ( ) $$ $a$ $1 # -- /* */ /*! ? :a @ ; , %s E' e N \N = | a 1""".split(),
    *(b"-- ", b"/* ", b" AND a = ", b" ", b"\t", b"\n", b"\r", b"\r\n", b"\x00", b"\x1b", b"\x7f"),
    *(b"\x85", b"\xbf", b"\xc3", b"\xc3\xa9", b"\xc2\x85", b"\xe4\xb8\xad", b"\xef\xbb\xbf", b"\xe2\x80\xa8"),
)


def _around(secret: bytes, tricks: tuple[bytes, ...] = TRICKS) -> st.SearchStrategy[bytes]:
    """Make a value: the secret, with tricks on both sides."""
    side = st.lists(st.sampled_from(tricks), max_size=4).map(b"".join)
    return st.builds(lambda before, behind: before + secret + behind, side, side)


def _without(*forbidden: bytes) -> tuple[bytes, ...]:
    return tuple(trick for trick in TRICKS if not any(f in trick for f in forbidden))


VALUE = _around(SECRET)
_GBK_CHARACTER = b"\xbf\\"
_GBK_TRICKS = (*(trick for trick in TRICKS if trick.isascii()), _GBK_CHARACTER, _GBK_CHARACTER + b"'")


def _doubled(quote: bytes) -> Callable[[bytes], bytes]:
    return lambda value: quote + value.replace(quote, quote * 2) + quote


def _escaped(quote: bytes) -> Callable[[bytes], bytes]:
    """Quote as mysqli_real_escape_string does."""

    def escape(value: bytes) -> bytes:
        value = value.replace(b"\\", b"\\\\")
        for character, letter in ((b"\0", b"0"), (b"\n", b"n"), (b"\r", b"r"), (b"\x1a", b"Z")):
            value = value.replace(character, b"\\" + letter)
        return quote + value.replace(b"'", b"\\'").replace(b'"', b'\\"') + quote

    return escape


def _escaped_gbk(value: bytes) -> bytes:
    """Quote as mysqli_real_escape_string does in GBK, where a backslash may end a character."""
    return (
        b"'" + _GBK_CHARACTER.join(_escaped(b"'")(part)[1:-1] for part in value.split(_GBK_CHARACTER)) + b"'"
    )


def _backslashed(quote: bytes) -> Callable[[bytes], bytes]:
    return lambda value: quote + value.replace(b"\\", b"\\\\").replace(quote, quote * 2) + quote


def _line_comment(mark: bytes, *ends: bytes) -> st.SearchStrategy[bytes]:
    return _around(SECRET, _without(*ends)).map(lambda text: mark + text + b"\n")


BLOCK_COMMENT = _around(SECRET, _without(b"*/", b"/*")).map(lambda text: b"/*" + text + b" */")


@dataclass(frozen=True)
class Dialect:
    """How a database quotes.

    Attributes:
        secrets: Literals and comments, with the secret in them.
        names: Quoted names, without.
    """

    secrets: st.SearchStrategy[bytes]
    names: st.SearchStrategy[bytes]


TRICKY = st.lists(st.sampled_from(_without(b"\0")), min_size=1, max_size=3).map(b"".join)
BACKTICKS = TRICKY.map(_doubled(b"`"))
DOUBLE_QUOTES = TRICKY.map(_doubled(b'"'))
MYSQL_COMMENTS = st.one_of(
    BLOCK_COMMENT,
    _line_comment(b"-- ", b"\n"),
    _line_comment(b"#", b"\n"),
    VALUE.map(_escaped(b"'")).map(lambda text: b"/*! " + text + b" */"),
)
POSTGRESQL_COMMENTS = st.one_of(
    BLOCK_COMMENT,
    BLOCK_COMMENT.map(lambda text: b"/* " + text + b" " + SECRET + b" */"),
    _line_comment(b"--", b"\n", b"\r"),
)
POSTGRESQL_STRINGS = st.one_of(
    VALUE.map(_backslashed(b"'")).map(lambda text: b"E" + text),
    VALUE.map(_escaped(b"'")).map(lambda text: b"e" + text),
    st.tuples(VALUE, VALUE).map(lambda two: b"E" + _escaped(b"'")(two[0]) + b"\n" + _escaped(b"'")(two[1])),
    _around(SECRET, _without(b"$")).map(lambda text: b"$$" + text + b"$$"),
    _around(SECRET, _without(b"$t")).map(lambda text: b"$t$" + text + b" $t$"),
)


def _prefixed(quote: Callable[[bytes], bytes], *prefixes: bytes) -> st.SearchStrategy[bytes]:
    return st.tuples(st.sampled_from((b"", *prefixes)), VALUE.map(quote)).map(b"".join)


DIALECTS = {
    "MySQL": Dialect(
        st.one_of(
            _prefixed(_escaped(b"'"), b"N", b"_utf8mb4", b"x"),
            VALUE.map(_escaped(b'"')),
            VALUE.map(_backslashed(b"'")),
            VALUE.map(_backslashed(b'"')),
            MYSQL_COMMENTS,
        ),
        BACKTICKS,
    ),
    "MySQL, GBK": Dialect(
        st.one_of(_around(SECRET, _GBK_TRICKS).map(_escaped_gbk), MYSQL_COMMENTS), BACKTICKS
    ),
    "MySQL, ANSI_QUOTES": Dialect(
        st.one_of(VALUE.map(_escaped(b"'")), MYSQL_COMMENTS), st.one_of(BACKTICKS, DOUBLE_QUOTES)
    ),
    "MySQL, NO_BACKSLASH_ESCAPES": Dialect(
        st.one_of(
            VALUE.map(_doubled(b"'")),
            VALUE.map(_doubled(b'"')),
            BLOCK_COMMENT,
            _line_comment(b"-- ", b"\n"),
            _line_comment(b"#", b"\n"),
        ),
        BACKTICKS,
    ),
    "PostgreSQL": Dialect(
        st.one_of(_prefixed(_doubled(b"'"), b"U&", b"B"), POSTGRESQL_STRINGS, POSTGRESQL_COMMENTS),
        DOUBLE_QUOTES,
    ),
    "PostgreSQL, standard_conforming_strings off": Dialect(
        st.one_of(VALUE.map(_backslashed(b"'")), POSTGRESQL_STRINGS, POSTGRESQL_COMMENTS), DOUBLE_QUOTES
    ),
    "SQLite": Dialect(
        st.one_of(
            _prefixed(_doubled(b"'"), b"x"),
            VALUE.map(_doubled(b'"')),
            BLOCK_COMMENT,
            _line_comment(b"--", b"\n"),
        ),
        st.one_of(
            BACKTICKS,
            DOUBLE_QUOTES,
            st.lists(st.sampled_from(_without(b"\0", b"]")), min_size=1, max_size=3).map(
                lambda parts: b"[" + b"".join(parts) + b"]"
            ),
        ),
    ),
}
NUMBERS = st.sampled_from((b"%s", b"-%s", b"%s.5", b"0.%s", b".%s", b"1e%s", b"0x%s", b"%se3")).map(
    lambda form: form % NUMBER
)
# A string never is what a FROM t, INTO t or JOIN t has for t.
CODE = st.sampled_from(
    (
        *b"SELECT a t.b = , ( ) LIKE ? :id $1 @v a->> ::int ARRAY[ ] NOT NULL - * 1 ; AS".split(),
        *(b"IN (", b"VALUES (", b"FROM t", b'FROM "t"', b"JOIN t ON", b"INTO t", b"UPDATE t SET"),
        *(b"EXTRACT(DAY FROM", b"IS DISTINCT FROM", b"VACUUM INTO"),
    )
)
BLANKS = st.sampled_from((b" ", b"\n", b"\t", b"\r\n", b"  "))


def _statements(dialect: Dialect) -> st.SearchStrategy[bytes]:
    part = st.one_of(CODE, dialect.secrets, dialect.secrets, dialect.names, NUMBERS)
    return st.lists(st.tuples(part, BLANKS).map(b"".join), max_size=12).map(b"".join)


def _assert_safe(shown: str) -> None:
    for secret in (SECRET.decode(), NUMBER.decode()):
        for start in range(len(secret) - SHORTEST_PART + 1):
            assert secret[start : start + SHORTEST_PART] not in shown
    assert len(shown) <= LONGEST_WAIT_TEXT
    assert shown == " ".join(shown.split())
    assert shown.isprintable()


@pytest.mark.parametrize("dialect", DIALECTS)
@given(data=st.data())
@settings(max_examples=300)
def test_no_secret_is_shown(dialect: str, data: st.DataObject) -> None:
    statement = data.draw(_statements(DIALECTS[dialect]))
    _assert_safe(wait_text(TextKind.SQL, statement, cut=False, policy=TextPolicy.MASKED))


@pytest.mark.parametrize("dialect", DIALECTS)
@given(data=st.data())
@settings(max_examples=300)
def test_no_part_of_a_secret_is_shown_of_a_text_that_is_cut(dialect: str, data: st.DataObject) -> None:
    statement = data.draw(_statements(DIALECTS[dialect]))
    beginning = statement[: data.draw(st.integers(0, len(statement)))]
    _assert_safe(wait_text(TextKind.SQL, beginning, cut=True, policy=TextPolicy.MASKED))
