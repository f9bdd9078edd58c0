from __future__ import annotations

import pytest

from compassd.rules.text_glob import MAX_LENGTH, compile_text_glob


@pytest.mark.parametrize(
    ("glob", "matching", "other"),
    [
        ("GET /blog/{slug}", ["GET /blog/{slug}"], ["get /blog/{slug}", "GET /blog/{slug}/"]),
        ("GET /*", ["GET /", "GET /a/b"], ["POST /"]),
        (r"App\*::index", [r"App\Cart::index", r"App\A\B::index"], [r"App\Cart::indexes"]),
        ("**", ["", "a/b"], []),
        ("www-[0-9]?", ["www-1a"], ["www-1", "www-a1"]),
        ("[!a]*", ["b", "A"], ["a", ""]),
        ("[*]", ["*"], ["a"]),
    ],
)
def test_the_documented_globs(glob: str, matching: list[str], other: list[str]) -> None:
    compiled = compile_text_glob(glob)
    assert [text for text in [*matching, *other] if compiled.match(text)] == matching


@pytest.mark.parametrize(
    ("glob", "complaint"),
    [
        ("", 'empty glob; write "\\*"'),
        ("a[", 'has a "\\[" without'),
        ("a\x1b", "does not print"),
        ("a" * (MAX_LENGTH + 1), "too long"),
    ],
)
def test_a_malformed_glob_is_refused_with_the_reason(glob: str, complaint: str) -> None:
    with pytest.raises(ValueError, match=complaint):
        compile_text_glob(glob)


@pytest.mark.timeout(10)
def test_many_stars_take_linear_time() -> None:
    assert not compile_text_glob("*a" * 60 + "b").match("a" * 5_000)
