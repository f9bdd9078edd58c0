"""The journal of this machine: one structured entry a breach, and sums of those that would be too many.

Fields (systemd.journal-fields(7) describes the first four):

| field | content |
|---|---|
| MESSAGE | the breach in one line, with the hot path |
| MESSAGE_ID | one of MESSAGE_IDS |
| PRIORITY | 2 (critical), 4 (warning) or 6 (info), from the severity |
| SYSLOG_IDENTIFIER | compassd |
| COMPASS_BREACH_ID, COMPASS_RULE, COMPASS_SEVERITY | the breach |
| COMPASS_EXCEEDED | duration, cpu, memory, waits, function_time or function_waits; each that was exceeded |
| COMPASS_BUDGET_DURATION_MS, COMPASS_BUDGET_CPU_MS, COMPASS_BUDGET_MEMORY_BYTES | the exceeded limits |
| COMPASS_BUDGET_WAITS, COMPASS_ACTUAL_WAITS | the exceeded limit of waits, and how often it waited |
| COMPASS_BUDGET_FUNCTION | the glob of an exceeded limit of functions |
| COMPASS_BUDGET_FUNCTION_TIME_MS, COMPASS_BUDGET_FUNCTION_WAITS | that limit |
| COMPASS_ACTUAL_FUNCTION_TIME_MS, COMPASS_ACTUAL_FUNCTION_WAITS | what the request took of it |
| COMPASS_DURATION_MS, COMPASS_CPU_MS | ms with three decimals; no COMPASS_CPU_MS if it is unknown |
| COMPASS_MEMORY_BYTES | peak of PHP's memory manager |
| COMPASS_METHOD, COMPASS_URI, COMPASS_HOST, COMPASS_STATUS, COMPASS_SCRIPT | the HTTP request |
| COMPASS_REQUEST_ID, COMPASS_PID, COMPASS_POOL, COMPASS_TRANSACTION | where it ran |
| COMPASS_STATE, COMPASS_SIGNAL | finished, running or died; what killed the worker |
| COMPASS_FUNCTION, COMPASS_FILE, COMPASS_LINE | where the hot path ends, in the user's code |
| COMPASS_WAITED_FOR | what that waited for: SQL, a path, a URL |
| COMPASS_LAST_FUNCTION, COMPASS_LAST_FILE, COMPASS_LAST_LINE | where it was seen last, if not finished |
| COMPASS_TAG_… | a tag; its key in upper case, what is not A-Z or 0-9 replaced by _ |

What is empty is left out. Where several functions are over budget, their fields come several times, and as
the journal keeps no order of equal names, the message says which belong together.

Breaches beyond the rate are counted by rule and pool, and told once a second in an entry with SUMMARY_ID,
COMPASS_SUPPRESSED (how many), COMPASS_MAX_DURATION_MS, COMPASS_RULE, COMPASS_POOL, COMPASS_SEVERITY.
"""

from __future__ import annotations

import contextlib
import re
import time
from collections import deque
from collections.abc import Iterable, Iterator
from pathlib import Path

from systemd import journal

from compassd.breach import Breach, Excess, Metric, Severity, State
from compassd.calltree import Frame, Step
from compassd.destinations.base import SendError
from compassd.destinations.journald_rate import Limiter, Suppressed
from compassd.hot_path import last_seen, verdict
from compassd.incident_document import message_document
from compassd.message import signal_name, summary
from compassd.notice import Message
from compassd.units import format_duration

MESSAGE_IDS = {
    State.FINISHED: "55fb85bec3984995914a201238321127",
    State.RUNNING: "3262c19e57cb462199394c8f86ed2b7a",
    State.DIED: "968df7ccd8e04964a7362a78aa231045",
}
"""Identify entries that tell of a breach, by what has become of its request: journalctl MESSAGE_ID=…"""

SUMMARY_ID = "af1b888e2e694bdfa0506c492330cd4d"
"""Identifies entries that tell of several breaches at once."""

TEST_ID = "f69b0faf5b75473c8e16dbeceec18997"
"""Identifies entries that only show that the journal can be written to."""

_SOCKET = Path("/run/systemd/journal/socket")
# syslog(3)'s LOG_CRIT, LOG_WARNING and LOG_INFO.
_PRIORITIES = {Severity.CRITICAL: 2, Severity.WARNING: 4, Severity.INFO: 6}
# The end of the hot path is what counts; the beginning is the framework's.
_STEPS_MAX = 12
_FIELD_MAX = 64  # the journal drops fields with a longer name
_NOT_IN_FIELD = re.compile(r"[^A-Z0-9]")


class JournaldDestination:
    """Writes each breach to the journal, up to a rate, and what exceeds it as sums.

    Args:
        name: Its name in the settings.
        rate: Entries a second in the long run.
        burst: Entries at once.
    """

    min_interval = 0.0

    def __init__(self, name: str, *, rate: int = 200, burst: int = 1_000) -> None:
        self.name = name
        self._limiter = Limiter(rate, burst)
        # Taken from the limiter, and not written yet.
        self._sums: deque[Suppressed] = deque()

    def send(self, breach: Breach) -> None:
        """Write the breach's entry, or count it; write what was counted if it is time.

        Raises:
            SendError: The journal does not run or does not take an entry.
        """
        self.idle()
        if self._limiter.admit(breach, time.monotonic()):
            self._write(fields(breach))

    def idle(self) -> None:
        """Write what was counted if it is time.

        Raises:
            SendError: The journal does not run or does not take an entry.
        """
        self._sums.extend(self._limiter.take_due(time.monotonic()))
        self._write_sums()

    def pause(self) -> float | None:
        """Return in how many seconds it is time to write what was counted, None if nothing was."""
        return 0.0 if self._sums else self._limiter.pause(time.monotonic())

    def send_test(self, message: Message) -> None:
        """Write an entry that is of no breach.

        Raises:
            SendError: The journal does not run or does not take the entry.
        """
        self._write(test_fields(message))

    def close(self) -> None:
        """Write what was counted, if that is possible. libsystemd keeps the socket."""
        self._sums.extend(self._limiter.take_all())
        with contextlib.suppress(SendError):
            self._write_sums()

    def _write_sums(self) -> None:
        while self._sums:
            self._write(sum_fields(self._sums[0]))
            self._sums.popleft()

    def _write(self, entry: Iterable[tuple[str, str]]) -> None:
        # sd_journal_sendv(3) returns success without a journal, so that programs run everywhere.
        if not _SOCKET.is_socket():
            raise SendError(self.name, "the journal does not run")
        try:
            # Each field is handed over with its length: a newline in a value cannot begin another field.
            journal.sendv(*(f"{field}={value}".encode(errors="replace") for field, value in entry))
        except OSError as error:
            raise SendError(self.name, f"the journal: {error.strerror}") from error


def sum_fields(suppressed: Suppressed) -> Iterator[tuple[str, str]]:
    """Yield names and values of the entry for breaches that have none of their own."""
    breaches = "1 more breach" if suppressed.count == 1 else f"{suppressed.count} more breaches"
    pool = f" in pool {suppressed.pool}" if suppressed.pool else ""
    longest = format_duration(suppressed.max_ns)
    yield "MESSAGE", f"{breaches} of rule {suppressed.rule}{pool} not written one by one: at most {longest}"
    yield "MESSAGE_ID", SUMMARY_ID
    yield "PRIORITY", str(_PRIORITIES[suppressed.severity])
    yield "SYSLOG_IDENTIFIER", "compassd"
    yield "COMPASS_RULE", suppressed.rule
    if suppressed.pool:
        yield "COMPASS_POOL", suppressed.pool
    yield "COMPASS_SEVERITY", str(suppressed.severity)
    yield "COMPASS_SUPPRESSED", str(suppressed.count)
    yield "COMPASS_MAX_DURATION_MS", _ms(suppressed.max_ns)


def test_fields(message: Message) -> Iterator[tuple[str, str]]:
    """Yield names and values of an entry that is of no breach."""
    yield "MESSAGE", message_document(message)["summary"]
    yield "MESSAGE_ID", TEST_ID
    yield "PRIORITY", str(_PRIORITIES[Severity.INFO])
    yield "SYSLOG_IDENTIFIER", "compassd"


def fields(breach: Breach) -> Iterator[tuple[str, str]]:
    """Yield names and values of the breach's entry; a name may come again, as the journal allows."""
    request = breach.request
    path = breach.tree.hot_path() if breach.tree else []
    yield "MESSAGE", _message(breach, path)
    yield "MESSAGE_ID", MESSAGE_IDS[breach.state]
    yield "PRIORITY", str(_PRIORITIES[breach.severity])
    yield "SYSLOG_IDENTIFIER", "compassd"
    for excess in breach.excesses:
        yield from _exceeded(excess)
    optional = {
        "COMPASS_BREACH_ID": breach.id,
        "COMPASS_RULE": breach.rule,
        "COMPASS_SEVERITY": str(breach.severity),
        "COMPASS_STATE": str(breach.state),
        "COMPASS_SIGNAL": signal_name(breach.signal),
        "COMPASS_DURATION_MS": _ms(request.duration_ns),
        "COMPASS_CPU_MS": "" if request.cpu_ns is None else _ms(request.cpu_ns),
        "COMPASS_MEMORY_BYTES": "" if request.memory_peak is None else str(request.memory_peak),
        "COMPASS_METHOD": request.method,
        "COMPASS_URI": request.uri,
        "COMPASS_HOST": request.host,
        "COMPASS_STATUS": "" if request.status is None else str(request.status),
        "COMPASS_SCRIPT": request.script,
        "COMPASS_REQUEST_ID": request.id,
        "COMPASS_PID": str(request.pid),
        "COMPASS_POOL": request.pool,
        "COMPASS_TRANSACTION": request.transaction,
    }
    yield from ((name, value) for name, value in optional.items() if value)
    if path:
        yield from _place("COMPASS_", path[-1].place)
        if path[-1].waited_for:
            yield "COMPASS_WAITED_FOR", path[-1].waited_for
    if seen := breach.last_seen:
        yield from _place("COMPASS_LAST_", seen.frame)
    for key, value in request.tags.items():
        yield f"COMPASS_TAG_{_NOT_IN_FIELD.sub('_', key.upper())}"[:_FIELD_MAX], value


def _exceeded(excess: Excess) -> Iterator[tuple[str, str]]:
    yield "COMPASS_EXCEEDED", str(excess.metric)
    match excess.metric:
        case Metric.DURATION | Metric.CPU:
            yield f"COMPASS_BUDGET_{excess.metric.upper()}_MS", _ms(excess.budget)
        case Metric.MEMORY:
            yield "COMPASS_BUDGET_MEMORY_BYTES", str(excess.budget)
        case Metric.WAITS:
            yield "COMPASS_BUDGET_WAITS", str(excess.budget)
            yield "COMPASS_ACTUAL_WAITS", str(excess.actual)
        case Metric.FUNCTION_TIME:
            yield "COMPASS_BUDGET_FUNCTION", excess.function
            yield "COMPASS_BUDGET_FUNCTION_TIME_MS", _ms(excess.budget)
            yield "COMPASS_ACTUAL_FUNCTION_TIME_MS", _ms(excess.actual)
        case Metric.FUNCTION_WAITS:
            yield "COMPASS_BUDGET_FUNCTION", excess.function
            yield "COMPASS_BUDGET_FUNCTION_WAITS", str(excess.budget)
            yield "COMPASS_ACTUAL_FUNCTION_WAITS", str(excess.actual)


def _message(breach: Breach, path: list[Step]) -> str:
    parts = [summary(breach)]
    if seen := breach.last_seen:
        parts.append(f"last seen {last_seen(seen, breach.waiting_ns)}")
    if path:
        parts += [verdict(path), " > ".join(step.frame.function for step in path[-_STEPS_MAX:])]
    return "; ".join(parts)


def _place(prefix: str, place: Frame) -> Iterator[tuple[str, str]]:
    yield f"{prefix}FUNCTION", place.function
    if place.file:
        yield f"{prefix}FILE", place.file
        yield f"{prefix}LINE", str(place.line)


def _ms(ns: int) -> str:
    # Whole numbers only: a float would round what is beyond 2^53 ns.
    return f"{ns // 1_000_000}.{ns // 1_000 % 1_000:03d}"
