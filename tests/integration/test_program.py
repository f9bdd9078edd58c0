"""The eBPF program on its own: filter, counters, histogram, and losses that are counted exactly."""

from __future__ import annotations

import mmap
import os
import signal
import threading
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from compassd.errors import KernelError
from compassd.kernel import layout
from compassd.kernel.attachments import TRACE_PROBES, Attachments
from compassd.kernel.discover import Discovery
from compassd.kernel.extension import REQUEST_PROBES, open_extension, read_extension
from compassd.kernel.layout import (
    REQUEST_RECORD,
    TREE_NODE,
    TREE_RECORD,
    Counter,
    decode_function,
    decode_request,
    part_key,
)
from compassd.kernel.limits import Limits
from compassd.kernel.program import Program
from lab.fastcgi import Call, drive, drive_all
from lab.processes import wait_until
from tests.conftest import PhpFpmFactory
from tests.integration.conftest import PAGES, work

pytestmark = pytest.mark.ebpf

RECORD_BYTES = REQUEST_RECORD.size + 8  # with the ring buffer's own header
EVERYTHING = Limits(duration_ns=0)


@pytest.fixture
def own(extension: Path, tmp_path: Path) -> Path:
    """An extension that nobody else attaches to: its inode is this test's."""
    copy = tmp_path / "compass.so"
    copy.write_bytes(extension.read_bytes())
    return copy


@pytest.fixture
def program(own: Path) -> Iterator[Program]:
    """A program attached to the own extension, with ring buffers of the default size."""
    loaded = Program()
    yield from _attached(loaded, own, REQUEST_PROBES)


def _attached(program: Program, extension: Path, probes: tuple[str, ...]) -> Iterator[Program]:
    attachments = Attachments(program, probes)
    attachments.update(Discovery(extra=(extension,), directories=(), proc=extension.parent).scan())
    assert attachments.paths == [extension]
    try:
        yield program
    finally:
        attachments.close()
        program.close()


def _ids(program: Program) -> list[str]:
    requests, _ = program.poll(100)
    return [decode_request(record, 0).request.id for record in requests]


def test_only_requests_over_a_limit_come_through(program: Program, own: Path, php_fpm: PhpFpmFactory) -> None:
    program.set_limits(Limits(duration_ns=50_000_000))
    fpm = php_fpm(workers=1, extension=own)
    fpm.request(work("fast"))
    fpm.request(work("slow", ms=60))
    assert _ids(program) == ["slow"]
    program.set_limits(Limits(cpu_ns=100_000_000))
    fpm.request(work("slow", ms=60))
    fpm.request(work("busy", do="burn", ms=300))
    assert _ids(program) == ["busy"]
    program.set_limits(Limits(memory=16 * 2**20))
    fpm.request(work("small", do="memory", bytes=2**20))
    fpm.request(work("large", do="memory", bytes=20 * 2**20))
    assert _ids(program) == ["large"]
    program.set_limits(Limits())
    fpm.request(work("unlimited", ms=60))
    assert _ids(program) == []
    counters = program.counters()
    assert counters[Counter.FINISHED] == counters[Counter.STARTED] == 7
    assert counters[Counter.SHIPPED] == 3
    assert counters[Counter.LOST] == counters[Counter.LATE] == counters[Counter.DIED] == 0


def _waits(n: int) -> Call:
    return Call(script=PAGES / "waits.php", uri=f"/waits?n={n}", headers={"X-Request-ID": f"{n} waits"})


def test_a_request_that_waits_too_often_comes_through(
    program: Program, own: Path, php_fpm: PhpFpmFactory
) -> None:
    program.start_sampling(99)
    program.set_limits(Limits(waits=50, sampling=True))
    fpm = php_fpm(workers=1, extension=own)
    fpm.request(_waits(40))
    fpm.request(_waits(60))
    # The worker's tree is reused: the next request begins at nothing.
    fpm.request(_waits(40))
    tree, record = program.poll(100)[0]
    request = decode_request(record, 0).request
    assert request.id == "60 waits"
    assert part_key(tree) == (request.pid, request.start_ns)
    *_, waits, _last = TREE_RECORD.unpack_from(tree)
    assert waits == sum(node[4] for node in TREE_NODE.iter_unpack(tree[TREE_RECORD.size :]))
    assert waits == pytest.approx(60, abs=5)
    assert program.counters()[Counter.FINISHED] == 3
    assert program.counters()[Counter.SHIPPED] == 1


def test_a_request_without_a_tree_exceeds_no_limit_of_waits(
    program: Program, own: Path, php_fpm: PhpFpmFactory
) -> None:
    program.start_sampling(99)
    fpm = php_fpm(workers=1, extension=own)
    for sampling in (True, False):
        # The second request finds the tree of the first.
        program.set_limits(Limits(waits=0, sampling=sampling))
        fpm.request(_waits(9))
    assert program.counters()[Counter.FINISHED] == 2
    assert program.counters()[Counter.SHIPPED] == 1


def test_the_histogram_counts_every_request(program: Program, own: Path, php_fpm: PhpFpmFactory) -> None:
    program.set_limits(EVERYTHING)
    fpm = php_fpm(workers=1, extension=own)
    for ms in (1, 3, 20, 20, 150):
        fpm.request(work(ms=ms))
    requests, _ = program.poll(100)
    durations = [decode_request(record, 0).request.duration_ns // 1000 for record in requests]
    expected = [0] * len(program.durations())
    for microseconds in durations:
        expected[microseconds.bit_length() - 1] += 1
    assert program.durations() == expected
    assert sum(expected) == 5


def test_lost_requests_are_counted_exactly(own: Path, php_fpm: PhpFpmFactory) -> None:
    """Nobody reads: the ring buffer takes what fits, the rest is counted."""
    size = 8 * mmap.PAGESIZE
    loaded = Program(request_ring_bytes=size)
    for program in _attached(loaded, own, REQUEST_PROBES):
        program.set_limits(EVERYTHING)
        fpm = php_fpm(workers=4, extension=own)
        drive(fpm.socket, [work(f"r{n}") for n in range(100)], concurrency=4)
        requests, _ = program.poll(100)
        counters = program.counters()
        assert counters[Counter.FINISHED] == 100
        assert counters[Counter.SHIPPED] == len(requests)
        assert counters[Counter.LOST] == 100 - len(requests)
        assert size // RECORD_BYTES - 1 <= len(requests) <= size // RECORD_BYTES + 1
        # Once it is read there is room again.
        fpm.request(work("after"))
        assert _ids(program) == ["after"]


def test_lost_function_calls_are_counted_for_their_request(own: Path, php_fpm: PhpFpmFactory) -> None:
    loaded = Program(function_ring_bytes=64 * mmap.PAGESIZE)
    for program in _attached(loaded, own, TRACE_PROBES):
        program.set_limits(EVERYTHING)
        fpm = php_fpm(workers=1, extension=own, ini={"compass.function_probes": "On"})
        for calls in (10, 20_000, 10):
            fpm.request(Call(script=PAGES / "storm.php", uri=f"/storm?calls={calls}"))
            requests, functions = program.poll(100)
            (record,) = [decode_request(raw, 0) for raw in requests]
            shown = [decode_function(raw) for raw in functions]
            assert {call.request_start_ns for call in shown} == {record.request.start_ns}
            # And the script itself.
            assert len(shown) + record.functions_lost == calls + 1
            assert (record.functions_lost > 0) == (calls > 10)
        counters = program.counters()
        assert counters[Counter.FUNCTIONS_SHIPPED] + counters[Counter.FUNCTIONS_LOST] == 20_023


def test_requests_in_flight_are_known_and_forgotten(
    program: Program, own: Path, php_fpm: PhpFpmFactory
) -> None:
    program.set_limits(Limits())
    fpm = php_fpm(workers=3, extension=own)
    drive(fpm.socket, [work()] * 6, concurrency=3)
    threads = [threading.Thread(target=drive_all, args=(fpm.socket, [work(ms=1_500)])) for _ in range(3)]
    for thread in threads:
        thread.start()
    wait_until(lambda: len(program.running.keys()) == 3, timeout=1.0, what="three requests in flight")
    os.kill(fpm.worker_pids()[0], signal.SIGKILL)
    wait_until(lambda: len(program.running.keys()) == 2, timeout=1.0, what="the dead worker to be forgotten")
    assert program.counters()[Counter.DIED] == 1
    for thread in threads:
        thread.join()
    assert program.running.keys() == []


def test_a_request_that_began_before_is_told_as_such(own: Path, php_fpm: PhpFpmFactory) -> None:
    fpm = php_fpm(workers=1, extension=own)
    fpm.request(work())
    thread = threading.Thread(target=fpm.request, args=(work("early", ms=3_000),))
    thread.start()
    for program in _attached(Program(), own, REQUEST_PROBES):
        program.set_limits(EVERYTHING)
        thread.join()
        (raw,) = program.poll(1_000)[0]
        record = decode_request(raw, 0)
        assert (record.request.id, record.start_seen, record.request.cpu_ns) == ("early", False, None)
        assert record.request.duration_ns >= 3_000_000_000
        assert program.counters()[Counter.LATE] == 1
        assert program.counters()[Counter.STARTED] == 0


def test_an_extension_of_another_abi_is_counted_and_not_believed(
    own: Path, php_fpm: PhpFpmFactory, tmp_path: Path
) -> None:
    image = own.read_bytes()
    # The extension's code holds the size of its struct as a constant; another size is another ABI.
    size = layout.REQUEST_SIZE.to_bytes(4, "little")
    assert image.count(size) >= 1
    foreign = tmp_path / "foreign" / "compass.so"
    foreign.parent.mkdir()
    changed = bytearray(image.replace(size, (layout.REQUEST_SIZE - 64).to_bytes(4, "little")))
    # What the file says of itself is right, or nobody would attach to it.
    state = read_extension(own).state_offset
    changed[state : state + 12] = image[state : state + 12]
    foreign.write_bytes(changed)
    for other in _attached(Program(), foreign, REQUEST_PROBES):
        other.set_limits(EVERYTHING)
        php_fpm(workers=1, extension=foreign).request(work("foreign"))
        assert other.poll(100) == ([], [])
        assert other.counters()[Counter.FOREIGN] == 2
        assert other.counters()[Counter.FINISHED] == 0


def test_what_cannot_be_attached_to_is_an_error(program: Program, own: Path) -> None:
    with open_extension(own) as extension:
        probe = extension.image.probes["fpm_request_init"]
        beyond = replace(probe, offset=probe.offset + own.stat().st_size)
        image = replace(extension.image, probes={probe.name: beyond})
        with pytest.raises(KernelError, match=f"cannot be attached to {own}"):
            program.attach(replace(extension, image=image), probe.name)
