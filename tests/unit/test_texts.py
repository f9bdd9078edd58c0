"""Decoding text_records."""

from __future__ import annotations

import pytest

from compassd.errors import RecordError
from compassd.kernel import layout
from compassd.kernel.texts import RawText, decode_texts
from lab.kernel_records import text_record


def test_a_text_is_found_by_its_node() -> None:
    records = [text_record(b"SELECT 1"), text_record(b"/tmp/lock\0\0\0", node=9, length=9, longest_ns=6)]
    assert decode_texts(records) == {
        3: RawText(b"SELECT 1", is_cut=False, longest_ns=5),
        9: RawText(b"/tmp/lock", is_cut=False, longest_ns=6),
    }


def test_a_text_over_the_bound_is_cut() -> None:
    whole = b"x" * layout.TEXT_SIZE
    (text,) = decode_texts([text_record(whole, length=layout.TEXT_SIZE + 1)]).values()
    assert text == RawText(whole, is_cut=True, longest_ns=5)
    (text,) = decode_texts([text_record(whole)]).values()
    assert not text.is_cut


def test_of_two_texts_of_a_node_that_of_the_longer_wait_stays() -> None:
    short, long = text_record(b"short", longest_ns=1), text_record(b"long", longest_ns=2)
    assert decode_texts([short, long])[3].raw == decode_texts([long, short])[3].raw == b"long"


@pytest.mark.parametrize("record", [b"", text_record(b"SELECT")[:31], text_record(b"SEL", length=6)])
def test_a_record_that_is_too_short_is_refused(record: bytes) -> None:
    with pytest.raises(RecordError):
        decode_texts([record])
