"""Put together what the ring buffer request_shutdown says of one request. Pure.

The kernel sends a request's tree, then its texts, then the request itself. Any of them may be lost when the
ring buffer is full, and those of several workers come mixed.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from compassd.errors import RecordError
from compassd.kernel import layout


@dataclass(frozen=True, slots=True)
class RequestParts:
    """The records of one request.

    Attributes:
        request: A request_record.
        died: Whether the worker died in the request.
        tree: A tree_record, None if there is none.
        texts: text_records.
    """

    request: bytes
    died: bool
    tree: bytes | None
    texts: tuple[bytes, ...]


@dataclass(slots=True)
class Assembler:
    """Keeps what came of a worker's request until the request itself comes."""

    _before: dict[int, list[bytes]] = field(default_factory=dict)

    @property
    def is_waiting(self) -> bool:
        """Whether something came of a request that has not come itself."""
        return bool(self._before)

    def take(self, record: bytes) -> RequestParts | None:
        """Take a record; return the request that it completes, if any.

        Raises:
            RecordError: The record is too short, or of an unknown kind.
        """
        kind, pid = layout.record_kind(record)
        if kind in (layout.RECORD_TREE, layout.RECORD_TEXT):
            if kind == layout.RECORD_TREE:
                self._before[pid] = []
            self._before.setdefault(pid, []).append(record)
            return None
        if kind not in (layout.RECORD_REQUEST, layout.RECORD_DIED):
            raise RecordError(f"a record of kind {kind}")
        key = layout.request_key(record)
        # Others are of an earlier request, which was lost.
        parts = [part for part in self._before.pop(pid, []) if layout.part_key(part) == key]
        trees = [part for part in parts if layout.record_kind(part)[0] == layout.RECORD_TREE]
        texts = [part for part in parts if layout.record_kind(part)[0] == layout.RECORD_TEXT]
        return RequestParts(
            record, kind == layout.RECORD_DIED, trees[0] if trees else None, tuple(texts) if trees else ()
        )
