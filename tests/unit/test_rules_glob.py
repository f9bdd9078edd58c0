from __future__ import annotations

import time
from itertools import product

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from compassd.rules.glob import compile_glob


def matches(glob: str, text: str) -> bool:
    return compile_glob(glob).match(text) is not None


def naive(glob: str, text: str) -> bool:
    """The definition of a glob, by trying everything; for globs without classes."""
    if not glob.replace("/**", ""):
        # Nothing, or "/**" once or more.
        return not text or (text[0] == "/" and bool(glob))
    if glob.startswith("/**/") and naive(glob[3:], text):
        return True
    if glob.startswith("*"):
        double = glob.startswith("**")
        run = len(text if double else text.partition("/")[0])
        return any(naive(glob[1 + double :], text[n:]) for n in range(run + 1))
    if not text or (text[0] == "/" if glob[0] == "?" else text[0] != glob[0]):
        return False
    return naive(glob[1:], text[1:])


SYMBOLS = st.sampled_from(["a", "b", "/", "?", "*", "**", "/**/", "/*"])
GLOBS = st.lists(SYMBOLS, min_size=1, max_size=9).map("".join).filter(lambda glob: "***" not in glob)
TEXTS = st.text("ab/", max_size=14)


@settings(max_examples=2_000)
@given(GLOBS, TEXTS)
@example("**a*b", "a/ab")
@example("/**/a*/b**", "/a/ab/b")
@example("*a/**", "aab")
def test_a_glob_matches_what_its_definition_says(glob: str, text: str) -> None:
    assert matches(glob, text) == naive(glob, text)


def test_every_short_glob_matches_what_its_definition_says_on_every_short_text() -> None:
    texts = ["".join(text) for length in range(5) for text in product("ab/", repeat=length)]
    globs = [
        "".join(glob) for length in range(1, 5) for glob in product(["a", "/", "?", "*", "**"], repeat=length)
    ]
    for glob in globs:
        if "***" not in glob:
            pattern = compile_glob(glob)
            assert [t for t in texts if pattern.match(t)] == [t for t in texts if naive(glob, t)], glob


@settings(max_examples=500)
@given(st.text("abc/.-+%é", min_size=1, max_size=20), st.text("abc/.-+%é", max_size=20))
def test_a_glob_without_special_characters_matches_itself_only(glob: str, text: str) -> None:
    assert matches(glob, glob)
    assert matches(glob, text) == (glob == text)


@pytest.mark.parametrize(
    ("glob", "matching", "other"),
    [
        ("/shop/**", ["/shop", "/shop/", "/shop/a", "/shop/a/b"], ["/shops", "/", "/a/shop", "/Shop/a"]),
        ("/a/**/z", ["/a/z", "/a/b/z", "/a/b/c/z"], ["/a/bz", "/az", "/a/z/b"]),
        ("/**", ["/", "/a", "/a/b", ""], ["a"]),
        ("**", ["", "a", "/a/b", "a\nb"], []),
        ("**.php", ["/a.php", "/a/b.php", ".php"], ["/a.phps", "/a.php/"]),
        ("/users/*", ["/users/", "/users/7"], ["/users", "/users/7/posts", "/users/7/"]),
        ("/*/edit", ["/a/edit", "//edit"], ["/edit", "/a/b/edit"]),
        ("/?", ["/a", "/é"], ["/", "//", "/ab"]),
        ("/v[1-9]", ["/v1", "/v9"], ["/v0", "/v", "/v12"]),
        ("/[abc]", ["/a", "/c"], ["/d", "/A"]),
        ("/[!a-c]", ["/d", "/-"], ["/a", "/b", "//", "/"]),
        ("/[+-9]", ["/+", "/0"], ["//"]),
        ("/[a-]", ["/a", "/-"], ["/b"]),
        ("/[*][?][[]", ["/*?["], ["/abc", "/*?a"]),
        ("/[a!]", ["/!", "/a"], ["/b"]),
        ("/[a^]", ["/^"], ["/b"]),
        ("/a]", ["/a]"], ["/a"]),
        ("/a.b+(c)$|^", ["/a.b+(c)$|^"], ["/aXb+(c)$|^"]),
        ("/a", ["/a"], ["/a\n", "x/a", "/aa"]),
    ],
)
def test_the_documented_globs(glob: str, matching: list[str], other: list[str]) -> None:
    assert [text for text in [*matching, *other] if matches(glob, text)] == matching


@pytest.mark.parametrize(
    ("glob", "fault"),
    [
        ("", "is an empty glob"),
        ("/a***", "has 3 stars in a row"),
        ("/a[bc", 'has a "[" without its "]"'),
        ("/[]", 'the class "[]" is empty'),
        ("/[!]", 'the class "[!]" is empty'),
        ("/[]a]", 'the class "[]" is empty'),
        ("/[^a]", 'write "[!" instead of "[^"'),
        ("/[a/]", 'contains "/"'),
        ("/[z-a]", 'the range "z-a" runs backwards'),
        ("/\\d", "escapes nothing in a glob"),
        ("/a\x1b[", '"/a\\x1b["'),
    ],
)
def test_malformed_globs_are_refused_with_the_reason(glob: str, fault: str) -> None:
    with pytest.raises(ValueError, match=r'^"') as caught:
        compile_glob(glob)
    assert fault in str(caught.value)
    assert str(caught.value).isprintable()


HOSTILE_TEXTS = ["a" * 1_023, "/" * 1_023, "/a" * 511, "a" * 511 + "/" * 511, ("a" * 30 + "/") * 33]


@pytest.mark.parametrize("text", HOSTILE_TEXTS, ids=lambda text: text[:2] + text[-2:])
@pytest.mark.parametrize(
    "glob",
    [
        "**a**a**a**b",
        "*a*a*a*a*a*b",
        "**a*a*a*a*b**c",
        "**/**/**/**/b",
        "/**/a*/**/a*/**/b",
        "**a*b/**",
        "**/" + "*/" * 20 + "b**c",
        "*?" * 20 + "b",
        "**[a-b]" * 15 + "c/**",
        "**" + "a" * 60 + "*b",
    ],
)
def test_hostile_paths_take_no_time(glob: str, text: str) -> None:
    pattern = compile_glob(glob)
    assert pattern.match(text) is None
    # The best of three, of CPU time, as the machine may be busy. Linear needs 0.2 ms; quadratic would need
    # above 5 ms, and trying everything years.
    best = min(_seconds(glob, text) for _ in range(3))
    assert best < 0.004


def _seconds(glob: str, text: str) -> float:
    pattern = compile_glob(glob)
    start = time.thread_time()
    pattern.match(text)
    return time.thread_time() - start
