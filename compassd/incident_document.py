"""What an incident and a digest look like to the outside: published JSON, and one line for people.

The documents are described by schemas/incident.schema.json, digest.schema.json and test.schema.json. Names
with a dot are OpenTelemetry's attributes, as in message.py; everything else carries its unit in its name.
"""

from __future__ import annotations

import math
from typing import Any

from compassd.message import document, rfc3339
from compassd.notice import (
    BreachNotice,
    DigestLine,
    DigestNotice,
    DigestReason,
    Figures,
    Happening,
    IncidentKey,
    IncidentNotice,
    Message,
    TestNotice,
)
from compassd.text import shorten
from compassd.units import format_duration

VERSION = 1
"""Version of these documents: raised when a field changes its meaning or goes, not when one is added."""

INCIDENT_TYPE, DIGEST_TYPE, TEST_TYPE = "compass.incident", "compass.digest", "compass.test"

# How the incident book calls what is beyond its bounds: no host and no route of anybody's.
_OTHER = "<other>"

# A line for people: no part of it may push the others off the screen.
_RULE, _HOST, _ROUTE, _POOL = 100, 100, 200, 64

_HAPPENED = {
    Happening.OPENED: "over budget",
    Happening.UPDATED: "still over budget",
    Happening.ESCALATED: "worse now",
    Happening.CLOSED: "quiet again",
}


def message_document(message: Message) -> dict[str, Any]:
    """Return what the message says as the published JSON document of its kind."""
    match message.notice:
        case BreachNotice(breach=breach):
            return document(breach)
        case IncidentNotice() as notice:
            return _incident(message, notice)
        case DigestNotice() as notice:
            return _digest(message, notice)
        case TestNotice() as notice:
            head = _head(message, TEST_TYPE, "Compass can reach you: this is a test")
            return {**head, "attributes": {"host.name": notice.server}}


def incident_summary(happening: Happening, key: IncidentKey, figures: Figures) -> str:
    """Return one line: "checkout over budget: 12 requests to shop.example/cart, 1.24 s at most"."""
    host, route = shorten(key.host, _HOST), shorten(key.route, _ROUTE)
    # A route may be a path, which follows its host at once, or a name.
    gap = "" if route.startswith("/") else " "
    to = f" to {f'{host}{gap}{route}'.strip()}" if host or route else ""
    pool = f" (pool {shorten(key.pool, _POOL)})" if key.pool else ""
    died = f", {figures.died} of them died" if figures.died else ""
    what = f"{_count(figures.hits, 'request')}{to}{pool}{died}, {format_duration(figures.max_ns)} at most"
    return f"{shorten(key.rule, _RULE)} {_HAPPENED[happening]}: {what}"


def digest_summary(notice: DigestNotice) -> str:
    """Return one line: "812 requests over budget in 500 incidents on web1, told together"."""
    why = {
        DigestReason.STORM: "told together because they are many",
        DigestReason.OUTAGE: "told late because nothing could be sent",
    }[notice.reason]
    dropped = f", {notice.dropped} more only counted" if notice.dropped else ""
    return (
        f"{_count(notice.new_hits, 'request')} over budget in {_count(notice.incidents, 'incident')} "
        f"on {shorten(notice.server, _HOST)}, {why}{dropped}"
    )


def _incident(message: Message, notice: IncidentNotice) -> dict[str, Any]:
    key = notice.key
    attributes = {"host.name": notice.server}
    if key.host not in ("", _OTHER):
        attributes["server.address"] = key.host
    # OpenTelemetry's route is one that the application has named; ours may be a path without its ids.
    if key.route and key.route in {breach.request.transaction for breach in notice.exemplars}:
        attributes["http.route"] = key.route
    return {
        **_head(message, INCIDENT_TYPE, incident_summary(notice.happening, key, notice.figures)),
        **_line(notice),
        "attributes": attributes,
        "exemplars": [document(breach) for breach in notice.exemplars],
    }


def _digest(message: Message, notice: DigestNotice) -> dict[str, Any]:
    return {
        **_head(message, DIGEST_TYPE, digest_summary(notice)),
        "attributes": {"host.name": notice.server},
        "reason": str(notice.reason),
        "severity": str(notice.severity),
        "since": rfc3339(notice.since),
        "until": rfc3339(notice.until),
        "incidents": notice.incidents,
        "new_hits": notice.new_hits,
        "dropped": notice.dropped,
        "lines": [_line(line) for line in notice.lines],
    }


def _head(message: Message, kind: str, summary: str) -> dict[str, Any]:
    return {
        "type": kind,
        "version": VERSION,
        "id": message.id,
        "timestamp": rfc3339(message.created_at),
        "summary": summary,
    }


def _line(told: IncidentNotice | DigestLine) -> dict[str, Any]:
    """Return what an incident's own document and a line of a digest have in common."""
    key = told.key
    return {
        "incident_id": told.incident_id,
        "happening": str(told.happening),
        "severity": str(told.severity),
        "key": {
            "rule": key.rule,
            "host": key.host,
            "pool": key.pool,
            "route": key.route,
            "function": key.function,
        },
        "figures": _figures(told.figures),
    }


def _figures(figures: Figures) -> dict[str, Any]:
    return {
        "hits": figures.hits,
        "new_hits": figures.new_hits,
        "died": figures.died,
        "first_at": rfc3339(figures.first_at),
        "last_at": rfc3339(figures.last_at),
        "duration_p50_ns": figures.p50_ns,
        "duration_p95_ns": figures.p95_ns,
        "duration_max_ns": figures.max_ns,
        # JSON has no infinity, which is what exceeding a budget of 0 comes to.
        "worst_ratio": figures.worst_ratio if math.isfinite(figures.worst_ratio) else None,
    }


def _count(number: int, what: str) -> str:
    return f"{number} {what}{'' if number == 1 else 's'}"
