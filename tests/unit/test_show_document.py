"""Reading a breach back: what is taken, and what is refused how."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from importlib.resources import files
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from jsonschema import Draft202012Validator

from compassd.breach import State
from compassd.calltree import NO_PARENT, CallTree, Frame, Node
from compassd.errors import CompassError
from compassd.message import encode
from compassd.show import source
from compassd.show.document import MAX_DEPTH, MAX_NODES, LastSeen, parse_breach
from compassd.show.source import InputError, find_document
from compassd.text import clean_text
from lab import hostile
from lab.call_trees import breach_document, call_trees

EXAMPLE = Path(__file__).parent / "data" / "breach.json"
SCHEMA = json.loads((files("compassd") / "schemas/breach.schema.json").read_text())


def _example() -> dict[str, Any]:
    document = json.loads(EXAMPLE.read_text())
    assert isinstance(document, dict)
    return document


def _lines(*ids: str) -> bytes:
    return b"".join(
        encode({**_example(), "id": breach_id, "rule": f"r-{breach_id}"}) + b"\n" for breach_id in ids
    )


def test_the_example_is_what_is_published() -> None:
    Draft202012Validator(SCHEMA).validate(_example())


def test_the_example_is_read() -> None:
    breach = parse_breach(*find_document(EXAMPLE.read_bytes()))
    assert breach.title == "POST /checkout/confirm"
    assert (breach.status, breach.pool, breach.server) == (200, "www", "web1")
    assert breach.call_tree
    assert breach.call_tree.duration_ns == breach.duration_ns == 1_240_000_000
    assert breach.hot_path[-1].frame.function == "PDOStatement::execute"
    assert (breach.state, breach.told_running, breach.signal, breach.last_seen) == (
        "finished",
        False,
        "",
        None,
    )


@given(call_trees())
def test_the_places_are_those_of_the_tree(tree: CallTree) -> None:
    breach = parse_breach(json.loads(encode(breach_document(tree))))
    assert breach.top_self == tuple(tree.top_self(10))
    assert breach.wait_places == tuple(tree.wait_places(10))


@given(call_trees(), st.none() | st.integers(min_value=0, max_value=10**12))
def test_where_a_request_was_seen_last_comes_back(tree: CallTree, waiting_ns: int | None) -> None:
    document = breach_document(tree, state=State.RUNNING, waiting_ns=waiting_ns)
    breach = parse_breach(json.loads(encode(document)))
    assert breach.state == State.RUNNING
    seen = tree.last_seen()
    if seen is None:
        assert breach.last_seen is None
    else:
        assert breach.last_seen == LastSeen(seen.frame, waiting_ns, seen.waited_for)


def test_what_killed_a_worker_comes_back() -> None:
    breach = parse_breach(breach_document(None, state=State.DIED, told_running=True, signal=11))
    assert (breach.state, breach.told_running, breach.signal) == ("died", True, "SIGSEGV")


def test_documents_of_earlier_releases_say_less() -> None:
    added = {"state", "told_running", "signal", "last_seen", "top_self", "wait_places"}
    breach = parse_breach({name: value for name, value in _example().items() if name not in added})
    assert (breach.state, breach.told_running, breach.signal, breach.last_seen) == ("", False, "", None)
    assert (breach.top_self, breach.wait_places) == ((), ())
    assert breach.call_tree is not None


@given(call_trees())
def test_a_tree_comes_back_as_it_was(tree: CallTree) -> None:
    # Where it was seen last is told by its names.
    expected = replace(tree, last=NO_PARENT)
    assert parse_breach(json.loads(encode(breach_document(tree)))).call_tree == expected


@pytest.mark.parametrize("fields", [{"call_tree": None, "hot_path": None}, {}])
def test_without_sampling_there_is_no_tree(fields: dict[str, None]) -> None:
    document = {k: v for k, v in _example().items() if k not in {"call_tree", "hot_path"}} | fields
    breach = parse_breach(document)
    assert breach.call_tree is None
    assert breach.hot_path == ()


def test_what_is_only_shown_may_be_missing() -> None:
    document = {"type": "compass.breach", "version": 1, "request": {"duration_ns": 5}, "attributes": {}}
    breach = parse_breach(document)
    assert (breach.title, breach.cpu_ns, breach.memory_peak, breach.tags) == ("request", None, None, ())


def test_the_last_of_json_lines_is_taken() -> None:
    assert find_document(_lines("a1", "b1", "b2"))[0]["id"] == "b2"
    assert find_document(b"\n" + _lines("a1") + b"\n\n")[0]["id"] == "a1"


def test_an_id_or_its_beginning_picks_one() -> None:
    lines = _lines("a1", "b1", "b12", "a1")
    assert find_document(lines, "a")[1] == "line 4"
    assert find_document(lines, "b12")[0]["rule"] == "r-b12"
    assert find_document(lines, "b1")[0]["rule"] == "r-b1"
    with pytest.raises(InputError, match='2 breaches have an id that begins with "b"'):
        find_document(lines, "b")
    with pytest.raises(InputError, match='no breach with the id "c"'):
        find_document(lines, "c")


def test_an_incident_stands_for_its_worst_breach() -> None:
    exemplars = [{**_example(), "id": breach_id} for breach_id in ("a1", "b1", "b2")]
    lines = _lines("c1") + encode({"type": "compass.incident", "id": "x", "exemplars": exemplars})
    assert parse_breach(*find_document(lines)).id == "a1"
    assert parse_breach(*find_document(lines, "b2")).id == "b2"
    assert find_document(lines, "b1")[1] == "breach 2 of line 2"
    assert find_document(lines, "c")[1] == "line 1"
    with pytest.raises(InputError, match='2 breaches have an id that begins with "b"'):
        find_document(lines, "b")
    with pytest.raises(InputError, match='there is no breach with the id "x"'):
        find_document(lines, "x")


@pytest.mark.parametrize("exemplars", [None, [], {}, "a", [1]])
def test_an_incident_without_breaches_is_refused(exemplars: object) -> None:
    with pytest.raises(
        InputError, match='the input is not an incident: it has no list of objects "exemplars"'
    ):
        find_document(encode({"type": "compass.incident", "exemplars": exemplars}))


def test_lines_that_are_not_wanted_need_not_be_whole() -> None:
    assert find_document(_lines("a1") + b"garbage\n" + _lines("b1"), "a1")[0]["id"] == "a1"
    with pytest.raises(InputError, match=r"line 2 is not JSON: .*column"):
        find_document(_lines("a1") + b'{"id": "b')


@pytest.mark.parametrize(
    ("raw", "message"),
    [
        (b"", "empty"),
        (b" \n\n", "empty"),
        (b"hello", "not JSON"),
        (b'{"a":\n 1\n 2}', "not JSON: .*line 3"),
        (b'{"a": NaN}', "NaN is not JSON"),
        (b"[1]", "not a JSON object"),
        (b"\xff\xfe", "not JSON"),
        (b"[" * 100_000, "not JSON"),
        (b'{"a": ' + b"1" * 5_000 + b"}", "not JSON"),
    ],
)
def test_what_is_no_document_is_refused(raw: bytes, message: str) -> None:
    with pytest.raises(InputError, match=message):
        find_document(raw)


def test_the_input_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(source, "MAX_BYTES", 100)
    with pytest.raises(InputError, match="larger") as error:
        find_document(b" " * 101)
    assert "tail" in error.value.hint


def _set(*path: str | int, value: object) -> Callable[[Any], None]:
    def change(document: Any) -> None:  # noqa: ANN401 - nested JSON
        for step in path[:-1]:
            document = document[step]
        document[path[-1]] = value

    return change


_NODE = {"function": "f", "file": "", "line": 0, "parent": None, "on_cpu_ns": 0, "off_cpu_ns": 0, "waits": 0}


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (_set("type", value="compass.trace"), "is not a breach"),
        (_set("version", value=2), "another version"),
        (_set("request", value=None), 'no object "request"'),
        (_set("attributes", value=[]), 'no object "attributes"'),
        (_set("request", "duration_ns", value="1s"), 'no "duration_ns"'),
        (_set("request", "duration_ns", value=-1), 'no "duration_ns"'),
        (_set("call_tree", value="x"), "not an object"),
        (_set("call_tree", value={}), "cannot be read: .*nodes"),
        (_set("call_tree", "nodes", value=3), "cannot be read"),
        (_set("call_tree", "nodes", 0, value=3), "cannot be read"),
        (_set("call_tree", "nodes", 2, "parent", value=2), "before its parent"),
        (_set("call_tree", "nodes", 2, "on_cpu_ns", value=-1), "negative"),
        (_set("call_tree", "nodes", 2, "line", value=2**70), "too large"),
        (_set("call_tree", "nodes", 2, "waits", value=float("inf")), "cannot be read"),
        (_set("call_tree", "other", "waits", value="many"), "cannot be read"),
        (_set("call_tree", "nodes", value=[_NODE] * (MAX_NODES + 1)), "at most"),
        (
            _set("call_tree", "nodes", value=[_NODE, *({**_NODE, "parent": n} for n in range(MAX_DEPTH))]),
            "calls deep",
        ),
        (_set("hot_path", value={}), '"hot_path".* cannot be read'),
        (_set("hot_path", 0, "share", value=-1), "cannot be read"),
        (_set("hot_path", 0, value={}), "cannot be read"),
        (_set("top_self", value=5), '"top_self".* cannot be read'),
        (_set("top_self", 0, "line", value=-1), "line is negative"),
        (_set("wait_places", value=[{}]), '"wait_places".* cannot be read'),
        (_set("wait_places", 0, "waits", value=2**70), "waits is negative or too large"),
        (_set("wait_places", value=[_NODE] * 1_001), "too long"),
        (_set("last_seen", value="here"), '"last_seen".* cannot be read'),
        (_set("last_seen", value={"function": "f", "file": "", "line": 0}), "waiting_ns"),
    ],
)
def test_a_document_that_cannot_be_shown_is_refused(change: Callable[[Any], None], message: str) -> None:
    document = _example()
    change(document)
    with pytest.raises(InputError, match=message):
        parse_breach(document)


@given(hostile.texts)
def test_every_text_is_cleaned_and_bounded(text: str) -> None:
    tree = CallTree(duration_ns=9, nodes=(Node(Frame(text, text, 1), -1, 1, 1, 1, text),), last=0)
    fields = {"uri": text, "method": text, "host": text, "tags": {text: text}, "rule": text}
    document = breach_document(tree, state=State.RUNNING, **fields) | {"state": text, "signal": text}
    breach = parse_breach(json.loads(encode(document)))
    assert breach.call_tree
    assert breach.last_seen
    node, last, wait = breach.call_tree.nodes[0], breach.last_seen, breach.wait_places[0]
    frames = [node.frame, last.frame, breach.top_self[0][0], wait.frame, breach.hot_path[0].frame]
    shown = [breach.path, breach.method, breach.host, breach.rule, breach.summary]
    shown += [breach.state, breach.signal, node.waited_for, last.waited_for, wait.waited_for]
    shown += [name for frame in frames for name in (frame.function, frame.file)]
    for part in [*shown, *(part for tag in breach.tags for part in tag)]:
        assert part == clean_text(part)
        assert len(part) <= 1_000


_json = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
)


@given(st.sampled_from(sorted(_example())), _json)
def test_any_value_anywhere_is_read_or_refused(name: str, value: object) -> None:
    try:
        parse_breach({**_example(), name: value})
    except CompassError as error:
        assert str(error) == clean_text(str(error))  # noqa: PT017 - it may also be read
