from __future__ import annotations

import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from compassd.rules.path_regex import MAX_LENGTH, compile_path_regex

# Longer than any URI that the extension keeps.
LONG = 2_000


@pytest.mark.parametrize(
    ("text", "matching", "other"),
    [
        ("/blog/[0-9]+", ["/blog/1", "/blog/2026"], ["/blog/", "/blog/1/", "/x/blog/1", "/blog/1x"]),
        ("/a|/b", ["/a", "/b"], ["/ab", "/a|/b", "/b/"]),
        ("^/a$", ["/a"], ["/ab"]),
        (r"/(?i:shop)/\w+", ["/shop/a", "/SHOP/é"], ["/shop/", "/shop/a-b"]),
        (r".*\.php", ["/a.php", "/a/b.php"], ["/a.phps", "/aphp"]),
        ("(?x) /a  # a comment\n", ["/a"], ["/a ", "/ab"]),
    ],
)
def test_the_whole_path_must_match(text: str, matching: list[str], other: list[str]) -> None:
    expression = compile_path_regex(text)
    assert [path for path in [*matching, *other] if expression.matches(path)] == matching


@pytest.mark.parametrize(
    ("text", "path"),
    [
        ("/(a+)+b", "/" + "a" * LONG),
        ("/(a|aa)*b", "/" + "a" * LONG),
        ("/(a|a)*b", "/" + "a" * LONG),
        ("(.*a){12}b", "/" + "a" * LONG),
        (r"(/[\w-]*)*\.php", "/a-" * (LONG // 3)),
        (r"/(\d+)*(\d+)*(\d+)*x", "/" + "1" * LONG),
    ],
)
@pytest.mark.timeout(10)
def test_no_path_makes_an_expression_slow(text: str, path: str) -> None:
    # Any of these takes an engine that backtracks longer than the universe will last.
    assert not compile_path_regex(text).matches(path)


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("", '"" is an empty expression; write "/" to match the root'),
        ("/(a", '"/(a" is not a usable regular expression: unclosed group'),
        ("/a)(b", '"/a)(b" is not a usable regular expression: unopened group'),
        ("/(?x)a #", '"/(?x)a #" is not a usable regular expression: unclosed group'),
        (r"/(a)\1", r'"/(a)\\1" is not a usable regular expression: backreferences are not supported'),
        (
            "/(?=a)",
            "is not a usable regular expression: look-around, including look-ahead and look-behind, is",
        ),
        (
            r"/(\w{1000}){9}",
            "regular expression: Compiled regex exceeds size limit of 10485760",
        ),
        ("blog/.*", '"blog/.*" matches no path: the whole path is compared, and begins with "/"'),
        ("/" + "a" * MAX_LENGTH, f"is longer than {MAX_LENGTH} characters; write several in a list"),
    ],
)
def test_what_cannot_be_used_is_refused_with_the_reason(text: str, complaint: str) -> None:
    with pytest.raises(ValueError, match=re.escape(complaint.replace("\\\\", "\\"))) as caught:
        compile_path_regex(text)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("text", "prefix"),
    [
        ("/blog/[0-9]+", "/blog/"),
        ("^/blog/.*$", "/blog/"),
        (r"\/a\.b\-c/\d", "/a.b-c/"),
        ("/blog/(?:a|b)/c", "/blog/"),
        ("/ab?", "/a"),
        ("/ab*", "/a"),
        ("/ab{0,2}", "/a"),
        ("/ab+", "/a"),
        ("/a|/b", ""),
        ("/a(b)|/c", ""),
        ("/a[(]|/c", ""),
        (r"/a\(|/c", ""),
        ("/a(?x) # (\n|/b", ""),
        ("(?i)/a", ""),
        (".*", ""),
    ],
)
def test_the_prefix_is_what_is_obvious(text: str, prefix: str) -> None:
    assert compile_path_regex(text).prefix == prefix


PIECES = (
    "/",
    "a",
    "b",
    "(?:",
    "(",
    ")",
    "|",
    "*",
    "?",
    "+",
    "{0,2}",
    "[ab]",
    "[(]",
    r"\.",
    ".",
    "^",
    "(?i)",
    "#",
)


@settings(max_examples=1_000)
@given(st.lists(st.sampled_from(PIECES), min_size=1, max_size=9).map("".join), st.text("/abA.(#", max_size=6))
def test_whatever_matches_begins_with_the_prefix(text: str, rest: str) -> None:
    try:
        expression = compile_path_regex(f"/a{text}")
    except ValueError:
        return
    for path in (f"/a{rest}", f"/{rest}", rest):
        assert not expression.matches(path) or path.startswith(expression.prefix)
