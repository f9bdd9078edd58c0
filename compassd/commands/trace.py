"""`compassd trace`: complete function traces of requests, to standard output, on demand."""

from __future__ import annotations

import contextlib
import json
import logging
import os
import re
import socket
import sys
import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TextIO

from compassd import logs
from compassd.errors import CompassError, KernelError
from compassd.kernel.attachments import TRACE_PROBES, Attachments
from compassd.kernel.discover import Discovery
from compassd.kernel.layout import Counter, decode_function, decode_request
from compassd.kernel.limits import Limits
from compassd.kernel.program import Program
from compassd.kernel.workers import read_state, workers_by_pool
from compassd.message import attributes, request_facts
from compassd.settings import Settings
from compassd.signals import Signals
from compassd.trace import Collator, Trace

log = logging.getLogger(__name__)

TYPE, VERSION = "compass.trace", 1

_POLL_MS = 250
_FUNCTION_RING_BYTES = 64 * 2**20
_SILENCE_S = 10.0
_INTERRUPTED = 130  # what a shell reports for a program ended by Ctrl-C


@dataclass(frozen=True, slots=True)
class TraceOptions:
    """What to trace.

    Attributes:
        uri: Compiled glob of the paths, None for all.
        count: How many requests.
        function_ns: Least wall time of a function call to show, ns.
    """

    uri: re.Pattern[str] | None
    count: int
    function_ns: int


def trace(settings: Settings, options: TraceOptions, out: TextIO) -> int:
    """Attach, print a JSON object for each matching request until there were enough, and detach.

    Raises:
        CompassError: Nothing to attach to, or the extension was loaded without function probes.
    """
    logs.configure(settings.log_level)
    signals = Signals()
    signals.install()
    discovery = Discovery(extra=settings.extension_paths)
    program = Program(function_ring_bytes=_FUNCTION_RING_BYTES)
    attachments = Attachments(program, TRACE_PROBES)
    try:
        program.set_limits(Limits(duration_ns=0, function_ns=options.function_ns))
        attachments.update(discovery.scan())
        if not attachments.paths:
            raise KernelError("found no compass.so to attach to", hint="run `compassd doctor`")
        _require_function_probes(discovery)
        return _collect(program, options, signals, out)
    except BrokenPipeError:
        # The reader has seen enough. Python would complain again when it flushes at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    finally:
        attachments.close()
        _report_losses(program.counters())
        program.close()


def _collect(program: Program, options: TraceOptions, signals: Signals, out: TextIO) -> int:
    collator = Collator()
    told = 0
    warned = False
    next_notice = time.monotonic() + _SILENCE_S
    log.info("tracing: waiting for %d requests, Ctrl-C ends it", options.count)
    while not signals.stop:
        raw_requests, raw_calls = program.poll(_POLL_MS)
        clock_offset_ns = time.time_ns() - time.monotonic_ns()
        records = [decode_request(raw, clock_offset_ns) for raw in raw_requests]
        traceable = [record for record in records if record.function_probes]
        if len(traceable) < len(records) and not warned:
            log.warning("some PHP-FPMs were started without function probes: their requests are left out")
            warned = True
        for finished in collator.feed(map(decode_function, raw_calls), traceable):
            if options.uri is None or options.uri.match(finished.request.path):
                out.write(json.dumps(trace_document(finished), ensure_ascii=False) + "\n")
                out.flush()
                told += 1
                if told == options.count:
                    return 0
        if not told and time.monotonic() >= next_notice:
            log.warning("no matching request has begun and ended yet")
            next_notice += _SILENCE_S
    return _INTERRUPTED


def _require_function_probes(discovery: Discovery) -> None:
    """Raise CompassError if there are workers to ask and none of them can fire function probes."""
    states = []
    for master in discovery.masters():
        for worker in workers_by_pool(discovery.proc, master).values():
            # One that has just ended, or runs without the extension, says nothing about the others.
            with contextlib.suppress(OSError, KernelError):
                states.append(read_state(discovery.proc, worker))
    if states and not any(state.has_function_probes for state in states):
        raise CompassError(
            "PHP-FPM was started without function probes: there is nothing to trace",
            hint="set compass.function_probes=On in php.ini for FPM and restart php-fpm",
        )


def _report_losses(counters: Mapping[Counter, int]) -> None:
    if lost := counters[Counter.LOST]:
        log.warning("%d requests were lost, as they came faster than they could be read", lost)
    if lost := counters[Counter.FUNCTIONS_LOST]:
        log.warning("%d function calls were lost; --min-function leaves out short ones", lost)


def trace_document(finished: Trace) -> dict[str, object]:
    """Return a trace as the JSON object that is printed; times in ns, starts relative to the request's."""
    request = finished.request
    return {
        "type": TYPE,
        "version": VERSION,
        "request": request_facts(request),
        "attributes": attributes(request, socket.gethostname()),
        "functions": [
            {
                "name": call.name,
                "start_ns": call.start_ns - request.start_ns,
                "elapsed_ns": call.elapsed_ns,
                "depth": call.depth,
                "file": call.file,
                "line": call.line,
            }
            for call in finished.calls
        ],
        "functions_lost": finished.lost,
    }
