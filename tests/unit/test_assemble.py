"""Putting together what the ring buffer says of one request."""

from __future__ import annotations

import pytest

from compassd.errors import RecordError
from compassd.kernel import layout
from compassd.kernel.assemble import Assembler


def _tree(pid: int = 1, start_ns: int = 10) -> bytes:
    return layout.TREE_RECORD.pack(layout.RECORD_TREE, pid, start_ns, 0, 0, 0, 1, 0, 0) + bytes(40)


def _text(text: bytes, pid: int = 1, start_ns: int = 10) -> bytes:
    return layout.TEXT_RECORD.pack(layout.RECORD_TEXT, pid, start_ns, 0, 1, len(text)) + text


def _request(pid: int = 1, start_ns: int = 10, kind: int = layout.RECORD_REQUEST) -> bytes:
    record = bytearray(layout.REQUEST_RECORD.size)
    layout.KIND.pack_into(record, 0, kind, pid)
    record[32:40] = start_ns.to_bytes(8, "little")
    return bytes(record)


def test_a_request_comes_with_its_tree_and_texts() -> None:
    assembler = Assembler()
    before = [_tree(), _text(b"a"), _tree(pid=2), _text(b"b"), _text(b"c", pid=2)]
    assert [assembler.take(record) for record in before] == [None] * 5
    parts = assembler.take(_request())
    assert parts is not None
    assert (parts.request, parts.tree, parts.texts) == (_request(), _tree(), (_text(b"a"), _text(b"b")))
    assert not parts.died
    other = assembler.take(_request(pid=2))
    assert other is not None
    assert other.texts == (_text(b"c", pid=2),)


def test_a_request_without_a_tree_has_none() -> None:
    parts = Assembler().take(_request())
    assert parts is not None
    assert (parts.tree, parts.texts) == (None, ())


def test_what_an_earlier_request_left_is_not_taken_for_this_ones() -> None:
    assembler = Assembler()
    for record in (_tree(start_ns=5), _text(b"old", start_ns=5), _text(b"new")):
        assembler.take(record)
    parts = assembler.take(_request())
    assert parts is not None
    assert (parts.tree, parts.texts) == (None, ())
    for record in (_tree(start_ns=5), _text(b"old", start_ns=5), _tree(), _text(b"new")):
        assembler.take(record)
    parts = assembler.take(_request())
    assert parts is not None
    assert (parts.tree, parts.texts) == (_tree(), (_text(b"new"),))


def test_what_is_left_of_a_group_that_another_reader_began_is_the_request_alone() -> None:
    assembler = Assembler()
    assembler.take(_text(b"its tree was read by another"))
    parts = assembler.take(_request())
    assert parts is not None
    assert (parts.tree, parts.texts) == (None, ())
    assert not assembler.is_waiting


def test_it_waits_for_a_request_whose_tree_has_come() -> None:
    assembler = Assembler()
    assembler.take(_tree())
    assert assembler.is_waiting
    assembler.take(_request(pid=2))
    assert assembler.is_waiting
    assembler.take(_request())
    assert not assembler.is_waiting


def test_a_worker_that_died_is_told_as_such() -> None:
    parts = Assembler().take(_request(kind=layout.RECORD_DIED))
    assert parts is not None
    assert parts.died


@pytest.mark.parametrize("record", [b"", b"\1\0\0\0", _request(kind=9), _request()[:30]])
def test_what_is_no_record_is_refused(record: bytes) -> None:
    with pytest.raises(RecordError):
        Assembler().take(record)
