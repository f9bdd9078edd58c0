from __future__ import annotations

from collections.abc import Callable, Collection
from itertools import product

import pytest

from compassd.rules.cover import covers, host_glob_covers, literal_prefix, never_both, path_glob_covers
from compassd.rules.glob import compile_glob
from compassd.rules.model import Match
from compassd.rules.path_regex import compile_path_regex

SYMBOLS = ["/", "a", "*", "**", "?", "[ab]", "/a", "/**"]
SAMPLES = ["".join(letters) for size in range(6) for letters in product("/ab", repeat=size)]


def matched_by(glob: str) -> frozenset[str] | None:
    """What a glob matches of the samples, None if it is none."""
    try:
        expression = compile_glob(glob)
    except ValueError:
        return None
    return frozenset(filter(expression.match, SAMPLES))


GLOBS = {
    glob: matched
    for size in range(1, 4)
    for symbols in product(SYMBOLS, repeat=size)
    if (matched := matched_by(glob := "".join(symbols))) is not None
}


@pytest.mark.parametrize(
    ("claim", "globs"),
    [
        (path_glob_covers, GLOBS),
        # There is no "/" in a glob for hosts; what it is compared with may have one.
        (host_glob_covers, [glob for glob in GLOBS if "/" not in glob]),
    ],
)
def test_what_is_said_to_cover_matches_whatever_the_other_matches(
    claim: Callable[[str, str], bool], globs: Collection[str]
) -> None:
    claims = [(wide, narrow) for wide, narrow in product(globs, repeat=2) if claim(wide, narrow)]
    assert len(claims) > 2 * len(globs)
    assert [(wide, narrow) for wide, narrow in claims if not GLOBS[narrow] <= GLOBS[wide]] == []


def test_what_a_glob_matches_begins_with_its_literal_prefix() -> None:
    for glob, matched in GLOBS.items():
        assert all(sample.startswith(literal_prefix(glob)) for sample in matched)


@pytest.mark.parametrize("expression", ["/a+", "/a/.*", "/[ab]", "/ab?", "/(a|b)/", "/b|/a"])
def test_a_path_that_both_match_is_never_denied(expression: str) -> None:
    matched = frozenset(filter(compile_path_regex(expression).matches, SAMPLES))
    denied = [glob for glob in GLOBS if never_both([glob], [expression])]
    assert denied
    assert not any(GLOBS[glob] & matched for glob in denied)


@pytest.mark.parametrize(
    ("wide", "narrow"),
    [
        ({}, {"uri": "/a"}),
        ({"uri": "/shop/**"}, {"uri": ["/shop", "/shop/cart", "/shop/*/x", "/shop/a/**", "/shop/**/x"]}),
        ({"uri": ["/a", "/b/*"]}, {"uri": ["/b/c", "/a"]}),
        ({"uri": "/**"}, {"uri": "/a/**"}),
        ({"uri": "**"}, {"uri": "**.php"}),
        ({"uri_regex": ["/a+", "/b"]}, {"uri_regex": "/b"}),
        ({"method": ["GET", "POST"]}, {"method": "post"}),
        ({"host": "*.example.com"}, {"host": ["a.example.com", "*.b.example.com"]}),
        ({"host": "*"}, {"host": "shop-?.example.com"}),
        ({"status": ["4xx", 500]}, {"status": [404, 500]}),
        ({"status": list(range(400, 500))}, {"status": "4xx"}),
        ({"pool": "shop-*"}, {"pool": "shop-1"}),
        ({"transaction": "*"}, {"transaction": "/a/?"}),
        ({"tags": {"tenant": "a*"}}, {"tags": {"tenant": ["acme", "a*"], "plan": "free"}}),
        ({"not": {"method": "GET"}}, {"not": [{"method": ["GET", "HEAD"]}, {"status": 404}]}),
    ],
)
def test_a_match_covers_what_is_narrower(wide: dict[str, object], narrow: dict[str, object]) -> None:
    assert covers(Match.model_validate(wide), Match.model_validate(narrow))


@pytest.mark.parametrize(
    ("wide", "narrow"),
    [
        ({"uri": "/a"}, {}),
        ({"uri": "/shop/**"}, {"uri": ["/shop/a", "/shopping"]}),
        ({"uri": "/shop/*"}, {"uri": "/shop/**"}),
        ({"uri": "/shop/**"}, {"uri": "**/shop/a"}),
        ({"uri": "/s*/**"}, {"uri": "/s?/**"}),
        ({"uri": "/a"}, {"uri_regex": "/a"}),
        ({"method": "GET"}, {"method": ["GET", "POST"]}),
        ({"host": "*.example.com"}, {"host": "example.com"}),
        ({"host": "*"}, {"host": "**"}),
        ({"status": [500, 503]}, {"status": "5xx"}),
        ({"pool": "a?"}, {"pool": "a*"}),
        ({"tags": {"tenant": "*"}}, {"tags": {"plan": "*"}}),
        ({"not": {"method": "GET"}}, {}),
        ({"not": {"method": ["GET", "HEAD"]}}, {"not": {"method": "GET"}}),
    ],
)
def test_a_match_does_not_cover_what_it_may_not_be_about(
    wide: dict[str, object], narrow: dict[str, object]
) -> None:
    assert not covers(Match.model_validate(wide), Match.model_validate(narrow))


# Of each key a value that leaves something out.
NARROWING: dict[str, object] = {
    "uri": "/a",
    "uri_regex": "/a",
    "method": "GET",
    "host": "a",
    "status": 404,
    "pool": "a",
    "transaction": "a",
    "tags": {"a": "b"},
    "not": {"method": "GET"},
}


def test_every_key_of_a_match_is_looked_at() -> None:
    assert set(NARROWING) == {field.alias or name for name, field in Match.model_fields.items()}
    for key, value in NARROWING.items():
        assert not covers(Match.model_validate({key: value}), Match())
        assert covers(Match.model_validate({key: value}), Match.model_validate({key: value}))
