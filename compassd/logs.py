"""Logging to standard error, in the form that suits its reader, without ever waiting for that reader."""

from __future__ import annotations

import logging
import os
import sys
import threading
from collections import deque

from compassd.line_writer import LineWriter

# sd-daemon(3): the journal takes a priority from the start of a line.
_PRIORITIES = {logging.DEBUG: 7, logging.INFO: 6, logging.WARNING: 4, logging.ERROR: 3, logging.CRITICAL: 2}

# Some MiB at most, and more than a start, a reload or a storm of failures logs at once.
_QUEUE_SIZE = 10_000
# How long the end waits for a reader to take what is queued.
_FLUSH_S = 1.0
# How often a line that does not fit on a full disk is tried again.
_RETRY_S = 1.0


class _JournalFormatter(logging.Formatter):
    def format(self, record: logging.LogRecord) -> str:
        prefix = f"<{_PRIORITIES.get(record.levelno, 6)}>"
        # A line of its own priority each: the journal makes an entry of every line.
        return "\n".join(prefix + line for line in super().format(record).splitlines())


class _TerminalFormatter(logging.Formatter):
    def format(self, record: logging.LogRecord) -> str:
        text = super().format(record)
        return text if record.levelno == logging.INFO else f"{record.levelname.lower()}: {text}"


class QueuedHandler(logging.Handler):
    """Writes log lines, in their order, from a thread of its own.

    Where nobody reads, the oldest lines that wait are dropped: the last ones say how it ended. The gap is
    told in its place. QueueHandler and QueueListener would drop uncounted, and wait for ever at the end.

    Args:
        descriptor: Where to write; stays open.
        size: How many lines may wait.
    """

    def __init__(self, descriptor: int, size: int = _QUEUE_SIZE) -> None:
        super().__init__()
        self._lines = LineWriter(descriptor)
        self._size = size
        self._changed = threading.Condition(threading.Lock())
        self._queue: deque[bytes] = deque()
        self._dropped = 0
        self._closing = False
        # A daemon thread: one that hangs in a write must not keep the process alive.
        self._thread = threading.Thread(target=self._run, name="log", daemon=True)
        self._thread.start()

    def emit(self, record: logging.LogRecord) -> None:
        """Queue the record; never waits for the reader."""
        try:
            line = self._encoded(record)
        except Exception:  # noqa: BLE001 - as every handler of the library: a bad record is no reason to end
            self.handleError(record)
            return
        with self._changed:
            if len(self._queue) == self._size:
                self._queue.popleft()
                self._dropped += 1
            self._queue.append(line)
            self._changed.notify_all()

    def close(self) -> None:
        """Write what is queued, but do not wait long for who does not read. logging calls it at exit."""
        with self._changed:
            self._closing = True
            self._changed.notify_all()
        self._thread.join(_FLUSH_S)
        super().close()

    def _run(self) -> None:
        while (line := self._next()) is not None and self._write(line):
            pass

    def _next(self) -> bytes | None:
        """Wait for a line and take it from the queue; None if there will be none."""
        with self._changed:
            self._changed.wait_for(lambda: self._queue or self._closing)
            if self._dropped:
                # Always the oldest go, so the gap is before all that waits.
                text = f"{self._dropped} log lines dropped: they were not read in time"
                self._dropped = 0
                notice = {"levelno": logging.WARNING, "levelname": "WARNING", "msg": text}
                return self._encoded(logging.makeLogRecord(notice))
            return self._queue.popleft() if self._queue else None

    def _write(self, line: bytes) -> bool:
        """Write the line, again and again if the disk is full; return whether to go on with others."""
        while True:
            try:
                self._lines.write(line)
            except BrokenPipeError:
                return False
            except OSError:
                with self._changed:
                    if self._changed.wait_for(lambda: self._closing, _RETRY_S):
                        return False
            else:
                return True

    def _encoded(self, record: logging.LogRecord) -> bytes:
        return self.format(record).encode(errors="backslashreplace") + b"\n"


def configure(level: str) -> None:
    """Send our log lines of at least level to standard error; to the journal with their priority.

    Only ours: what libraries log may hold URLs, which are secrets here. urllib3 warns with the whole URL if a
    header of an answer is malformed.
    """
    handler = _handler()
    handler.setFormatter(_JournalFormatter() if "JOURNAL_STREAM" in os.environ else _TerminalFormatter())
    handler.addFilter(logging.Filter("compassd"))
    logging.basicConfig(level=level.upper(), handlers=[handler], force=True)


def _handler() -> logging.Handler:
    # None if it was closed before we began. Its number may be that of another file now.
    return logging.NullHandler() if sys.stderr is None else QueuedHandler(sys.stderr.fileno())
