"""The facts of a breach, a label and a text each. Pure."""

from __future__ import annotations

from collections.abc import Iterator

from compassd.breach import State
from compassd.show.document import BreachDocument, LastSeen
from compassd.show.names import place
from compassd.text import shorten
from compassd.units import format_duration, format_size

LABEL_COLUMNS = 10
"""Of the longest label."""

_MAX_FACT = 200
# Of what was waited for; the place before it is bounded as the other facts are.
_MAX_WAITED_FOR = 200
# What the duration, and the time of the document, are called.
_TOOK: dict[str, str] = {State.RUNNING: "runs for", State.DIED: "ran for"}
_ENDED: dict[str, str] = {State.RUNNING: "told", State.DIED: "died"}


def facts(breach: BreachDocument, root: str) -> Iterator[tuple[str, str]]:
    """Yield what is known of a breach, texts of a bounded length; places are relative to root."""
    for label, fact in _facts(breach, root):
        if fact:
            yield label, shorten(fact, _MAX_FACT)
    if breach.last_seen:
        yield "last seen", _last_seen(breach.last_seen, root)


def _facts(breach: BreachDocument, root: str) -> Iterator[tuple[str, str]]:
    target = f"{breach.method} {breach.host}{breach.path}".strip()
    yield "request", _joined(target, breach.status and f"HTTP {breach.status}")
    yield "state", _state(breach)
    yield (
        _TOOK.get(breach.state, "took"),
        _joined(
            format_duration(breach.duration_ns),
            breach.cpu_ns is not None and f"{format_duration(breach.cpu_ns)} of CPU",
            breach.memory_peak is not None and f"{format_size(breach.memory_peak)} of memory",
        ),
    )
    yield _ENDED.get(breach.state, "ended"), breach.timestamp
    yield "route", breach.route
    pool, pid = breach.pool and f"pool {breach.pool}", breach.pid and f"process {breach.pid}"
    yield "server", _joined(breach.server, pool, pid)
    yield "script", breach.script
    yield "tags", ", ".join(f"{name}={value}" for name, value in breach.tags)
    yield "request id", breach.request_id
    yield "rule", _joined(breach.rule, breach.severity)
    yield "breach id", breach.id
    yield "paths in", root


def _state(breach: BreachDocument) -> str:
    """Return what has become of the request, "" if it has simply finished."""
    before = breach.told_running and "told before as still running"
    match breach.state:
        case State.RUNNING:
            return "still running"
        case State.DIED:
            return _joined(f"worker killed by {breach.signal}" if breach.signal else "worker exited", before)
        case State.FINISHED:
            return _joined(before and "finished", before)
        case unknown:
            return _joined(unknown, before)


def _last_seen(seen: LastSeen, root: str) -> str:
    where = place(seen.frame, root)
    text = f"in {seen.frame.function}{where and f' at {where}'}"
    if seen.waiting_ns is None:
        # What it waited for before says nothing of now.
        return shorten(text, _MAX_FACT)
    waiting = shorten(f"waiting for {format_duration(seen.waiting_ns)} {text}", _MAX_FACT)
    return waiting + (seen.waited_for and f": {shorten(seen.waited_for, _MAX_WAITED_FOR)}")


def _joined(*facts: str | int | None) -> str:
    return ", ".join(str(fact) for fact in facts if fact)
