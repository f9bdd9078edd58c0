"""Decode the text_records of the kernel: what a request waited for. Pure."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from compassd.errors import RecordError
from compassd.kernel import layout


@dataclass(frozen=True, slots=True)
class RawText:
    """What a function waited for at one place, as it was in PHP's memory.

    Attributes:
        raw: The text, cut at layout.TEXT_SIZE bytes.
        is_cut: Whether there is more of it.
        longest_ns: How long the wait was, ns.
    """

    raw: bytes
    is_cut: bool
    longest_ns: int


def decode_texts(records: Iterable[bytes]) -> dict[int, RawText]:
    """Return the texts in the text_records of one request, by the index of the kernel's node.

    Of two texts at one node the one of the longer wait is returned.

    Raises:
        RecordError: A record is too short.
    """
    found: dict[int, RawText] = {}
    for record in records:
        if len(record) < layout.TEXT_RECORD.size:
            raise RecordError(f"a text record of {len(record)} bytes; expected {layout.TEXT_RECORD.size}")
        _, _, _, longest_ns, node, length = layout.TEXT_RECORD.unpack_from(record)
        kept = min(length, layout.TEXT_SIZE)
        # A ring buffer may have padded it at the end.
        raw = record[layout.TEXT_RECORD.size : layout.TEXT_RECORD.size + kept]
        if len(raw) < kept:
            raise RecordError(f"a text record of {len(record)} bytes with a text of {kept}")
        if node not in found or longest_ns > found[node].longest_ns:
            found[node] = RawText(raw, length > kept, longest_ns)
    return found
