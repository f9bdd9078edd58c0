"""`compassd capture`: every request that ends, whatever its budget, as JSON lines to try rules out on."""

from __future__ import annotations

import logging
import os
import re
import socket
import sys
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from compassd import logs
from compassd.breach import State
from compassd.capture import CapturedRequest, request_document
from compassd.errors import CompassError, RecordError
from compassd.judge import read_call_tree
from compassd.kernel.assemble import Assembler, RequestParts
from compassd.kernel.attachments import Attachments
from compassd.kernel.discover import Discovery
from compassd.kernel.layout import Counter, decode_request
from compassd.kernel.limits import Limits
from compassd.kernel.program import Program
from compassd.kernel.start import load_program, tree_reader
from compassd.kernel.tree import TreeReader
from compassd.line_writer import LineWriter
from compassd.message import encode
from compassd.redact import redact_request
from compassd.settings import Settings
from compassd.signals import Signals

log = logging.getLogger(__name__)

_POLL_MS = 250
_NS_PER_S = 1_000_000_000
_INTERRUPTED = 130  # what a shell reports for a program ended by Ctrl-C
_LOSSES = {
    Counter.LOST: "%d requests were lost: they came faster than they could be read",
    Counter.UNREADABLE: "%d requests could not be read from PHP's memory",
    Counter.FOREIGN: "%d probes of another release of the extension were not understood: upgrade it",
    Counter.TREES_LOST: "%d requests lack their call tree: it came faster than it could be read",
    Counter.TREELESS: "%d requests lack their call tree: no memory, or an extension of another release",
}


@dataclass(frozen=True, slots=True)
class CaptureOptions:
    """What to capture, and for how long.

    Attributes:
        output: Where to write; None for standard output.
        uri: Compiled glob of the paths, None for all.
        count: How many requests; None: until it is interrupted, or the time is over.
        duration_ns: For how long, ns; None: until it is interrupted, or there are enough.
    """

    output: Path | None
    uri: re.Pattern[str] | None
    count: int | None
    duration_ns: int | None


def capture(settings: Settings, options: CaptureOptions) -> int:
    """Attach, write a line for each matching request until it is enough, detach, and tell what was lost.

    Raises:
        CompassError: It cannot attach, or cannot write.
    """
    logs.configure(settings.log_level)
    signals = Signals()
    signals.install()
    descriptor = _open(options.output)
    program = load_program(settings)
    attachments = Attachments(program)
    recorder = _Recorder(
        options=options,
        query_strings=settings.query_strings,
        reader=tree_reader(settings, program.symbol),
        lines=LineWriter(descriptor),
    )
    try:
        program.set_limits(Limits(duration_ns=0, sampling=settings.sampling))
        _watch(settings, program, attachments, recorder, signals)
        # What the kernel had sent before the probes were detached.
        attachments.close()
        recorder.take(program)
    finally:
        attachments.close()
        recorder.report(program.counters())
        program.close()
    unlimited = options.count is None and options.duration_ns is None
    return _INTERRUPTED if signals.stop and not unlimited and not recorder.enough else 0


def _open(output: Path | None) -> int:
    if output is None:
        return sys.stdout.fileno()
    try:
        # What customers did is nobody else's business.
        return os.open(output, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
    except OSError as error:
        raise CompassError(f"{output}: {error.strerror}", hint="give --output FILE a file") from error


def _watch(
    settings: Settings, program: Program, attachments: Attachments, recorder: _Recorder, signals: Signals
) -> None:
    discovery = Discovery(extra=settings.extension_paths)
    attachments.update(discovery.scan())
    log.info(
        "capturing: attached to %s; Ctrl-C ends it",
        ", ".join(map(str, attachments.paths)) or "no compass.so yet",
    )
    duration_ns = recorder.options.duration_ns
    begun_ns = now_ns = time.monotonic_ns()
    next_scan_ns = begun_ns + settings.rescan_interval
    while not (signals.stop or recorder.enough) and (duration_ns is None or now_ns - begun_ns < duration_ns):
        recorder.take(program, _POLL_MS)
        now_ns = time.monotonic_ns()
        if now_ns >= next_scan_ns:
            next_scan_ns = now_ns + settings.rescan_interval
            attachments.update(discovery.scan())


@dataclass(slots=True)
class _Recorder:
    """Writes the requests that are wanted, and counts."""

    options: CaptureOptions
    query_strings: bool
    reader: TreeReader
    lines: LineWriter
    _written: int = 0
    _undecodable: int = 0
    _server: str = field(default_factory=socket.gethostname)
    _assembler: Assembler = field(default_factory=Assembler)

    @property
    def enough(self) -> bool:
        """Whether there are as many requests as were asked for."""
        return self._written == self.options.count

    def take(self, program: Program, timeout_ms: int = 0) -> None:
        """Wait for records of the kernel, at most that long, and write the requests that they complete.

        Raises:
            CompassError: They cannot be written.
            BrokenPipeError: The reader has seen enough.
        """
        records, _ = program.poll(timeout_ms)
        clock_offset_ns = time.time_ns() - time.monotonic_ns()
        for record in records:
            try:
                parts = self._assembler.take(record)
                found = self._request(parts, clock_offset_ns) if parts else None
            except RecordError as error:
                self._undecodable += 1
                log.error("%s", error)  # noqa: TRY400 - the message says it all
                continue
            if found and not self.enough:
                self._write(found)

    def _write(self, captured: CapturedRequest) -> None:
        try:
            self.lines.write(encode(request_document(captured)) + b"\n")
        except BrokenPipeError:
            raise
        except OSError as error:
            where = self.options.output or "standard output"
            raise CompassError(f"{where}: {error.strerror}") from error
        self._written += 1

    def _request(self, parts: RequestParts, clock_offset_ns: int) -> CapturedRequest | None:
        record = decode_request(parts.request, clock_offset_ns)
        request = record.request
        if self.options.uri is not None and not self.options.uri.match(request.path):
            return None
        return CapturedRequest(
            request=redact_request(request, query_strings=self.query_strings),
            server=self._server,
            state=State.DIED if parts.died else State.FINISHED,
            signal=record.signal,
            tree=read_call_tree(self.reader, parts, request),
        )

    def report(self, counters: Mapping[Counter, int]) -> None:
        """Log how many requests were written, and everything that is missing."""
        log.info("captured %d requests", self._written)
        for counter, text in _LOSSES.items():
            if counters[counter]:
                log.warning(text, counters[counter])
        if self._undecodable:
            log.warning("%d requests or call trees could not be decoded", self._undecodable)
