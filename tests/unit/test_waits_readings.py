from __future__ import annotations

import pytest

from compassd.waits.readings import begin_of_doubt, hidden


def _parts(text: str, *, cut: bool = False) -> list[tuple[str, bool]] | None:
    spans = hidden(text, cut=cut)
    return None if spans is None else [(text[span.start : span.end], span.comment) for span in spans]


def _literals(text: str, *, cut: bool = False) -> list[str] | None:
    parts = _parts(text, cut=cut)
    return None if parts is None else [part for part, comment in parts if not comment]


def _comments(text: str) -> list[str]:
    return [part for part, comment in _parts(text) or [] if comment]


@pytest.mark.parametrize(
    ("text", "literals"),
    [
        ("a = 'b' OR c = \"d\"", ["'b'", '"d"']),
        ("a = '' OR b = ''''", ["''", "''", "''"]),
        # To MySQL a backslash escapes; the others are left with a string that does not end.
        (r"a = 'it\'s' OR b = 1", [r"'it\'s'"]),
        # Or with a backslash that is in no string.
        (r"a = 'it\'s' OR b = 'it\'s'", [r"'it\'s'", r"'it\'s'"]),
        # To SQLite and PostgreSQL it is a character.
        (r"a = 'C:\' OR b = 'c'", [r"'C:\'", "'c'"]),
        (r"a LIKE ? ESCAPE '\' AND b = ?", [r"'\'"]),
        (r"a = E'it\'s' OR b = '\'", [r"E'it\'s'", r"'\'"]),
        ("a = E'b'\n'c\\'d' OR e = 'f'", ["E'b'\n'c\\'d'", "'f'"]),
        ("a = $$it's$$ OR b = $c$ $$ $c$", ["$$it's$$", "$c$ $$ $c$"]),
        ("a$b$c, $1, $2", []),
        ("`it's`, [it's], a", ["'s`, [it'"]),
        ("`it's`, a", []),
        ("[it's], a", []),
    ],
)
def test_a_literal_ends_where_a_database_ends_it(text: str, literals: list[str]) -> None:
    assert _literals(text) == literals


@pytest.mark.parametrize(
    ("text", "comments"),
    [
        ("a -- it's\n, b", ["-- it's"]),
        ("a -- it's\r\n, b", ["-- it's"]),
        ("a -- it's", ["-- it's"]),
        ("/* it's */ a /*/ b */", ["/* it's */", "/*/ b */"]),
        ("/*! STRAIGHT_JOIN */ a", ["/*! STRAIGHT_JOIN */"]),
        ("/*+ NO_INDEX(a) */ b", ["/*+ NO_INDEX(a) */"]),
        ("a /* b", ["/* b"]),
        ("'-- a' , '/* b */'", []),
    ],
)
def test_a_comment_is_one_to_all_databases(text: str, comments: list[str]) -> None:
    assert _comments(text) == comments


@pytest.mark.parametrize(
    ("text", "hidden_part"),
    [
        ("a # b\n, c", "# b"),
        ("a --b\n, c", "--b"),
        ("a /* b /* c */ d */, e", "/* b /* c */ d */"),
        ("a -- b\r, c\n, d", "-- b\r, c"),
        ("a /*! 'b*/c' */, d", "/*! 'b*/c' */, d"),
        ("a /*! b /* c */, d", "/*! b /* c */, d"),
    ],
)
def test_what_is_code_to_one_and_a_comment_to_another_may_be_a_literal(text: str, hidden_part: str) -> None:
    assert _parts(text) == [(hidden_part, False)]


@pytest.mark.parametrize(
    ("text", "literals"),
    [
        # MySQL with ANSI_QUOTES: a backslash escapes in '', not in "". PostgreSQL knows no comments with #.
        ("\"a\\\", 'it\\'s', b # it's\n, c", ['"a\\"', "'it\\'s', b # it's"]),
        # MySQL with NO_BACKSLASH_ESCAPES: nowhere.
        ("'C:\\', a # it's\n, 'b'", ["'C:\\', a # it's", "'b'"]),
        # PostgreSQL before 9.1: in '', and -- needs no blank.
        ("'it\\'s', a --it's\n, 'b'", ["'it\\'s', a --it's", "'b'"]),
    ],
)
def test_what_may_be_read_in_several_ways_is_hidden_in_all(text: str, literals: list[str]) -> None:
    assert _literals(text) == literals


@pytest.mark.parametrize("text", ["a = 'b", 'a = "b', "a = 'b' 'c", r"a \b", "a = 'O'Hara', 'b'"])
def test_what_no_database_could_read_is_not_read(text: str) -> None:
    assert hidden(text, cut=False) is None


@pytest.mark.parametrize(
    ("text", "literals"),
    [
        ("a = 'b", ["'b"]),
        ("a = 'b'", ["'b'"]),
        ("a = 'b''", ["'b''"]),
        ("a = 'b\\", ["'b\\"]),
        (r"a = 'it\'s' OR b = ", [r"'it\'s' OR b = "]),
        (r"a = 'it\'s' OR b = 'it\'s' OR c = ", [r"'it\'s'", r"'it\'s'"]),
        ("a = $b$ c", ["$b$ c"]),
        ("a, E'b\\' c", ["E'b\\' c"]),
        ("a, `b", ["`b"]),
    ],
)
def test_of_a_text_that_is_cut_a_literal_may_be_open(text: str, literals: list[str]) -> None:
    found = _literals(text, cut=True)
    assert found is not None
    assert "".join(found).removeprefix("E") == "".join(literals).removeprefix("E")


@pytest.mark.parametrize(
    ("text", "begin"),
    [("a = 'b", 4), ("a = E'b", 4), ("a -- b 'c", 2), ("a, `b", 3), ("a [b", 2), (r"a \b", 2), ("a, b", 4)],
)
def test_doubt_begins_at_the_first_quote_or_comment(text: str, begin: int) -> None:
    assert begin_of_doubt(text) == begin
