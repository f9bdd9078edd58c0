"""What a breach looks like to the outside: the published JSON document, and one line for people.

The document is described by schemas/breach.schema.json. Names with a dot are OpenTelemetry's attributes, from
its semantic conventions for HTTP, URL, server, process and host (version 1.27, all stable); everything else
carries its unit in its name.
"""

from __future__ import annotations

import json
import re
import signal
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

from compassd.breach import Breach, Excess, Metric, State
from compassd.calltree_document import (
    call_tree_document,
    hot_path_document,
    last_seen_document,
    top_self_document,
    wait_places_document,
)
from compassd.request import Request
from compassd.text import shorten
from compassd.units import format_duration, format_size

VERSION = 1
"""Version of the document: raised when a field changes its meaning or goes, not when one is added."""

TYPE = "compass.breach"

# http.request.method: "MUST be one of the known methods or _OTHER"; RFC 9110 and PATCH from RFC 5789.
_METHODS = {"GET", "HEAD", "POST", "PUT", "DELETE", "CONNECT", "OPTIONS", "TRACE", "PATCH"}
_MAX_PORT = 65_535
_HOST = re.compile(r"(?P<address>\[[^\]]*\]|[^:]*)(?::(?P<port>[0-9]{1,5}))?")
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)

# A line for people: no part of it may push the others off the screen.
_SUMMARY_RULE, _SUMMARY_METHOD, _SUMMARY_URI, _SUMMARY_POOL = 100, 16, 200, 64

_SUMMARY_FUNCTION, _SUMMARY_EXCESSES = 80, 4

_UNITS = {
    Metric.DURATION: "ns",
    Metric.CPU: "ns",
    Metric.MEMORY: "bytes",
    Metric.WAITS: "waits",
    Metric.FUNCTION_TIME: "ns",
    Metric.FUNCTION_WAITS: "waits",
}


def document(breach: Breach) -> dict[str, Any]:
    """Return the breach as the published JSON document.

    The breach is taken as it is: redact() decides beforehand whether it still has a query string.
    """
    seen = breach.last_seen
    return {
        "type": TYPE,
        "version": VERSION,
        "id": breach.id,
        "timestamp": rfc3339(breach.request.started_at + breach.request.duration_ns),
        "rule": breach.rule,
        "severity": str(breach.severity),
        "state": str(breach.state),
        "told_running": breach.told_running,
        "signal": signal_name(breach.signal) or None,
        "summary": summary(breach),
        "exceeded": [exceeded(excess) for excess in breach.excesses],
        "request": request_facts(breach.request),
        "attributes": attributes(breach.request, breach.server),
        "last_seen": last_seen_document(seen, breach.waiting_ns) if seen else None,
        "hot_path": hot_path_document(breach.tree.hot_path()) if breach.tree else None,
        "top_self": top_self_document(breach.tree) if breach.tree else None,
        "wait_places": wait_places_document(breach.tree) if breach.tree else None,
        "call_tree": call_tree_document(breach.tree) if breach.tree else None,
    }


def request_facts(request: Request) -> dict[str, Any]:
    """Return what OpenTelemetry has no attribute for."""
    return {
        "id": request.id,
        "started_at": rfc3339(request.started_at),
        "duration_ns": request.duration_ns,
        "cpu_ns": request.cpu_ns,
        "memory_peak_bytes": request.memory_peak,
        "script": request.script,
        "pool": request.pool,
        "uri_cut": request.uri_cut,
        "tags": dict(request.tags),
    }


def encode(fields: Mapping[str, Any]) -> bytes:
    """Return a JSON object on one line, in UTF-8."""
    # What clients send has no lone surrogates any more; should one come otherwise, "?" beats no message.
    return json.dumps(fields, ensure_ascii=False, separators=(",", ":")).encode(errors="replace")


def attributes(request: Request, server: str) -> dict[str, str | int]:
    """Return the OpenTelemetry attributes of a request on that server; what is unknown is left out."""
    path, _, query = request.uri.partition("?")
    known = request.method in _METHODS
    found: dict[str, str | int] = {"http.request.method": request.method if known else "_OTHER"}
    if not known and request.method:
        found["http.request.method_original"] = request.method
    found["url.path"] = path
    if request.status is not None:
        found["http.response.status_code"] = request.status
    if query:
        found["url.query"] = query
    if request.transaction:
        found["http.route"] = request.transaction
    found |= _server(request.host)
    return found | {"process.pid": request.pid, "host.name": server}


def summary(breach: Breach) -> str:
    """Return one line: "checkout: POST /cart took 1.24 s, budget 800 ms (HTTP 200, pool www)"."""
    request = breach.request
    facts = [] if request.status is None else [f"HTTP {request.status}"]
    if request.pool:
        facts.append(f"pool {shorten(request.pool, _SUMMARY_POOL)}")
    line = f"{shorten(breach.rule, _SUMMARY_RULE)}: {what(request, _SUMMARY_URI)} {_happened(breach)}"
    return f"{line} ({', '.join(facts)})" if facts else line


def _happened(breach: Breach) -> str:
    took = format_duration(breach.request.duration_ns)
    match breach.state:
        case State.FINISHED:
            excesses = [excess_text(excess) for excess in breach.excesses[:_SUMMARY_EXCESSES]]
            if more := len(breach.excesses) - len(excesses):
                excesses.append(f"{more} more over budget")
            return "; ".join(excesses)
        case State.RUNNING:
            said = f"still runs after {took}"
        case State.DIED:
            said = f"never ended: {death(breach)} after {took}"
    budgets = [e.budget for e in breach.excesses if e.metric is Metric.DURATION]
    return f"{said}, budget {format_duration(budgets[0])}" if budgets else said


def death(breach: Breach) -> str:
    """Return how the worker came to its end: "its worker was killed by SIGSEGV"."""
    name = signal_name(breach.signal)
    return f"its worker was killed by {name}" if name else "its worker exited"


def signal_name(number: int) -> str:
    """Return "SIGSEGV" for 11, "" for 0."""
    try:
        return signal.Signals(number).name if number else ""
    except ValueError:
        return f"signal {number}"


def what(request: Request, limit: int) -> str:
    """Return method and URI, the latter cut to limit characters; an ellipsis shows any cut."""
    uri = f"{request.uri}…" if request.uri_cut else request.uri
    return f"{shorten(request.method, _SUMMARY_METHOD)} {shorten(uri, limit)}".strip()


def excess_text(excess: Excess) -> str:
    """Return one exceeded limit in words."""
    actual, budget = (amount_text(excess.metric, amount) for amount in (excess.actual, excess.budget))
    match excess.metric:
        case Metric.DURATION:
            return f"took {actual}, budget {budget}"
        case Metric.CPU:
            return f"used {actual} of CPU, budget {budget}"
        case Metric.MEMORY:
            return f"peaked at {actual} of memory, budget {budget}"
        case Metric.WAITS:
            return f"waited {_times(excess.actual)}, budget {budget}"
        case Metric.FUNCTION_TIME:
            return f"spent {actual} in {shorten(excess.function, _SUMMARY_FUNCTION)}, budget {budget}"
        case Metric.FUNCTION_WAITS:
            function = shorten(excess.function, _SUMMARY_FUNCTION)
            return f"waited {_times(excess.actual)} in {function}, budget {budget}"


def _times(number: int) -> str:
    return "once" if number == 1 else f"{number} times"


def amount_text(metric: Metric, amount: int) -> str:
    """Return an amount in the metric's unit with its unit, for people."""
    match _UNITS[metric]:
        case "bytes":
            return format_size(amount)
        case "waits":
            return str(amount)
        case _:
            return format_duration(amount)


def exceeded(excess: Excess) -> dict[str, str | int]:
    """Return an exceeded limit as JSON, the unit in the names."""
    unit = _UNITS[excess.metric]
    return {
        "metric": str(excess.metric),
        **({"function": excess.function} if excess.function else {}),
        f"budget_{unit}": excess.budget,
        f"actual_{unit}": excess.actual,
    }


def _server(host: str) -> dict[str, str | int]:
    """Return address and port from a Host header; one that is malformed is all address."""
    if not host:
        return {}
    found = _HOST.fullmatch(host)
    port = int(found["port"] or 0) if found else 0
    if not found or not found["address"] or port > _MAX_PORT:
        return {"server.address": host}
    address = {"server.address": found["address"].strip("[]") or host}
    return {**address, "server.port": port} if port else {**address}


def rfc3339(unix_ns: int) -> str:
    """Return Unix time in ns as RFC 3339, UTC, to the microsecond."""
    moment = _EPOCH + timedelta(microseconds=unix_ns // 1_000)
    return moment.strftime("%Y-%m-%dT%H:%M:%S.%fZ")
