from __future__ import annotations

import re
import tomllib
from itertools import count
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from compassd.rules.positions import KeyPath, Place, Position, locate, scan

ROOT = Path(__file__).parents[2]


def paths_of(value: object, path: KeyPath = ()) -> set[KeyPath]:
    """Every key path in what tomllib returned."""
    found: set[KeyPath] = {path} if path else set()
    if isinstance(value, dict):
        for key, inner in value.items():
            found |= paths_of(inner, (*path, key))
    if isinstance(value, list):
        for number, inner in enumerate(value):
            found |= paths_of(inner, (*path, number))
    return found


def value_at(document: object, path: KeyPath) -> object:
    for key in path:
        if isinstance(key, int):
            assert isinstance(document, list)
            document = document[key]
        else:
            assert isinstance(document, dict)
            document = document[key]
    return document


def offset(text: str, place: Place) -> int:
    lines = text.split("\n")
    return sum(len(line) + 1 for line in lines[: place.line - 1]) + place.column - 1


BARE = st.sampled_from(["a", "b", "c-d", "_", "1", "007"])
QUOTED = st.sampled_from(
    ['"a"', "'b'", '""', "''", '"x.y"', r'"\u0061"', r'"\"]"', "'#'", '"é="', "'\\'", '"[b]"']
)
KEYS = st.lists(BARE | QUOTED, min_size=1, max_size=3)
DOTS = st.sampled_from([".", " . ", "\t.", ". "])
BLANKS = st.sampled_from(["", " ", "\t ", "\n", "\r\n  ", " # ] } \" ''' \n", "#\n#,\n"])
SCALARS = st.sampled_from(
    [
        *(
            "1",
            "-1_000",
            "0xff",
            "1.5e3",
            "nan",
            "-inf",
            "true",
            "1979-05-27",
            "1979-05-27 07:32:00Z",
            "07:32:00",
        ),
        *('""', "''", r'"a\"b\\"', "'\\'", '"# ] } ="', "'# [ {'", '"é 🐘"', r'"\t\u00e9"'),
        *(
            '""""""',
            "''''''",
            '"""\na = 1\n[b]\n"""',
            "'''\n[[x]] ' '' # \n'''",
            '"""""two""""""',
            "''''q'''''",
        ),
        *('"""a \\\n   b"""', r'"""\"""\\"""', '"""one"two""three"""'),
    ]
)


@st.composite
def arrays(draw: st.DrawFn, values: st.SearchStrategy[str]) -> str:
    elements = draw(st.lists(values, max_size=3))
    text = ",".join(draw(BLANKS) + element + draw(BLANKS) for element in elements)
    return f"[{text}{draw(st.sampled_from(['', ','])) if elements else ''}{draw(BLANKS)}]"


@st.composite
def inline_tables(draw: st.DrawFn, values: st.SearchStrategy[str]) -> str:
    pairs = draw(st.lists(st.tuples(KEYS, values), max_size=3))
    return "{" + ", ".join(f" {draw(DOTS).join(key)} = {value} " for key, value in pairs) + "}"


VALUES = st.recursive(SCALARS, lambda inner: arrays(inner) | inline_tables(inner), max_leaves=6)


@st.composite
def statements(draw: st.DrawFn) -> str:
    key = draw(DOTS).join(draw(KEYS))
    left, right = draw(st.sampled_from([("", ""), (" ", " "), ("\t", "")]))
    form = draw(st.sampled_from(["value", "value", "table", "array of tables"]))
    if form == "table":
        text = f"[{left}{key}{right}]"
    elif form == "array of tables":
        text = f"[[{left}{key}{right}]]"
    else:
        text = f"{key}{left}={right}{draw(VALUES)}"
    indent = draw(st.sampled_from(["", "", "  ", "\t", "\n\n", "# [x]\n"]))
    return (
        indent + text + draw(st.sampled_from(["", " ", " # a = 'b'"])) + draw(st.sampled_from(["\n", "\r\n"]))
    )


@st.composite
def documents(draw: st.DrawFn) -> str:
    """A valid document: of random statements those that are still valid after the ones before."""
    text = ""
    for statement in draw(st.lists(statements(), min_size=1, max_size=10)):
        try:
            tomllib.loads(text + statement)
        except tomllib.TOMLDecodeError:
            continue
        text += statement
    return text


@settings(max_examples=1_000)
@given(documents())
def test_the_key_paths_are_those_of_tomllib(text: str) -> None:
    assert set(scan(text)) == paths_of(tomllib.loads(text))


@settings(max_examples=500)
@given(documents())
def test_every_key_place_holds_that_key(text: str) -> None:
    for path, position in scan(text).items():
        if isinstance(path[-1], str):
            written = re.match(r"""[\w-]+|"(?:[^"\\]|\\.)*"|'[^']*'""", text[offset(text, position.key) :])
            assert written is not None
            assert list(tomllib.loads(written[0] + " = 1")) == [path[-1]]


@settings(max_examples=500)
@given(documents())
def test_every_value_place_holds_that_value(text: str) -> None:
    # Each number of the document is made a different one first, so that no other place would do.
    numbers = count(100_000)
    text = re.sub(r"(?<=[=,\[ ])-1_000\b", lambda _: str(next(numbers)), text)
    document = tomllib.loads(text)
    for path, position in scan(text).items():
        value = value_at(document, path)
        rest = text[offset(text, position.value) :]
        if isinstance(value, str):
            assert rest.startswith(("'", '"'))
        elif isinstance(value, bool):
            assert rest.startswith("true")
        elif isinstance(value, int) and value >= 100_000:
            assert rest.startswith(str(value))


def test_places_are_counted_from_one_in_characters() -> None:
    text = (
        'é = "🐘"\n'.replace("é", '"é"')
        + '\n[[rule]]\n  budget = { duration = "1s",\tcpu="2s" }\n[[rule]]\nx.y = [1,\n 22]\n'
    )
    assert scan(text) == {
        ("é",): Position(Place(1, 1), Place(1, 7)),
        ("rule",): Position(Place(3, 3), Place(3, 3)),
        ("rule", 0): Position(Place(3, 3), Place(3, 3)),
        ("rule", 0, "budget"): Position(Place(4, 3), Place(4, 12)),
        ("rule", 0, "budget", "duration"): Position(Place(4, 14), Place(4, 25)),
        ("rule", 0, "budget", "cpu"): Position(Place(4, 31), Place(4, 35)),
        ("rule", 1): Position(Place(5, 3), Place(5, 3)),
        ("rule", 1, "x"): Position(Place(6, 1), Place(6, 1)),
        ("rule", 1, "x", "y"): Position(Place(6, 3), Place(6, 7)),
        ("rule", 1, "x", "y", 0): Position(Place(6, 8), Place(6, 8)),
        ("rule", 1, "x", "y", 1): Position(Place(7, 2), Place(7, 2)),
    }


def test_headers_below_an_array_of_tables_belong_to_its_last_element() -> None:
    text = "[[a]]\n[a.b]\nc = 1\n[[a]]\n[[a.d]]\n[[a.d]]\n[a.d.e]\nf = 2\n"
    assert set(scan(text)) == paths_of(tomllib.loads(text))
    assert scan(text)["a", 1, "d", 1, "e", "f"].value == Place(8, 5)


def test_a_path_that_is_not_there_is_located_at_what_surrounds_it() -> None:
    positions = scan('a = { b = "x" }\n')
    assert locate(positions, ("a", "b", 0, "c")) == positions["a", "b"]
    assert locate(positions, ("a", "x")) == positions["a",]
    assert locate(positions, ("x",)) is None
    assert locate(positions, ()) is None


def test_a_path_through_a_list_of_one_finds_the_element_written_without_brackets() -> None:
    positions = scan("a = { b = { c = 1 } }\nd = [{ c = 1 }]\n")
    assert locate(positions, ("a", "b", 0, "c")) == positions["a", "b", "c"]
    assert locate(positions, ("a", "b", 0, "x")) == positions["a", "b"]
    assert locate(positions, ("a", "b", 1, "c")) == positions["a", "b"]
    assert locate(positions, ("d", 0, "c")) == positions["d", 0, "c"]
    assert locate(positions, ("d", 1, "c")) == positions["d",]


@pytest.mark.parametrize("name", ["rules.example.toml", "pyproject.toml"])
def test_real_files(name: str) -> None:
    text = (ROOT / name).read_text(encoding="utf-8")
    assert set(scan(text)) == paths_of(tomllib.loads(text))


def test_long_documents_are_scanned_in_one_pass() -> None:
    text = '[[rule]]\nname = "x"\nmatch = { uri = ["/a", "/b"] }\n' * 20_000
    assert len(scan(text)) == 1 + 20_000 * 6
    text = 'a = """' + '\\"' * 300_000 + '"""\n# ' + "x" * 300_000
    assert scan(text)["a",].value == Place(1, 5)
