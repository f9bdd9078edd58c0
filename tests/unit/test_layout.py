"""The Python side of the ABI: sizes and offsets as the compiler sees them, and decoding."""

from __future__ import annotations

import json
import struct
import subprocess
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from compassd.errors import RecordError
from compassd.kernel import layout
from compassd.kernel.limits import UNLIMITED
from lab.kernel_records import request_record

_PROGRAM = r"""
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include "compass_records.h"
#define SHOW(name, value) printf("\"%s\": %zu, ", name, (size_t)(value))
#define REQUEST(field) SHOW(#field, offsetof(struct request_record, request) + \
                            offsetof(struct compass_request, field))
#define TREE(field) SHOW("tree." #field, offsetof(struct tree_record, field))
#define NODE(field) SHOW("node." #field, offsetof(struct tree_node, field))
#define TEXT(field) SHOW("text." #field, offsetof(struct text_record, field))
#define ABSENCE(field) SHOW("absence." #field, offsetof(struct absence, field))
#define SYMBOL(field) SHOW("symbol." #field, offsetof(struct symbol, field))
#define FUNCTION(field) SHOW("function." #field, offsetof(struct function_record, field))
int main(void)
{
	printf("{");
	SHOW("request size", sizeof(struct request_record));
	SHOW("kind", offsetof(struct request_record, kind));
	SHOW("pid", offsetof(struct request_record, pid));
	SHOW("functions_lost", offsetof(struct request_record, functions_lost));
	SHOW("start_seen", offsetof(struct request_record, start_seen));
	SHOW("signal", offsetof(struct request_record, signal));
	SHOW("record head", offsetof(struct request_record, request));
	REQUEST(version); REQUEST(start_ns); REQUEST(duration_ns); REQUEST(cpu_ns); REQUEST(memory_peak);
	REQUEST(flags); REQUEST(status); REQUEST(tag_count); REQUEST(id); REQUEST(method); REQUEST(host);
	REQUEST(pool); REQUEST(uri); REQUEST(script); REQUEST(transaction); REQUEST(tags);
	SHOW("tag size", sizeof(struct compass_tag));
	SHOW("tag number", COMPASS_TAGS_MAX);
	SHOW("function size", sizeof(struct function_record));
	FUNCTION(pid); FUNCTION(line); FUNCTION(request_start_ns); FUNCTION(start_ns); FUNCTION(elapsed_ns);
	FUNCTION(depth); FUNCTION(function); FUNCTION(class); FUNCTION(file);
	SHOW("symbol size", sizeof(struct symbol));
	SYMBOL(type); SYMBOL(line); SYMBOL(function); SYMBOL(class); SYMBOL(file);
	SHOW("version value", COMPASS_ABI_VERSION);
	SHOW("late", COMPASS_REQUEST_LATE);
	SHOW("uri cut", COMPASS_REQUEST_URI_CUT);
	SHOW("function probes", COMPASS_REQUEST_FUNCTION_PROBES);
	SHOW("counters", COUNTERS);
	SHOW("lost", COUNTER_LOST);
	SHOW("functions lost", COUNTER_FUNCTIONS_LOST);
	SHOW("duration slots", COMPASS_DURATION_SLOTS);
	SHOW("tree size", offsetof(struct tree_record, nodes));
	TREE(kind); TREE(pid); TREE(start_ns); TREE(walk_ns); TREE(walks); TREE(cut); TREE(count); TREE(waits);
	TREE(last);
	SHOW("node size", sizeof(struct tree_node));
	NODE(symbol); NODE(off_ns); NODE(line); NODE(ticks); NODE(waits); NODE(parent);
	SHOW("tree nodes", COMPASS_TREE_NODES);
	SHOW("record kinds", ((RECORD_REQUEST * 10 + RECORD_TREE) * 10 + RECORD_TEXT) * 10 + RECORD_DIED);
	TEXT(kind); TEXT(pid); TEXT(start_ns); TEXT(longest_ns); TEXT(node); TEXT(length);
	ABSENCE(since_ns); ABSENCE(node); ABSENCE(is_wait); ABSENCE(has_text);
	SHOW("absence size", sizeof(struct absence));
	SHOW("absence offset", sizeof(struct tree_record));
	SHOW("text offset", offsetof(struct text_record, text));
	SHOW("text size", COMPASS_TEXT_SIZE);
	SHOW("text record", sizeof(struct text_record));
	SHOW("text sources", (TEXT_ARGUMENT * 10 + TEXT_PROPERTY) * 10 + TEXT_STREAM);
	SHOW("treeless", COUNTER_TREELESS);
	SHOW("unlimited", COMPASS_UNLIMITED);
	printf("\"end\": 0}\n");
	return 0;
}
"""


@pytest.fixture(scope="module")
def compiled(root: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, int]:
    directory = tmp_path_factory.mktemp("abi")
    source, binary = directory / "abi.c", directory / "abi"
    source.write_text(_PROGRAM)
    subprocess.run(["cc", f"-I{root}/bpf", "-o", binary, source], check=True)
    offsets: dict[str, int] = json.loads(subprocess.run([binary], check=True, capture_output=True).stdout)
    return offsets


def _positions(record: struct.Struct, count: int) -> list[int]:
    """Return the byte at which each field of record begins, found by setting one bit after the other."""
    image = bytearray(record.size)
    baseline = record.unpack(image)
    positions: dict[int, int] = {}
    for offset in range(record.size):
        image[offset] = 1
        for index, (before, after) in enumerate(zip(baseline, record.unpack(image), strict=True)):
            if before != after:
                positions.setdefault(index, offset)
        image[offset] = 0
    assert len(positions) == count
    return [positions[index] for index in range(count)]


def test_request_record_has_the_compilers_layout(compiled: dict[str, int]) -> None:
    fields = [
        *(
            "kind",
            "pid",
            "functions_lost",
            "start_seen",
            "signal",
            "version",
            "size",
            "start_ns",
            "duration_ns",
            "cpu_ns",
        ),
        *("memory_peak", "flags", "status", "uri_length", "tag_count", "id", "method", "host", "pool", "uri"),
        *("script", "transaction", "tags"),
    ]
    positions = dict(zip(fields, _positions(layout.REQUEST_RECORD, len(fields)), strict=True))
    expected = {name: offset for name, offset in compiled.items() if name in positions}
    assert expected.keys() == positions.keys() - {"size", "uri_length"}
    assert {name: positions[name] for name in expected} == expected
    assert layout.REQUEST_RECORD.size == compiled["request size"]
    assert layout.TAG.size == compiled["tag size"]
    assert compiled["tag number"] == layout.TAGS_MAX


def test_function_record_has_the_compilers_layout(compiled: dict[str, int]) -> None:
    fields = [
        *("pid", "line", "request_start_ns", "start_ns", "elapsed_ns", "depth", "function", "class", "file")
    ]
    positions = _positions(layout.FUNCTION_RECORD, len(fields))
    assert positions == [compiled[f"function.{name}"] for name in fields]
    assert layout.FUNCTION_RECORD.size == compiled["function size"]


def test_symbol_has_the_compilers_layout(compiled: dict[str, int]) -> None:
    fields = ["type", "line", "function", "class", "file"]
    assert _positions(layout.SYMBOL, len(fields)) == [compiled[f"symbol.{name}"] for name in fields]
    assert layout.SYMBOL.size == compiled["symbol size"]


def test_tree_record_has_the_compilers_layout(compiled: dict[str, int]) -> None:
    header = ["kind", "pid", "start_ns", "walk_ns", "walks", "cut", "count", "waits", "last"]
    assert _positions(layout.TREE_RECORD, 9) == [compiled[f"tree.{name}"] for name in header]
    node = ["symbol", "off_ns", "line", "ticks", "waits", "parent"]
    assert _positions(layout.TREE_NODE, 6) == [compiled[f"node.{name}"] for name in node]
    assert layout.TREE_RECORD.size == compiled["tree size"]
    assert layout.TREE_NODE.size == compiled["node size"]
    assert compiled["tree nodes"] == layout.TREE_NODES
    assert compiled["record kinds"] == 1234
    kinds = (layout.RECORD_REQUEST, layout.RECORD_TREE, layout.RECORD_TEXT, layout.RECORD_DIED)
    assert kinds == (1, 2, 3, 4)


def test_text_record_has_the_compilers_layout(compiled: dict[str, int]) -> None:
    fields = ["kind", "pid", "start_ns", "longest_ns", "node", "length"]
    assert _positions(layout.TEXT_RECORD, 6) == [compiled[f"text.{name}"] for name in fields]
    assert layout.TEXT_RECORD.size == compiled["text offset"]
    assert compiled["text size"] == layout.TEXT_SIZE
    assert layout.TEXT_RECORD.size + layout.TEXT_SIZE == compiled["text record"]
    assert compiled["text sources"] == 123


def test_an_absence_has_the_compilers_layout(compiled: dict[str, int]) -> None:
    fields = ["since_ns", "node", "is_wait", "has_text"]
    assert _positions(layout.ABSENCE, 4) == [compiled[f"absence.{name}"] for name in fields]
    assert layout.ABSENCE.size == compiled["absence size"]
    assert compiled["absence offset"] == layout.ABSENCE_OFFSET


def test_keys_are_at_the_compilers_offsets(compiled: dict[str, int]) -> None:
    assert _positions(layout.PART_KEY, 3) == [
        compiled[f"tree.{name}"] for name in ("kind", "pid", "start_ns")
    ]
    assert _positions(layout.PART_KEY, 3) == [
        compiled[f"text.{name}"] for name in ("kind", "pid", "start_ns")
    ]
    assert _positions(layout.REQUEST_KEY, 2) == [compiled["pid"], compiled["start_ns"]]
    head = ["kind", "pid", "functions_lost", "start_seen", "signal"]
    assert _positions(layout.RECORD_HEAD, 5) == [compiled[name] for name in head]
    assert layout.RECORD_HEAD.size == compiled["record head"]


def test_constants_are_the_headers(compiled: dict[str, int]) -> None:
    assert compiled["version value"] == layout.ABI_VERSION
    assert compiled["late"] == layout.REQUEST_LATE
    assert compiled["uri cut"] == layout.REQUEST_URI_CUT
    assert compiled["function probes"] == layout.REQUEST_FUNCTION_PROBES
    assert compiled["counters"] == len(layout.COUNTERS)
    assert compiled["lost"] == layout.Counter.LOST
    assert compiled["functions lost"] == layout.Counter.FUNCTIONS_LOST
    assert compiled["treeless"] == layout.Counter.TREELESS
    assert compiled["duration slots"] == layout.DURATION_SLOTS
    assert compiled["unlimited"] == UNLIMITED


def test_decodes_a_request() -> None:
    record = layout.decode_request(request_record() + b"\0" * 8, clock_offset_ns=10_000)
    request = record.request
    assert (request.pid, request.start_ns, request.started_at) == (42, 1_000, 11_000)
    assert (request.duration_ns, request.cpu_ns, request.memory_peak) == (2_000, 300, 4096)
    assert (request.status, request.method, request.host, request.pool) == (200, "GET", "example.com", "www")
    assert (request.id, request.uri, request.path) == ("abc", "/a?b=c", "/a")
    assert (request.script, request.transaction, request.tags) == ("/srv/index.php", "", {})
    assert (record.functions_lost, record.start_seen, record.function_probes) == (7, True, False)
    assert not request.uri_cut


def test_cpu_time_of_a_late_request_is_unknown() -> None:
    record = layout.decode_request(request_record(flags=layout.REQUEST_LATE, cpu_ns=0, start_seen=0), 0)
    assert record.request.cpu_ns is None
    assert not record.start_seen


@pytest.mark.parametrize("kind", [layout.RECORD_DIED, layout.RECORD_RUNNING])
def test_what_is_known_only_at_the_end_is_unknown_without_one(kind: int) -> None:
    record = layout.decode_request(request_record(kind=kind, flags=layout.REQUEST_LATE, signal=11), 0)
    request = record.request
    assert (request.status, request.memory_peak, request.cpu_ns) == (None, None, None)
    assert (request.duration_ns, record.signal) == (2_000, 11)


def test_a_wait_under_way_is_added_to_its_node() -> None:
    node = layout.TREE_NODE.pack(7, 100, 12, 3, 1, 0)
    tree = bytearray(layout.TREE_RECORD.pack(2, 42, 0, 0, 0, 0, 3, 0, 2) + node * 3)
    before = bytes(tree)
    layout.add_wait(tree, 2, 50, waits=1)
    at = layout.TREE_RECORD.size + 2 * layout.TREE_NODE.size
    assert layout.TREE_NODE.unpack_from(tree, at) == (7, 150, 12, 3, 2, 0)
    assert bytes(tree[:at]) == before[:at]


def test_flags_are_told() -> None:
    flags = layout.REQUEST_URI_CUT | layout.REQUEST_FUNCTION_PROBES
    record = layout.decode_request(request_record(flags=flags), 0)
    assert record.request.uri_cut
    assert record.function_probes


def test_tags_are_only_those_counted() -> None:
    tags = layout.TAG.pack(b"plan\0xx", b"gold") + layout.TAG.pack(b"stale", b"from before")
    record = layout.decode_request(request_record(tags=tags, tag_count=1), 0)
    assert record.request.tags == {"plan": "gold"}


def test_a_tag_count_beyond_the_bound_is_harmless() -> None:
    record = layout.decode_request(
        request_record(tags=layout.TAG.pack(b"a", b"b") * 8, tag_count=2**32 - 1), 0
    )
    assert record.request.tags == {"a": "b"}


@given(st.binary(max_size=1023))
def test_any_bytes_in_a_uri_decode_to_one_safe_line(uri: bytes) -> None:
    text = layout.decode_request(request_record(uri=uri + b"\0"), 0).request.uri
    assert text.isprintable() or "\n" not in text
    assert len(text) <= 1024
    assert not any(ord(character) < 32 or ord(character) == 127 for character in text)


@pytest.mark.parametrize("size", [0, 1, layout.REQUEST_RECORD.size - 1])
def test_a_short_request_record_is_refused(size: int) -> None:
    with pytest.raises(RecordError, match=f"{size} bytes"):
        layout.decode_request(request_record()[:size], 0)


def test_another_version_is_refused() -> None:
    with pytest.raises(RecordError, match="version 99"):
        layout.decode_request(request_record(version=99), 0)


def test_decodes_a_function() -> None:
    raw = layout.FUNCTION_RECORD.pack(
        42, 12, 1_000, 1_500, 250, 3, b"run\0junk", b"Shop\\Cart\0", b"/c.php\0"
    )
    call = layout.decode_function(raw)
    assert call == layout.FunctionRecord(42, 1_000, 1_500, 250, 3, "Shop\\Cart::run", "/c.php", 12)


def test_a_function_without_class_has_its_bare_name() -> None:
    raw = layout.FUNCTION_RECORD.pack(42, 0, 1_000, 1_500, 250, 3, b"usleep\0", b"\0junk", b"\0")
    assert layout.decode_function(raw).name == "usleep"


def test_a_short_function_record_is_refused() -> None:
    with pytest.raises(RecordError, match="expected"):
        layout.decode_function(b"\0" * (layout.FUNCTION_RECORD.size - 1))
