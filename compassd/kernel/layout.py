"""Decode the records of the ring buffers: bpf/compass_records.h and bpf/compass_abi.h in Python.

Pure functions of bytes. A test compiles the headers and compares every size and offset with those here.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass
from enum import IntEnum
from functools import lru_cache

from compassd.errors import RecordError
from compassd.request import Request
from compassd.text import clean

ABI_VERSION = 1

REQUEST_LATE = 1
REQUEST_URI_CUT = 2
REQUEST_FUNCTION_PROBES = 4

# The first word of a record of request_shutdown.
RECORD_REQUEST, RECORD_TREE, RECORD_TEXT, RECORD_DIED = 1, 2, 3, 4
# Of a request that still runs: the kernel never sends it, it is made from its maps.
RECORD_RUNNING = 0
KIND = struct.Struct("=II")
# The beginning of a tree_record and of a text_record: kind, pid, start_ns.
PART_KEY = struct.Struct("=IIQ")

# struct request_record: kind, pid, functions_lost, start_seen, signal; then struct compass_request: its head,
# its layout (for the kernel side only), id, method, host, pool, uri, script, transaction, tags.
REQUEST_RECORD = struct.Struct("=IIIII4x IIQQQQIIII 56x 128s16s256s64s1024s512s128s1024s")
# What comes before struct compass_request in struct request_record.
RECORD_HEAD = struct.Struct("=IIIII4x")
REQUEST_SIZE = REQUEST_RECORD.size - RECORD_HEAD.size
# pid and start_ns of struct request_record.
REQUEST_KEY = struct.Struct("=4xI24xQ")
TAG = struct.Struct("=32s96s")
TAGS_MAX = 8
# struct function_record.
FUNCTION_SIZE, CLASS_SIZE, FILE_SIZE = 128, 128, 192
FUNCTION_RECORD = struct.Struct(f"=IIQQQI4x{FUNCTION_SIZE}s{CLASS_SIZE}s{FILE_SIZE}s")
# struct symbol: type, line, function, class, file.
SYMBOL = struct.Struct(f"=II{FUNCTION_SIZE}s{CLASS_SIZE}s{FILE_SIZE}s")


class Counter(IntEnum):
    """Indices of the map counters; enum counter in bpf/compass_records.h says what each counts."""

    STARTED = 0
    FINISHED = 1
    SHIPPED = 2
    LOST = 3
    LATE = 4
    DIED = 5
    FOREIGN = 6
    UNREADABLE = 7
    UNTRACKED = 8
    FUNCTIONS_SHIPPED = 9
    FUNCTIONS_LOST = 10
    WALKS = 11
    WALK_NS = 12
    TREES_LOST = 13
    TREELESS = 14


COUNTERS = tuple(Counter)
DURATION_SLOTS = 40

# struct tree_record: kind, pid, start_ns, walk_ns, walks, cut, count, waits, last; then its nodes: symbol,
# off_ns, line, ticks, waits, parent.
TREE_RECORD = struct.Struct("=IIQQIIIII4x")
TREE_NODE = struct.Struct("=QQIIII")
TREE_NODES = 512
NO_PARENT = 0xFFFFFFFF
# struct absence: since_ns, node, is_wait, has_text. In the value of the map workers it is behind a
# tree_record of full size.
ABSENCE = struct.Struct("=QIII4x")
ABSENCE_OFFSET = TREE_RECORD.size + TREE_NODES * TREE_NODE.size

# struct text_record: kind, pid, start_ns, longest_ns, node, length; then as much of the text as there is.
TEXT_RECORD = struct.Struct("=IIQQII")
TEXT_SIZE = 952


@dataclass(frozen=True, slots=True)
class RequestRecord:
    """One record of the ring buffer request_shutdown.

    Attributes:
        request: The request.
        functions_lost: Function calls of it that found no room in the ring buffer function_end.
        start_seen: Whether the probes were attached when it began.
        function_probes: Whether the extension was loaded with compass.function_probes=On.
        signal: What ended the worker in the middle of the request, 0 for none.
    """

    request: Request
    functions_lost: int
    start_seen: bool
    function_probes: bool
    signal: int = 0


@dataclass(frozen=True, slots=True)
class FunctionRecord:
    """One record of the ring buffer function_end: a finished call.

    Attributes:
        pid: Process id of the worker.
        request_start_ns: With pid, the key of the call's request.
        start_ns: CLOCK_MONOTONIC at the start of the call, ns.
        elapsed_ns: Wall time, ns.
        depth: Number of callers above it; 0 for the script itself.
        name: Function, or Class::method.
        file: Where the function is defined, "" for an internal one.
        line: First line of the definition, 0 for an internal one.
    """

    pid: int
    request_start_ns: int
    start_ns: int
    elapsed_ns: int
    depth: int
    name: str
    file: str
    line: int


def _text(raw: bytes) -> str:
    """Return the NUL-terminated string at the start of raw, made safe to show."""
    return clean(raw.partition(b"\0")[0], len(raw))


def record_kind(record: bytes) -> tuple[int, int]:
    """Return the kind of a record of request_shutdown (RECORD_REQUEST or RECORD_TREE) and the worker's pid.

    Raises:
        RecordError: The record is too short.
    """
    if len(record) < KIND.size:
        raise RecordError(f"a record of {len(record)} bytes; expected {KIND.size} and more")
    kind, pid = KIND.unpack_from(record)
    return kind, pid


def part_key(record: bytes) -> tuple[int, int]:
    """Return process id and start (ns) of the request that a tree_record or a text_record belongs to.

    Raises:
        RecordError: The record is too short.
    """
    if len(record) < PART_KEY.size:
        raise RecordError(f"a tree or text record of {len(record)} bytes; expected {PART_KEY.size} and more")
    _kind, pid, start_ns = PART_KEY.unpack_from(record)
    return pid, start_ns


def request_key(record: bytes) -> tuple[int, int]:
    """Return process id and start (ns) of the request in a request_record.

    Raises:
        RecordError: The record is too short.
    """
    if len(record) < REQUEST_KEY.size:
        raise RecordError(f"a request record of {len(record)} bytes; expected {REQUEST_RECORD.size}")
    pid, start_ns = REQUEST_KEY.unpack_from(record)
    return pid, start_ns


def add_wait(tree: bytearray, node: int, off_ns: int, waits: int) -> None:
    """Add a wait to a node of a tree_record."""
    at = TREE_RECORD.size + node * TREE_NODE.size
    symbol, before_ns, line, ticks, waits_before, parent = TREE_NODE.unpack_from(tree, at)
    TREE_NODE.pack_into(tree, at, symbol, before_ns + off_ns, line, ticks, waits_before + waits, parent)


def with_wait(text: bytes, longest_ns: int) -> bytes:
    """Return a text_record with another longest wait, ns."""
    kind, pid, start_ns, _, node, length = TEXT_RECORD.unpack_from(text)
    return TEXT_RECORD.pack(kind, pid, start_ns, longest_ns, node, length) + text[TEXT_RECORD.size :]


def decode_request(record: bytes, clock_offset_ns: int) -> RequestRecord:
    """Decode a record of request_shutdown.

    Args:
        record: The bytes of a struct request_record; a ring buffer may have padded them at the end.
        clock_offset_ns: Unix time minus CLOCK_MONOTONIC, ns.

    Raises:
        RecordError: The record is too short, or of another version of the ABI.
    """
    if len(record) < REQUEST_RECORD.size:
        raise RecordError(f"a request record of {len(record)} bytes; expected {REQUEST_RECORD.size}")
    fields = REQUEST_RECORD.unpack_from(record)
    (
        kind,
        pid,
        functions_lost,
        start_seen,
        signal,
        version,
        _size,
        start_ns,
        duration_ns,
        cpu_ns,
        memory_peak,
        flags,
    ) = fields[:12]
    (status, _uri_length, tag_count, id_, method, host, pool, uri, script, transaction, tags) = fields[12:]
    if version != ABI_VERSION:
        raise RecordError(f"a request record of ABI version {version}; expected {ABI_VERSION}")
    finished = kind == RECORD_REQUEST
    request = Request(
        pid=pid,
        start_ns=start_ns,
        started_at=start_ns + clock_offset_ns,
        duration_ns=duration_ns,
        cpu_ns=None if flags & REQUEST_LATE else cpu_ns,
        memory_peak=memory_peak if finished else None,
        status=status if finished else None,
        id=_text(id_),
        method=_text(method),
        host=_text(host),
        uri=_text(uri),
        uri_cut=bool(flags & REQUEST_URI_CUT),
        script=_text(script),
        pool=_text(pool),
        transaction=_text(transaction),
        tags=_tags(tags, tag_count),
    )
    return RequestRecord(
        request, functions_lost, bool(start_seen), bool(flags & REQUEST_FUNCTION_PROBES), signal
    )


def _tags(raw: bytes, count: int) -> dict[str, str]:
    used = raw[: min(count, TAGS_MAX) * TAG.size]
    return {_text(key): _text(value) for key, value in TAG.iter_unpack(used)}


# A trace has hundreds of thousands of calls of a few thousand functions.
@lru_cache(maxsize=32768)
def _function_name(class_: bytes, function: bytes) -> str:
    return clean(class_ + b"::" + function if class_ else function, CLASS_SIZE + FUNCTION_SIZE)


@lru_cache(maxsize=8192)
def _file(path: bytes) -> str:
    return clean(path, FILE_SIZE)


def decode_function(record: bytes) -> FunctionRecord:
    """Decode a record of function_end, a struct function_record.

    Raises:
        RecordError: The record is too short.
    """
    if len(record) < FUNCTION_RECORD.size:
        raise RecordError(f"a function record of {len(record)} bytes; expected {FUNCTION_RECORD.size}")
    fields = FUNCTION_RECORD.unpack_from(record)
    (pid, line, request_start_ns, start_ns, elapsed_ns, depth, function, class_, file) = fields
    return FunctionRecord(
        pid=pid,
        request_start_ns=request_start_ns,
        start_ns=start_ns,
        elapsed_ns=elapsed_ns,
        depth=depth,
        name=_function_name(class_.partition(b"\0")[0], function.partition(b"\0")[0]),
        file=_file(file.partition(b"\0")[0]),
        line=line,
    )
