from __future__ import annotations

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from compassd.text import clean, clean_text, shorten
from lab.hostile import raw_bytes


@pytest.mark.parametrize(
    ("raw", "expected"),
    [
        (b"/cart?a=1", "/cart?a=1"),
        ("/für/日本/😀".encode(), "/für/日本/😀"),
        (b"a\xff\xfeb", "a\ufffd\ufffdb"),
        (b"\xed\xa0\x80", "\ufffd\ufffd\ufffd"),
        (b"a\nb\rc\td\x00", "a\ufffdb\ufffdc\ufffdd\ufffd"),
        (b"\x1b[31m\x7f", "\ufffd[31m\ufffd"),
        ("\x9b31m\u0085".encode(), "\ufffd31m\ufffd"),
        ("a\u2028b\u2029c".encode(), "a\ufffdb\ufffdc"),
        ("\u202egnp\u2066\u2069".encode(), "\ufffdgnp\ufffd\ufffd"),
        ("<!chan\u200bnel>\ufeff".encode(), "<!chan\ufffdnel>\ufffd"),
    ],
)
def test_harmful_bytes_become_visible(raw: bytes, expected: str) -> None:
    assert clean(raw, 100) == expected


@given(raw_bytes, st.integers(min_value=0, max_value=200))
def test_cleaned_text_is_bounded_printable_and_encodable(raw: bytes, limit: int) -> None:
    text = clean(raw, limit)
    assert len(text) <= limit
    assert not {unicodedata.category(char) for char in text} & {"Cc", "Cs", "Zl", "Zp"}
    assert len(text.splitlines()) <= 1
    text.encode()


@given(st.text(max_size=80), st.integers(min_value=1, max_value=90))
def test_the_limit_counts_characters_not_bytes(text: str, limit: int) -> None:
    assert clean(text.encode(), limit) == clean_text(text)[:limit]


def test_a_lone_surrogate_is_replaced() -> None:
    assert clean_text("a\udcff") == "a\ufffd"


@given(st.text(max_size=20), st.integers(min_value=1, max_value=30))
def test_shortened_text_says_so(text: str, limit: int) -> None:
    short = shorten(text, limit)
    assert len(short) <= limit
    assert short == text or short.endswith("…")
