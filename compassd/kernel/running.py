"""Look at requests that still run: the kernel's in-flight table, and what its maps hold of one worker.

The kernel goes on while its maps are read. What belongs to a request carries its start, so that parts of two
requests of one worker are never put together; a figure may be of a moment before or after its neighbour.
"""

from __future__ import annotations

import ctypes
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from compassd.kernel import layout


@dataclass(frozen=True, slots=True)
class Snapshot:
    """What the maps say of a worker's request.

    Attributes:
        tree: A tree_record with the wait under way in it, None if there is none.
        texts: text_records.
        waiting_ns: How long the worker has been waiting, ns; None if it is not waiting.
    """

    tree: bytes | None
    texts: tuple[bytes, ...]
    waiting_ns: int | None


class RunningRequests:
    """Requests that have begun and not ended.

    Args:
        table: Returns a map of the eBPF program by its name.
    """

    def __init__(self, table: Callable[[str], Any]) -> None:
        self._requests = table("requests")
        self._starts = table("starts")
        self._workers = table("workers")
        self._texts = table("texts")

    def keys(self) -> list[tuple[int, int]]:
        """Return process id and start (CLOCK_MONOTONIC, ns) of every request that runs."""
        # One system call for all of them, however many there are. Keys are numbers in bcc 0.26, and are C
        # integers in 0.31.
        return [
            (int(getattr(pid, "value", pid)), flight.start_ns)
            for pid, flight in self._requests.items_lookup_batch()
            if not flight.is_finished
        ]

    def start(self, pid: int, start_ns: int) -> bytes | None:
        """Return what was known of a request at its start as a request_record; None if it has ended."""
        raw = _value(self._starts, pid)
        if raw is None:
            return None
        record = layout.RECORD_HEAD.pack(layout.RECORD_RUNNING, pid, 0, 1, 0) + raw
        return record if layout.request_key(record) == (pid, start_ns) else None

    def snapshot(self, pid: int, start_ns: int, now_ns: int) -> Snapshot:
        """Return the call tree of a request so far.

        Args:
            pid: Of the worker.
            start_ns: Of the request, CLOCK_MONOTONIC, ns.
            now_ns: Until when a wait that goes on is counted, CLOCK_MONOTONIC, ns.
        """
        raw = _value(self._workers, pid)
        if raw is None or layout.part_key(raw) != (pid, start_ns):
            return Snapshot(None, (), None)
        texts = self._text_records(pid)
        since_ns, node, is_wait, has_text = layout.ABSENCE.unpack_from(raw, layout.ABSENCE_OFFSET)
        tree = bytearray(raw[: layout.ABSENCE_OFFSET])
        if not since_ns:
            return Snapshot(bytes(tree), _of_request(texts[1:], pid, start_ns), None)
        away_ns = max(0, now_ns - since_ns)
        layout.add_wait(tree, node, away_ns, waits=is_wait)
        if texts and has_text:
            texts[0] = layout.with_wait(texts[0], away_ns)
        else:
            del texts[:1]
        return Snapshot(bytes(tree), _of_request(texts, pid, start_ns), away_ns if is_wait else None)

    def _text_records(self, pid: int) -> list[bytes]:
        """Return a worker's text_records: that of the wait under way, if there is one, and those kept."""
        raw = _value(self._texts, pid) or b""
        size = layout.TEXT_RECORD.size + layout.TEXT_SIZE
        return [raw[at : at + size] for at in range(0, len(raw), size)]


def _of_request(records: list[bytes], pid: int, start_ns: int) -> tuple[bytes, ...]:
    return tuple(record for record in records if layout.part_key(record) == (pid, start_ns))


def _value(table: Any, pid: int) -> bytes | None:  # noqa: ANN401 - bcc has no types
    try:
        return bytes(table[ctypes.c_uint32(pid)])
    except KeyError:
        return None
