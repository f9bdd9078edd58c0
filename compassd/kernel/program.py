"""Load the eBPF program and read its maps and ring buffers. The only module that imports bcc."""

from __future__ import annotations

import ctypes
import mmap
from collections.abc import Callable, Iterable, Mapping

import bcc
from bcc import libbcc
from bcc.utils import get_possible_cpus

from compassd.errors import KernelError
from compassd.kernel.collector import Collector
from compassd.kernel.extension import OpenExtension
from compassd.kernel.layout import COUNTERS, FUNCTION_RECORD, SYMBOL, TREE_RECORD, Counter
from compassd.kernel.legacy import Legacy
from compassd.kernel.limits import Limits
from compassd.kernel.running import RunningRequests
from compassd.kernel.source import own_headers, source_directory, source_text
from compassd.kernel.symbols import Symbol, Symbols

# Which program handles which probe.
HANDLERS = {
    "fpm_request_init": "on_request_init",
    "fpm_request_shutdown": "on_request_shutdown",
    "php_function_end": "on_function_end",
}

# How workers end.
_TRACEPOINTS = {
    "sched_process_exit": "on_process_exit",
    "signal_generate": "on_signal_sent",
    "signal_deliver": "on_signal",
}

# The stages of a walk of the stack, for the programs that begin one: the first is attached, the others are
# reached by tail calls through a map.
_STAGES = {
    "tick_stages": (bcc.BPF.PERF_EVENT, ("on_tick", "tick_identify", "tick_end")),
    "switch_stages": (bcc.BPF.RAW_TRACEPOINT, ("on_switch", "switch_identify", "switch_end")),
}
_PERF_TYPE_SOFTWARE, _PERF_COUNT_SW_CPU_CLOCK = 1, 0

_ENTRY = 0  # BPF_PROBE_ENTRY of libbcc's enum bpf_probe_attach_type
_EVERY_PROCESS = -1
_REQUEST_RING_BYTES = 16 * 2**20

# libbcc has taken the semaphore's offset as a seventh argument since 0.17; its Python declaration lacks it.
_attach_uprobe = libbcc.lib.bpf_attach_uprobe
_attach_uprobe.argtypes = [
    ctypes.c_int,
    ctypes.c_int,
    ctypes.c_char_p,
    ctypes.c_char_p,
    ctypes.c_uint64,
    ctypes.c_int,
    ctypes.c_uint32,
]


class Program:
    """The loaded eBPF program. Close it to detach and free everything.

    Args:
        request_ring_bytes: Size of the ring buffer request_shutdown, a power of two of pages.
        function_ring_bytes: Size of the ring buffer function_end, likewise.
        processes: How many workers can be in a request at once.

    Raises:
        KernelError: It cannot be compiled or loaded.
    """

    def __init__(
        self,
        *,
        request_ring_bytes: int = _REQUEST_RING_BYTES,
        function_ring_bytes: int = mmap.PAGESIZE,
        processes: int = 8192,
    ) -> None:
        directory = source_directory()
        definitions = {
            "COMPASS_REQUEST_RING_PAGES": request_ring_bytes // mmap.PAGESIZE,
            "COMPASS_FUNCTION_RING_PAGES": function_ring_bytes // mmap.PAGESIZE,
            "COMPASS_PROCESSES": processes,
        }
        flags = [f"-I{directory}", *(f"-D{name}={value}" for name, value in definitions.items())]
        try:
            with own_headers(directory):
                self._bpf = bcc.BPF(text=source_text(directory).encode(), cflags=flags)
            self._handlers = {
                probe: self._bpf.load_func(handler.encode(), bcc.BPF.KPROBE).fd
                for probe, handler in HANDLERS.items()
            }
            for tracepoint, handler in _TRACEPOINTS.items():
                self._bpf.attach_raw_tracepoint(tp=tracepoint.encode(), fn_name=handler.encode())
        except Exception as error:  # bcc raises bare Exception
            raise KernelError(
                f"the eBPF program cannot be loaded: {error}",
                hint="run `compassd doctor` as root: it names what the kernel or the privileges lack",
            ) from error
        self._running = RunningRequests(lambda name: self._bpf[name.encode()])
        self._symbols = Symbols(symbol_reader(self._map("symbols")))
        # No more than a ring buffer can hold at once: whoever fills it faster than this reads it must not
        # keep poll() from returning.
        self._requests = Collector(request_ring_bytes // TREE_RECORD.size + 1)
        self._functions = Collector(function_ring_bytes // FUNCTION_RECORD.size + 1)
        # In this order: poll() counts on the function calls being read before the requests.
        self._bpf[b"function_end"].open_ring_buffer(self._functions)
        self._bpf[b"request_shutdown"].open_ring_buffer(self._requests)

    def set_limits(self, limits: Limits) -> None:
        """Tell the kernel what to let through, from the next probe on."""
        table = self._bpf[b"settings"]
        table[0] = table.Leaf(
            limits.duration_ns,
            limits.cpu_ns,
            limits.memory,
            limits.waits,
            limits.function_ns,
            int(limits.sampling),
        )

    def start_sampling(self, rate_hz: int) -> None:
        """Follow workers in a request: on the processor rate_hz times a second, off it always.

        Raises:
            KernelError: The kernel refuses.
        """
        try:
            for table, (kind, stages) in _STAGES.items():
                for index, stage in enumerate(stages[1:]):
                    function = self._bpf.load_func(stage.encode(), kind)
                    self._bpf[table.encode()][ctypes.c_int(index)] = ctypes.c_int(function.fd)
            self._bpf.attach_perf_event(
                ev_type=_PERF_TYPE_SOFTWARE,
                ev_config=_PERF_COUNT_SW_CPU_CLOCK,
                fn_name=b"on_tick",
                sample_freq=rate_hz,
            )
            self._bpf.attach_raw_tracepoint(tp=b"sched_switch", fn_name=b"on_switch")
        except Exception as error:  # bcc raises bare Exception
            raise KernelError(
                f"the sampler cannot be started: {error}",
                hint="set sampling = false in the settings to do without call trees",
            ) from error

    def symbol(self, key: int) -> Symbol | None:
        """Return what the kernel has read about a function, None if it has forgotten it since."""
        return self._symbols.get(key)

    def set_text_sources(self, sources: Mapping[tuple[int, int], int]) -> None:
        """Tell the kernel which functions wait for something that has a text, and where they have it.

        Args:
            sources: From the hashes of class and function to the source; see text_key in compass_records.h.
        """
        table = self._bpf[b"text_sources"]
        for (scope, function), source in sources.items():
            table[table.Key(scope, function)] = table.Leaf(source)

    def attach(self, extension: OpenExtension, name: str) -> int:
        """Attach the handler of a probe to the extension, for all its processes, present and future.

        The kernel raises the probe's semaphore, and lowers it when the returned descriptor is closed, also by
        the death of this process.

        Args:
            extension: What is attached to; it may be closed afterwards.
            name: Of the probe.

        Raises:
            KernelError: The kernel refuses.
        """
        probe = extension.image.probes[name]
        ctypes.set_errno(0)
        descriptor: int = _attach_uprobe(
            self._handlers[name],
            _ENTRY,
            f"compass_{name}".encode(),
            # The kernel takes a path only. This one leads to the file itself, not by its name.
            f"/proc/self/fd/{extension.descriptor}".encode(),
            probe.offset,
            _EVERY_PROCESS,
            probe.semaphore_offset,
        )
        if descriptor < 0:
            raise KernelError(
                f"probe {name} cannot be attached to {extension.path}",
                hint="attaching needs CAP_SYS_ADMIN; run `compassd doctor`",
            )
        return descriptor

    def poll(self, timeout_ms: int) -> tuple[list[bytes], list[bytes]]:
        """Wait for records and return them: those of request_shutdown, those of function_end.

        The function calls of every request returned are returned with it, or were before, because a worker
        sends them before its request ends. Returns early when a signal arrives.
        """
        self._bpf.ring_buffer_poll(timeout_ms)
        requests = self._requests.take()
        functions = self._functions.take()
        if requests:
            # A call may have come after its ring buffer was read and before that of the requests was. Every
            # call that was there when a request was read fits into one more reading.
            self._bpf.ring_buffer_consume()
            functions += self._functions.take()
        return requests, functions

    def counters(self) -> dict[Counter, int]:
        """Return the counters, summed over the processors."""
        return read_counters(self._map("counters"))

    def mark_reported(self, counters: Mapping[Counter, int]) -> None:
        """Leave it to the next process to tell of what is counted beyond these."""
        table = self._bpf[b"reported"]
        for counter, value in counters.items():
            table[counter.value] = table.Leaf(value)

    def durations(self) -> list[int]:
        """Return the histogram of durations: slot n counts requests of 2^n <= us < 2^(n+1)."""
        table = self._bpf[b"durations"]
        return [sum(table[slot]) for slot in range(len(table))]

    @property
    def running(self) -> RunningRequests:
        """The requests that have begun and not ended."""
        return self._running

    def leave(self, attached: Iterable[int]) -> Legacy:
        """Return what the program goes on by without this process; close() then only closes.

        Args:
            attached: What attach() has returned.

        Raises:
            KernelError: It is attached to more than the map for it has room for.
        """
        clocks = [clock for each in self._bpf.open_perf_events.values() for clock in each.values()]
        try:
            for index, event in enumerate((*attached, *clocks)):
                self._bpf[b"events"][ctypes.c_int(index)] = ctypes.c_int(event)
        except Exception as error:  # bcc raises bare Exception
            raise KernelError(f"not everything can stay attached: {error}") from error
        # bcc stops those that it knows of before it closes them.
        self._bpf.open_perf_events.clear()
        # The kernel empties a map of programs when nobody has it open.
        stages = map(self._map, _STAGES)
        return Legacy(
            attached=(self._map("events"), *stages, *self._bpf.raw_tracepoint_fds.values()),
            requests=self._map("request_shutdown"),
            symbols=self._map("symbols"),
            counters=self._map("counters"),
            reported=self._map("reported"),
        )

    def close(self) -> None:
        """Detach and free everything. The program is of no use after that."""
        self._bpf.cleanup()

    def _map(self, name: str) -> int:
        descriptor: int = self._bpf[name.encode()].map_fd
        return descriptor


class RequestRing:
    """The ring buffer request_shutdown of a program that another process has loaded.

    Args:
        descriptor: Of the ring buffer; stays open.

    Raises:
        KernelError: It cannot be read.
    """

    def __init__(self, descriptor: int) -> None:
        self._records = Collector(_REQUEST_RING_BYTES // TREE_RECORD.size + 1)
        # As long as libbpf may call it.
        self._callback = libbcc._RINGBUF_CB_TYPE(self._records)  # noqa: SLF001 - bcc does the same in table.py
        self._reader = libbcc.lib.bpf_new_ringbuf(descriptor, self._callback, None)
        if not self._reader:
            raise KernelError(
                "the ring buffer of the process before cannot be read",
                hint="requests that ended in between are not told",
            )

    def read(self) -> list[bytes]:
        """Return the records that it holds."""
        libbcc.lib.bpf_consume_ringbuf(self._reader)
        return self._records.take()

    def close(self) -> None:
        """Free what it was read with."""
        libbcc.lib.bpf_free_ringbuf(self._reader)


def symbol_reader(descriptor: int) -> Callable[[int], bytes | None]:
    """Return what looks up a struct symbol in the map symbols, whichever process has made it."""

    def look_up(key: int) -> bytes | None:
        value = ctypes.create_string_buffer(SYMBOL.size)
        status = libbcc.lib.bpf_lookup_elem(descriptor, ctypes.byref(ctypes.c_uint64(key)), value)
        return value.raw if status == 0 else None

    return look_up


def read_counters(descriptor: int) -> dict[Counter, int]:
    """Return what the map counters holds, summed over the processors, whichever process has made it."""
    return _read_counters(descriptor, len(get_possible_cpus()))


def read_reported(descriptor: int) -> dict[Counter, int]:
    """Return what the map reported holds, whichever process has made it."""
    return _read_counters(descriptor, 1)


def _read_counters(descriptor: int, width: int) -> dict[Counter, int]:
    values = (ctypes.c_uint64 * width)()
    counters = {}
    for counter in COUNTERS:
        libbcc.lib.bpf_lookup_elem(descriptor, ctypes.byref(ctypes.c_uint32(counter)), values)
        counters[counter] = sum(values)
    return counters
