"""What would be told, on standard output instead: nothing is sent, and nothing is kept.

Breaches, and the messages that incidents come to, are printed by a thread of their own, so that a slow reader
keeps nobody from reading the kernel's records.
"""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable, Mapping
from typing import Any

from compassd.breach import Breach
from compassd.delivery import Teller
from compassd.incidents.book import IncidentBook
from compassd.line_writer import LineWriter
from compassd.message import document, encode, rfc3339, summary
from compassd.notice import DigestNotice, IncidentNotice
from compassd.outgoing import Counters
from compassd.redact import redact
from compassd.settings import Settings
from compassd.settings_destinations import gets_incidents
from compassd.text import shorten

TYPE, VERSION = "compass.dry_run", 1

NAME = "standard output"
"""What its counters are called."""

_LOOK_S = 0.25
_MAX_WHERE = 200
_JOIN_S = 1.0


class DryRun(Teller):
    """Prints instead of sending. Its thread starts at once.

    Args:
        settings: The settings.
        server: Name of this machine.
        descriptor: Where to print.
        as_json: Whether lines are JSON.
        reader_gone: Called when nobody reads any more.
    """

    post = None

    def __init__(
        self,
        settings: Settings,
        server: str,
        descriptor: int,
        *,
        as_json: bool,
        reader_gone: Callable[[], None],
    ) -> None:
        self._settings = settings
        self._of_incidents = frozenset(
            name for name, wanted in settings.destinations.items() if gets_incidents(wanted)
        )
        self._book = IncidentBook(settings.incidents, server)
        self._lines = LineWriter(descriptor)
        self._as_json = as_json
        self._reader_gone = reader_gone
        self._changed = threading.Condition()
        self._queue: deque[Breach] = deque()
        self._stopped = False
        self._finished = 0
        self._printing = self._printed = self._failed = self._overflowed = 0
        self._thread = threading.Thread(target=self._run, name="dry-run", daemon=True)
        self._thread.start()

    def accept(self, breach: Breach) -> None:
        """Queue the breach, redacted as for destinations; or count it as overflowed."""
        redacted = redact(breach, query_strings=self._settings.query_strings)
        with self._changed:
            if len(self._queue) >= self._settings.queue_size:
                self._overflowed += 1
                return
            self._queue.append(redacted)
            self._changed.notify_all()

    def note_requests(self, finished: int) -> None:
        """Take note of how many requests have finished since the daemon began."""
        with self._changed:
            self._finished = finished

    def stats(self) -> dict[str, Counters]:
        """Return what became of the breaches."""
        with self._changed:
            queued = len(self._queue) + self._printing
            return {NAME: Counters(queued, self._printed, self._failed, self._overflowed)}

    def drain(self, timeout_s: float) -> int:
        """Print what is queued, for at most timeout_s, and return how many breaches were left."""
        with self._changed:
            self._changed.wait_for(lambda: not (self._queue or self._printing), timeout_s)
            return len(self._queue) + self._printing

    def close(self) -> None:
        """Print the incidents that have just begun, and end."""
        with self._changed:
            self._stopped = True
            self._changed.notify_all()
        self._thread.join(_JOIN_S)

    def _run(self) -> None:
        stopped = False
        while not stopped:
            with self._changed:
                self._changed.wait_for(lambda: self._stopped or self._queue, _LOOK_S)
                stopped = self._stopped
                taken, self._queue = self._queue, deque()
                self._printing = len(taken)
                finished = self._finished
            self._book.note_requests(finished, time.time_ns())
            failed = sum(not self._print(breach) for breach in taken)
            # Who ends it wants to know what would have been told in a moment.
            self._print_messages(time.time_ns() + (self._settings.incidents.coalesce if stopped else 0))
            with self._changed:
                self._failed += failed
                self._printed += len(taken) - failed
                self._printing = 0
                self._changed.notify_all()

    def _print(self, breach: Breach) -> bool:
        now = time.time_ns()
        self._print_messages(now)
        at_once = [name for name in breach.destinations if name not in self._of_incidents]
        later = [name for name in breach.destinations if name in self._of_incidents]
        self._book.take(breach, later, now)
        if self._as_json:
            fields = {"destinations": at_once, "incident_destinations": later, "breach": document(breach)}
            return self._write(fields)
        told = [*at_once, *(f"{name} with its incident" for name in later)]
        return self._write_text(f"breach: {summary(breach)} → {', '.join(told)}")

    def _print_messages(self, now: int) -> None:
        for message in self._book.due(now):
            notice = message.notice
            if isinstance(notice, IncidentNotice | DigestNotice):
                if self._as_json:
                    self._write({"destinations": [message.destination], "message": _facts(notice)})
                else:
                    self._write_text(f"message: {_line(notice)} → {message.destination}")

    def _write(self, fields: Mapping[str, Any]) -> bool:
        return self._write_line(encode({"type": TYPE, "version": VERSION, **fields}))

    def _write_text(self, line: str) -> bool:
        return self._write_line(f"{rfc3339(time.time_ns())} {line}".encode(errors="replace"))

    def _write_line(self, line: bytes) -> bool:
        try:
            self._lines.write(line + b"\n")
        except OSError:
            self._reader_gone()
            return False
        return True


def _facts(notice: IncidentNotice | DigestNotice) -> dict[str, Any]:
    if isinstance(notice, DigestNotice):
        return {
            "happening": "digest",
            "severity": str(notice.severity),
            "new_hits": notice.new_hits,
            "incidents": notice.incidents,
        }
    return {
        "happening": str(notice.happening),
        "severity": str(notice.severity),
        "new_hits": notice.figures.new_hits,
        "incident_id": notice.incident_id,
        "rule": notice.key.rule,
        "host": notice.key.host,
        "pool": notice.key.pool,
        "route": notice.key.route,
        "function": notice.key.function,
    }


def _line(notice: IncidentNotice | DigestNotice) -> str:
    """Return one line: "opened, warning: checkout shop.example /cart, 3 new breaches"."""
    if isinstance(notice, DigestNotice):
        return f"digest, {notice.severity}: {notice.incidents} incidents, {notice.new_hits} new breaches"
    key = notice.key
    where = shorten(" ".join(filter(None, (key.rule, key.host, key.route))), _MAX_WHERE)
    return f"{notice.happening}, {notice.severity}: {where}, {notice.figures.new_hits} new breaches"
