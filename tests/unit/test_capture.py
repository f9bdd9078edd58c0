from __future__ import annotations

import io
import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from compassd.breach import State
from compassd.calltree import NO_PARENT, CallTree
from compassd.capture import CapturedRequest, open_capture, read_requests, request_document
from compassd.errors import CompassError
from compassd.message import document, encode
from lab.breaches import make_breach, make_request
from lab.call_trees import call_trees


def _captured(tree: CallTree | None = None, **changes: Any) -> CapturedRequest:  # noqa: ANN401 - of Request
    return CapturedRequest(request=make_request(**changes), server="web-1", tree=tree)


def _read(*documents: dict[str, Any]) -> list[CapturedRequest]:
    return list(read_requests(io.BytesIO(b"".join(encode(each) + b"\n" for each in documents)), "x.jsonl"))


def _back(captured: CapturedRequest) -> CapturedRequest:
    (found,) = _read(request_document(captured))
    return found


@given(call_trees() | st.none())
def test_what_is_captured_is_read_back(tree: CallTree | None) -> None:
    captured = _captured(tree, **({"duration_ns": tree.duration_ns} if tree else {}))
    found = _back(captured)
    started_at = captured.request.started_at // 1_000 * 1_000
    assert found == replace(
        captured,
        request=replace(captured.request, started_at=started_at, start_ns=started_at),
        tree=replace(tree, last=NO_PARENT) if tree else None,
        place="x.jsonl:1",
    )


@pytest.mark.parametrize("host", ["", "shop.example", "shop.example:8443", "[2001:db8::1]:80", "[::1]"])
def test_hosts_are_read_back(host: str) -> None:
    assert _back(_captured(host=host)).request.host == host


@pytest.mark.parametrize(
    "changes",
    [
        {"cpu_ns": None, "memory_peak": None, "status": None},
        {"method": "BREW"},
        {"method": ""},
        {"uri": "/a", "uri_cut": True},
        {"transaction": "", "pool": "", "tags": {}},
    ],
)
def test_what_is_unknown_or_odd_is_read_back(changes: dict[str, Any]) -> None:
    found = _back(_captured(**changes)).request
    expected = make_request(**changes)
    names = ("cpu_ns", "memory_peak", "status", "uri", "uri_cut", "transaction", "pool", "tags")
    assert [getattr(found, name) for name in names] == [getattr(expected, name) for name in names]
    assert found.method == (expected.method or "_OTHER")


@pytest.mark.parametrize("signal", [0, 9, 11, 64])
def test_how_the_worker_died_is_read_back(signal: int) -> None:
    found = _back(replace(_captured(), state=State.DIED, signal=signal))
    assert (found.state, found.signal) == (State.DIED, signal)


def test_breaches_are_read_each_request_once() -> None:
    breaches = [
        make_breach(rule="still", state=State.RUNNING, id="one", pid=1),
        make_breach(rule="a", id="one", pid=1),
        make_breach(rule="b", id="one", pid=1),
        make_breach(rule="a", id="one", pid=2),
        make_breach(rule="a", id="two", pid=2),
        make_breach(rule="b", id="two", pid=2, started_at=1_790_000_001_000_000_000),
    ]
    found = _read(*map(document, breaches))
    assert [each.place for each in found] == ["x.jsonl:2", "x.jsonl:4", "x.jsonl:5", "x.jsonl:6"]
    assert {each.server for each in found} == {"web1"}


def _without(name: str) -> dict[str, Any]:
    return {key: value for key, value in request_document(_captured()).items() if key != name}


@pytest.mark.parametrize(
    ("line", "complaint"),
    [
        (b"{", "x.jsonl:2 is not JSON"),
        (b"[]", "x.jsonl:2 is not a JSON object"),
        (b'{"type": "compass.trace", "version": 1}', "x.jsonl:2 is no request"),
        (encode({**request_document(_captured()), "version": 2}), "x.jsonl:2 is no request"),
        (encode(_without("request")), 'x.jsonl:2 is no request: it has no object "request"'),
        (encode(_without("attributes")), 'x.jsonl:2 is no request: it has no object "attributes"'),
        (encode({**request_document(_captured()), "call_tree": []}), '"call_tree" of x.jsonl:2'),
        (encode({**request_document(_captured()), "request": {}}), 'no "duration_ns"'),
        *[
            (
                encode({**request_document(_captured()), "request": {"duration_ns": 1, "started_at": at}}),
                '"started_at" is not a time',
            )
            for at in ("", "yesterday", "2026-01-01T00:00:00", "1969-12-31T23:59:59Z", 7)
        ],
        (b" " * (16 * 2**20 + 1), "x.jsonl:2 is longer than 16 MiB"),
    ],
)
def test_errors_say_where_they_are(line: bytes, complaint: str) -> None:
    good = encode(request_document(_captured())) + b"\n"
    found = read_requests(io.BytesIO(good + line), "x.jsonl")
    next(found)
    with pytest.raises(CompassError, match=complaint):
        next(found)


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=10),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=5,
)


@given(
    st.sampled_from(["request", "attributes"]),
    st.dictionaries(
        st.sampled_from(
            [
                *("id", "duration_ns", "cpu_ns", "tags", "pool", "started_at", "uri_cut", "url.path"),
                *("server.address", "server.port", "process.pid", "http.response.status_code", "host.name"),
            ]
        ),
        json_values,
    ),
)
def test_whatever_a_document_says_is_read_or_refused(part: str, changes: dict[str, object]) -> None:
    written = request_document(_captured())
    written[part] = {**written[part], **changes}
    try:
        found = _read(json.loads(json.dumps(written)))
    except CompassError as error:
        assert "x.jsonl:1" in str(error)  # noqa: PT017 - either is right
    else:
        _read(*map(request_document, found))


def test_a_file_that_is_not_there_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(CompassError, match="No such file"), open_capture(str(tmp_path / "none")):
        pass


def test_blank_lines_and_a_byte_order_mark_do_no_harm(tmp_path: Path) -> None:
    path = tmp_path / "x.jsonl"
    path.write_bytes(b"\xef\xbb\xbf" + encode(request_document(_captured())) + b"\n\n")
    with open_capture(str(path)) as requests:
        assert len(list(requests)) == 1
