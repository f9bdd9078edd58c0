"""Reading what the kernel's maps say of a request that still runs."""

from __future__ import annotations

import pytest

from compassd.kernel import layout
from compassd.kernel.running import RunningRequests, Snapshot
from compassd.kernel.texts import RawText, decode_texts
from lab.kernel_records import OTHER, PID, START_NS, Maps, text_record, tree_record

NOW_NS = START_NS + 1_000
NODE = (7, 100, 12, 3, 1, layout.NO_PARENT)
TREE = tree_record(OTHER, NODE, NODE)


@pytest.fixture
def maps() -> Maps:
    maps = Maps()
    maps.begin(PID, START_NS)
    maps.keep_tree(PID, TREE)
    return maps


def _snapshot(maps: Maps, now_ns: int = NOW_NS) -> Snapshot:
    return RunningRequests(maps).snapshot(PID, START_NS, now_ns)


def _texts(snapshot: Snapshot) -> dict[int, tuple[bytes, int]]:
    return {node: (text.raw, text.longest_ns) for node, text in decode_texts(snapshot.texts).items()}


def _node(tree: bytes | None, index: int) -> tuple[int, ...]:
    assert tree is not None
    return layout.TREE_NODE.unpack_from(tree, layout.TREE_RECORD.size + index * layout.TREE_NODE.size)


def test_requests_that_have_ended_do_not_run(maps: Maps) -> None:
    maps.begin(43, 2_000)
    maps.end(43)
    maps.begin(44, 3_000)
    assert RunningRequests(maps).keys() == [(PID, START_NS), (44, 3_000)]


def test_what_was_known_at_the_start_is_a_request(maps: Maps) -> None:
    maps.begin(PID, START_NS, uri=b"/cart?id=1\0")
    record = RunningRequests(maps).start(PID, START_NS)
    assert record is not None
    request = layout.decode_request(record, 10_000).request
    assert (request.pid, request.start_ns, request.started_at, request.uri) == (
        PID,
        1_000,
        11_000,
        "/cart?id=1",
    )
    assert (request.cpu_ns, request.memory_peak, request.status) == (None, None, None)


def test_a_request_that_has_ended_since_is_not_known(maps: Maps) -> None:
    requests = RunningRequests(maps)
    assert requests.start(43, START_NS) is None
    # Its worker has begun another one.
    maps.begin(PID, START_NS + 5)
    assert requests.start(PID, START_NS) is None


def test_without_a_tree_there_is_nothing_to_see(maps: Maps) -> None:
    del maps.workers.entries[PID]
    assert _snapshot(maps) == Snapshot(None, (), None)


def test_the_tree_of_another_request_is_not_taken_for_this_ones(maps: Maps) -> None:
    maps.keep_tree(PID, tree_record(OTHER, NODE, start_ns=START_NS + 5))
    maps.keep_texts(PID, text_record(b"pending"), text_record(b"kept"))
    assert _snapshot(maps) == Snapshot(None, (), None)


def test_on_the_processor_the_tree_is_as_it_is_and_nothing_is_pending(maps: Maps) -> None:
    maps.keep_texts(PID, text_record(b"pending", node=1), text_record(b"kept", node=2))
    snapshot = _snapshot(maps)
    assert snapshot.tree is not None
    assert (snapshot.tree[: len(TREE)], snapshot.waiting_ns) == (TREE, None)
    assert _texts(snapshot) == {2: (b"kept", 5)}


def test_a_wait_under_way_is_in_the_tree_with_its_text(maps: Maps) -> None:
    maps.leave(PID, NOW_NS - 400, node=2, has_text=True)
    maps.keep_texts(PID, text_record(b"pending", node=2, longest_ns=0), text_record(b"kept", node=1))
    snapshot = _snapshot(maps)
    assert snapshot.waiting_ns == 400
    assert _node(snapshot.tree, 1) == NODE
    assert _node(snapshot.tree, 2) == (7, 500, 12, 3, 2, layout.NO_PARENT)
    assert _texts(snapshot) == {2: (b"pending", 400), 1: (b"kept", 5)}
    assert maps.workers.entries[PID].startswith(TREE)


def test_of_the_wait_under_way_and_an_earlier_one_at_its_place_the_longer_one_names_it(maps: Maps) -> None:
    maps.leave(PID, NOW_NS - 400, node=2, has_text=True)
    for longest_ns, text in ((399, b"pending"), (401, b"kept")):
        kept = text_record(b"kept", node=2, longest_ns=longest_ns)
        maps.keep_texts(PID, text_record(b"pending", node=2, longest_ns=0), kept)
        assert decode_texts(_snapshot(maps).texts)[2].raw == text


def test_a_wait_under_way_without_a_text_does_not_get_that_of_an_earlier_one(maps: Maps) -> None:
    maps.leave(PID, NOW_NS - 400, node=2)
    maps.keep_texts(PID, text_record(b"of an earlier wait", node=2), text_record(b"kept", node=1))
    snapshot = _snapshot(maps)
    assert snapshot.waiting_ns == 400
    assert _texts(snapshot) == {1: (b"kept", 5)}


def test_who_makes_room_for_others_does_not_wait(maps: Maps) -> None:
    maps.leave(PID, NOW_NS - 400, node=2, is_wait=False)
    snapshot = _snapshot(maps)
    assert snapshot.waiting_ns is None
    assert _node(snapshot.tree, 2) == (7, 500, 12, 3, 1, layout.NO_PARENT)


def test_a_wait_that_began_after_the_look_has_not_lasted(maps: Maps) -> None:
    maps.leave(PID, NOW_NS + 50, node=2)
    snapshot = _snapshot(maps)
    assert snapshot.waiting_ns == 0
    assert _node(snapshot.tree, 2)[1] == 100


def test_texts_of_an_earlier_request_are_left_out(maps: Maps) -> None:
    old = text_record(b"old", start_ns=START_NS - 5, node=1)
    maps.leave(PID, NOW_NS - 400, node=2, has_text=True)
    maps.keep_texts(PID, text_record(b"pending", node=2), old, text_record(b"kept", node=1))
    assert _texts(_snapshot(maps)) == {2: (b"pending", 400), 1: (b"kept", 5)}
    maps.keep_texts(PID, text_record(b"pending", start_ns=START_NS - 5, node=2), old)
    assert _snapshot(maps).texts == ()


def test_a_long_text_keeps_its_length(maps: Maps) -> None:
    text = b"x" * layout.TEXT_SIZE
    maps.leave(PID, NOW_NS - 400, node=2, has_text=True)
    maps.keep_texts(PID, text_record(text, node=2, length=5_000))
    assert decode_texts(_snapshot(maps).texts) == {2: RawText(text, is_cut=True, longest_ns=400)}
