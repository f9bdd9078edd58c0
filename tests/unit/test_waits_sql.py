from __future__ import annotations

import time

import pytest

from compassd.waits.sql import mask_sql


def _mask(text: str) -> str:
    return mask_sql(text, cut=False)


@pytest.mark.parametrize(
    "literal",
    [
        "1",
        "-1",
        "1.5",
        ".5",
        "1e10",
        "1.5E-3",
        "0xDEADBEEF",
        "0b1010",
        "0o17",
        "1_000_000",
        "'a'",
        "''",
        "'it''s'",
        r"'it\'s'",
        r"'C:\dir\\'",
        "N'a'",
        "x'ab'",
        "B'01'",
        r"E'a\'b'",
        r"U&'\0061'",
        "_utf8mb4'a'",
        '"a b"',
        '"it\'s"',
        "$$it's$$",
        "$tag$ $$ $tag$",
        "'a\n b'",
    ],
)
def test_every_kind_of_literal_is_the_same(literal: str) -> None:
    statement = "SELECT a FROM b WHERE c = {} AND d = {}"
    assert _mask(statement.format(literal, "'x'")) == statement.format("?", "?")


@pytest.mark.parametrize(
    "text",
    [
        "SELECT a FROM b WHERE c IN (1)",
        "SELECT a FROM b WHERE c IN (1, 2, 3)",
        "SELECT a FROM b WHERE c IN ('x','y')",
        "SELECT a FROM b WHERE c IN (:a0, :a1, :a2)",
        "SELECT a FROM b WHERE c IN ($1, $2)",
        "SELECT a FROM b WHERE c IN (NULL, TRUE, -1)",
        "SELECT  a\nFROM b /* c */ WHERE c IN (?) -- d",
    ],
)
def test_the_length_of_a_list_does_not_matter(text: str) -> None:
    assert _mask(text) == "SELECT a FROM b WHERE c IN (?)"


@pytest.mark.parametrize(
    ("text", "shape"),
    [
        ("a NOT IN (1, 2) AND b IN (3)", "a NOT IN (?) AND b IN (?)"),
        ("(a, b) IN ((1, 2), (3, 4))", "(a, b) IN ((?, ?))"),
        ("a IN (UNHEX('a'), UNHEX('b'))", "a IN (UNHEX(?))"),
        ("a IN (SELECT 1, 1, :b FROM c)", "a IN (SELECT ?, ?, :b FROM c)"),
        ("a IN ()", "a IN ()"),
        ("a = ANY(ARRAY[1,2,3])", "a = ANY(ARRAY[?])"),
        ("ARRAY[[1, 2], [3, 4]]", "ARRAY[[?]]"),
        ("VALUES (1, f(2)), (3, f(4)) RETURNING a, (5)", "VALUES (?, f(?)) RETURNING a, (?)"),
        ("VALUES (:a0, :b0), (:a1, :b1)", "VALUES (:a0, :b0)"),
        ("COALESCE(1, 2), LIMIT 3, 4", "COALESCE(?, ?), LIMIT ?, ?"),
        ("VALUES )( (1), (2", "VALUES )( (?), (?"),
    ],
)
def test_of_lists_and_rows_one_element_stays(text: str, shape: str) -> None:
    assert _mask(text) == shape


@pytest.mark.parametrize(
    "text",
    [
        "SELECT a1, `b 2`, [c d], t.e5, :f, :1, ?, $1, @g, @@h, %s, %(i)s FROM schema.table_7",
        "SELECT a - b, a->>b, NOT c IS TRUE, d || e FROM f WHERE g BETWEEN h AND i",
        'SELECT "a"."b", c."d" FROM "e" JOIN "f"',
        'DELETE FROM "a"',
        'UPDATE "a" SET b = c',
        'INSERT INTO "a" (b) VALUES (c)',
        "CREATE TABLE a (b int NOT NULL DEFAULT NULL)",
        "select Mixed from Case",
    ],
)
def test_names_keywords_and_placeholders_stay(text: str) -> None:
    assert _mask(text) == text


@pytest.mark.parametrize(
    ("text", "shape"),
    [
        ('SELECT "a" FROM b', "SELECT ? FROM b"),
        ('SELECT EXTRACT(DAY FROM "a")', "SELECT EXTRACT(DAY FROM ?)"),
        ('SELECT a IS DISTINCT FROM "b"', "SELECT a IS DISTINCT FROM ?"),
        ('PREPARE a FROM "b"', "PREPARE a FROM ?"),
        ('VACUUM INTO "a"', "VACUUM INTO ?"),
        ('SELECT a FROM "b c"', "SELECT a FROM ?"),
    ],
)
def test_what_may_be_a_string_in_double_quotes_goes(text: str, shape: str) -> None:
    assert _mask(text) == shape


@pytest.mark.parametrize(
    ("text", "shape"),
    [
        ("a-1", "a-?"),
        ("a - 1", "a - ?"),
        ("f(a)-1", "f(a)-?"),
        ("a = -1", "a = ?"),
        ("(-1, -2)", "(?, ?)"),
        ("1-2", "?-?"),
    ],
)
def test_a_minus_is_a_sign_or_an_operator(text: str, shape: str) -> None:
    assert _mask(text) == shape


@pytest.mark.parametrize(
    ("text", "shape"),
    [
        # Unterminated, in an odd number of quotes, or with a quote too many.
        ("SELECT a FROM b WHERE c = 'd", "SELECT a FROM b WHERE c = ?…"),
        ("SELECT a FROM b WHERE c = 'O'Hara' AND d = 'e'", "SELECT a FROM b WHERE c = ?…"),
        ("SELECT a FROM b WHERE c = 'O'Hara' AND d = 'O'Hara'", "SELECT a FROM b WHERE c = ?…"),
        ("SELECT a FROM b WHERE c = 'O'Hara Smith's' OR d", "SELECT a FROM b WHERE c = ?…"),
        # Oracle's, in which a quote needs no escape.
        ("SELECT a, q'[it's not my dog's]' FROM b", "SELECT a, q…"),
        # MySQL executes it: its end is where it seems to be, or in the string.
        ("SELECT a /*! , 'b*/c' */ FROM d", "SELECT a ?"),
        ("SELECT a /*!50000 STRAIGHT_JOIN */ FROM b", "SELECT a FROM b"),
        # A comment to some, an operator to others.
        ("SELECT a #>> '{b}' , 'c'\nFROM d", "SELECT a ? FROM d"),
        ("SELECT a --1\nFROM b", "SELECT a ? FROM b"),
        ("SELECT a /* b /* c */ d */ FROM e", "SELECT a ? FROM e"),
        ("SELECT a FROM b WHERE c = '\x00' AND d = 1", "SELECT a FROM b WHERE c = ?…"),
        ("SELECT a, `it's`, b", "SELECT a…"),
        ("SELECT a[it's], b", "SELECT a[it…"),
        ("SELECT a, \N{EURO SIGN}1, b", "SELECT a…"),
        # Numbers where the lexer sees none.
        ("SELECT a[:20241231], b[1:2]", "SELECT a[?], b[?:?]"),
        ("SELECT a AS go 4711", "SELECT a AS go ?"),
        ("\x01", "…"),
        ("", ""),
        (" ; ", ""),
    ],
)
def test_in_doubt_the_shape_ends(text: str, shape: str) -> None:
    assert _mask(text) == shape


@pytest.mark.parametrize(
    ("text", "shape"),
    [
        ("SELECT a, b FROM prod", "SELECT a, b FROM…"),
        ("SELECT a, b FROM product ", "SELECT a, b FROM product…"),
        ("SELECT a FROM b WHERE c = 'd", "SELECT a FROM b WHERE c = ?…"),
        ("SELECT a FROM b WHERE c = 'd'", "SELECT a FROM b WHERE c = ?…"),
        ("SELECT a FROM b WHERE c = 'd\\", "SELECT a FROM b WHERE c = ?…"),
        ("SELECT a FROM b WHERE c = 12", "SELECT a FROM b WHERE c =…"),
        ("SELECT a FROM b WHERE c IN (1, 2, 3", "SELECT a FROM b WHERE c IN (?…"),
        ("SELECT a FROM b WHERE c IN ('1', '2', '3", "SELECT a FROM b WHERE c IN (?…"),
        ("SELECT a FROM b WHERE c IN (1, 2, 3, ", "SELECT a FROM b WHERE c IN (?…"),
        ("INSERT INTO a VALUES (1, 'x'), (2, 'y'), (3, 'z", "INSERT INTO a VALUES (?, ?)…"),
        ("INSERT INTO a VALUES (1, 'x'), (2, 'y'),", "INSERT INTO a VALUES (?, ?)…"),
        ("SELECT a /* b", "SELECT a…"),
        ("SELECT a, $b$ c", "SELECT a, ?…"),
        # It is not known yet whether a backslash escapes.
        (r"SELECT a, 'it\'s', b, ", "SELECT a, ?…"),
        # Nor whether it is one: the second byte of a character in GBK.
        ("SELECT 'it\\'s', '\ufffd\\', ' secret', ", "SELECT ?…"),
        ("", "…"),
    ],
)
def test_of_a_text_that_is_cut_the_beginning_stays(text: str, shape: str) -> None:
    assert mask_sql(text, cut=True) == shape


@pytest.mark.parametrize(
    "text",
    [
        *(
            "'\\",
            "\\'",
            "''",
            "/*",
            "*/",
            "$a$",
            "$a",
            "E''",
            "--",
            "[`",
            "``",
            "/*!",
            "\\N",
            "(",
            "a.",
            "1",
            "?",
            "-",
        ),
        *("IN(1),", "VALUES(1),", "((1),", '"a".', '""', "%(", ",1", "#", "[["),
    ],
)
@pytest.mark.parametrize("between", ["", " ", "\n"])
@pytest.mark.parametrize("before", ["", "'", "LEFT "])
def test_no_text_takes_long(before: str, text: str, between: str) -> None:
    statement = before + (text + between) * (1000 // len(text + between))
    begun = time.process_time()
    mask_sql(statement, cut=True)
    mask_sql(statement, cut=False)
    assert time.process_time() - begun < 1.0
