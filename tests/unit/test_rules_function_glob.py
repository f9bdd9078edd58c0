from __future__ import annotations

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from compassd.rules.function_glob import MAX_LENGTH, compile_function_glob


def matches(glob: str, name: str) -> bool:
    return compile_function_glob(glob).match(name) is not None


def naive(glob: str, name: str) -> bool:
    """The definition of a glob, by trying everything; for globs without classes."""
    if not glob:
        return not name
    if glob[0] == "*":
        return any(naive(glob[1:], name[n:]) for n in range(len(name) + 1))
    return bool(name) and (glob[0] == "?" or glob[0].lower() == name[0].lower()) and naive(glob[1:], name[1:])


GLOBS = st.text("aB:/\\?*", min_size=1, max_size=9).filter(lambda glob: not glob.startswith("\\"))


@settings(max_examples=2_000)
@given(GLOBS, st.text("Ab:/\\", max_size=14))
@example("*ab*ab", "abab")
@example("*ab*ab", "aab")
@example("a*", "a")
def test_a_glob_matches_what_its_definition_says(glob: str, name: str) -> None:
    assert matches(glob, name) == naive(glob, name)


@pytest.mark.parametrize(
    ("glob", "matching", "other"),
    [
        ("usleep", ["usleep", "uSleep"], ["usleep2", "nusleep", "usleep\n", "time_nanosleep"]),
        ("PDO*::*", ["PDO::query", "PDOStatement::execute", "pdo::QUERY"], ["PDO", r"App\PDO::query"]),
        ("PDO::*", ["PDO::query"], ["PDOStatement::execute"]),
        ("*::save", ["Cart::save", r"Shop\Cart::save"], ["save", "Cart::saveAll"]),
        (r"Shop\*", [r"Shop\Cart::total", r"Shop\Sub\f", r"SHOP\{closure}"], ["Shop::total", r"\Shop\f"]),
        ("curl_*", ["curl_exec", "curl_multi_exec"], ["curl"]),
        ("*", ["", "f", "{main}", "(unknown)", r"A\B::c"], []),
        ("**", ["", r"A\B::c"], []),
        ("{main}", ["{main}"], ["main"]),
        ("{closure:*", ["{closure:/srv/a.php:3}"], ["{closure}"]),
        ("f?", ["f1", "fF"], ["f", "f12"]),
        ("mysql[i_]*", ["mysqli_query", "mysql_query"], ["mysqlx"]),
        ("f[0-9a-c]", ["f1", "fA", "fb"], ["fd"]),
        ("f[!a]", ["fb"], ["fa", "fA"]),
        ("f[/]", ["f/"], ["f"]),
        ("stra[ß]e_é", ["straße_é"], ["straSSe_é", "straße_É"]),
        ("sleep", ["SLEEP"], ["\N{LATIN SMALL LETTER LONG S}leep"]),
        ("[*][?].+", ["*?.+"], ["a?.+"]),
    ],
)
def test_the_documented_globs(glob: str, matching: list[str], other: list[str]) -> None:
    assert [name for name in [*matching, *other] if matches(glob, name)] == matching


@pytest.mark.parametrize(
    ("glob", "fault"),
    [
        ("", 'write "*" to match every function'),
        ("f[ab", 'has a "[" without its "]"'),
        ("f[]", 'the class "[]" is empty'),
        ("f[^a]", 'write "[!" instead of "[^"'),
        ("f[z-a]", 'the range "z-a" runs backwards'),
        ("\\Shop\\Cart::total", r"""write for example "usleep", "PDO::query" or 'Shop\Cart::*'"""),
        ("usleep()", "matches no function"),
        ("Cart->total", "matches no function"),
        ("$cart", "matches no function"),
        ("a\x1bb", '"a\\x1bb" matches no function: it is too long, or does not print'),
        ("a" * (MAX_LENGTH + 1), "it is too long"),
    ],
)
def test_globs_that_can_match_nothing_are_refused_with_the_reason(glob: str, fault: str) -> None:
    with pytest.raises(ValueError, match=r'^"') as caught:
        compile_function_glob(glob)
    assert fault in str(caught.value)
    assert str(caught.value).isprintable()


@pytest.mark.parametrize("name", ["a" * 257, "a" * 256 + "b" * 1, "ab" * 128])
@pytest.mark.parametrize("glob", ["*a*a*a*a*a*a*c", "*?" * 20 + "c", "*[a-b]" * 30 + "c*", "*ab*" * 30 + "c"])
def test_hostile_names_take_no_time(glob: str, name: str) -> None:
    # Trying every way to place the pieces would take years, which the tests' time-out does not wait for.
    assert compile_function_glob(glob).match(name) is None
