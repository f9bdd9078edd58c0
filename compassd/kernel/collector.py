"""What libbpf calls for each record of a ring buffer."""

from __future__ import annotations

import ctypes

# What it is told by that: a negative number ends the reading.
_GO_ON, _STOP = 0, -1


class Collector:
    """A ring buffer's callback, which keeps the records and does no more: an exception in it would be lost.

    Args:
        limit: After how many records to ask libbpf to stop reading.
    """

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._records: list[bytes] = []

    def __call__(self, _context: object, data: int, size: int) -> int:
        """Keep a record."""
        self._records.append(ctypes.string_at(data, size))
        return _STOP if len(self._records) >= self._limit else _GO_ON

    def take(self) -> list[bytes]:
        """Return the records collected since the last time."""
        records, self._records = self._records, []
        return records
