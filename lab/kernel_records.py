"""Records and maps of the eBPF program, made by hand: for tests without a kernel."""

from __future__ import annotations

import ctypes
from collections.abc import Iterator
from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import Any

from compassd.kernel import layout

PID, START_NS = 42, 1_000

# symbol, off_ns, line, ticks, waits, parent
RawNode = tuple[int, int, int, int, int, int]
OTHER: RawNode = (0, 0, 0, 0, 0, layout.NO_PARENT)


def request_record(**changes: object) -> bytes:
    """Return a request_record, with some fields changed."""
    values: dict[str, object] = {
        "kind": layout.RECORD_REQUEST,
        "pid": PID,
        "functions_lost": 7,
        "start_seen": 1,
        "signal": 0,
        "version": layout.ABI_VERSION,
        "size": 0,
        "start_ns": START_NS,
        "duration_ns": 2_000,
        "cpu_ns": 300,
        "memory_peak": 4096,
        "flags": 0,
        "status": 200,
        "uri_length": 5,
        "tag_count": 0,
        "id": b"abc\0rest of an earlier request",
        "method": b"GET\0",
        "host": b"example.com\0",
        "pool": b"www\0",
        "uri": b"/a?b=c\0",
        "script": b"/srv/index.php\0",
        "transaction": b"\0",
        "tags": b"",
    }
    if unknown := changes.keys() - values.keys():
        raise TypeError(f"a request_record has no {unknown}")
    return layout.REQUEST_RECORD.pack(*{**values, **changes}.values())


def tree_record(
    *nodes: RawNode, pid: int = PID, start_ns: int = START_NS, count: int | None = None, last: int = 0
) -> bytes:
    """Return a tree_record with those nodes, the first of which stands for what found no room."""
    used = len(nodes) if count is None else count
    header = layout.TREE_RECORD.pack(layout.RECORD_TREE, pid, start_ns, 77, 5, 2, used, 9, last)
    return header + b"".join(layout.TREE_NODE.pack(*node) for node in nodes)


def text_record(  # noqa: PLR0913 - each is a field of its own
    text: bytes,
    *,
    pid: int = PID,
    start_ns: int = START_NS,
    node: int = 3,
    longest_ns: int = 5,
    length: int | None = None,
) -> bytes:
    """Return a text_record, cut behind its text."""
    size = len(text) if length is None else length
    return layout.TEXT_RECORD.pack(layout.RECORD_TEXT, pid, start_ns, longest_ns, node, size) + text


@dataclass(slots=True)
class Map:
    """A map of the eBPF program, as far as it is used.

    Attributes:
        entries: What is in it.
        looked_up: How often an entry was looked up.
    """

    entries: dict[int, Any] = field(default_factory=dict)
    looked_up: int = 0

    def __getitem__(self, key: ctypes.c_uint32) -> Any:  # noqa: ANN401 - as bcc
        """Return the value of a key, which bcc wants as a C integer."""
        self.looked_up += 1
        return self.entries[key.value]

    def items_lookup_batch(self) -> Iterator[tuple[int, Any]]:
        """Yield keys and values."""
        yield from self.entries.items()


@dataclass(slots=True)
class Maps:
    """The maps that say what runs, empty at first; as a function they are found by their names."""

    requests: Map = field(default_factory=Map)
    starts: Map = field(default_factory=Map)
    workers: Map = field(default_factory=Map)
    texts: Map = field(default_factory=Map)

    def __call__(self, name: str) -> Map:
        """Return a map."""
        found: Map = getattr(self, name)
        return found

    def begin(self, pid: int, start_ns: int, **changes: object) -> None:
        """Let a request begin; changes are of its record, which the program does not have in full then."""
        self.requests.entries[pid] = SimpleNamespace(start_ns=start_ns, is_finished=0)
        at_start: dict[str, object] = {
            "duration_ns": 0,
            "cpu_ns": 0,
            "memory_peak": 0,
            "status": 0,
            "flags": layout.REQUEST_LATE,
        }
        record = request_record(**{**at_start, "pid": pid, "start_ns": start_ns, **changes})
        self.starts.entries[pid] = record[layout.RECORD_HEAD.size :]

    def keep_tree(self, pid: int, tree: bytes) -> None:
        """Give a worker, which is on the processor, a tree."""
        self.workers.entries[pid] = tree.ljust(layout.ABSENCE_OFFSET + layout.ABSENCE.size, b"\0")

    def end(self, pid: int) -> None:
        """Let the request of a worker end."""
        self.requests.entries[pid].is_finished = 1

    def leave(
        self, pid: int, since_ns: int, *, node: int, is_wait: bool = True, has_text: bool = False
    ) -> None:
        """Take a worker that has a tree off the processor, at a node of it."""
        absence = layout.ABSENCE.pack(since_ns, node, is_wait, has_text)
        self.workers.entries[pid] = self.workers.entries[pid][: layout.ABSENCE_OFFSET] + absence

    def keep_texts(self, pid: int, pending: bytes, *kept: bytes) -> None:
        """Give a worker's request texts: that of the wait under way, and those of earlier waits."""
        size = layout.TEXT_RECORD.size + layout.TEXT_SIZE
        self.texts.entries[pid] = b"".join(record.ljust(size, b"\0") for record in (pending, *kept))
