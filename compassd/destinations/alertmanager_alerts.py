"""What an Alertmanager is told: alerts, from notices. Pure.

Labels say which alert it is: Alertmanager takes alerts with the same labels for the same alert, and routes,
groups and silences by them. They are those of the incident's key, which stays the same, and the severity,
because what wakes people is chosen by it. An incident that becomes more severe is therefore another alert,
and the old one is ended in the same request; what was sent last is remembered for that. Everything that
changes is in annotations.

Alertmanager ends an alert at its endsAt and expects whoever sent it to send it again before. Incidents are
told after 1, 5 and 15 minutes and then hourly, if there are new breaches, and once when nothing has
happened for the cool-down. So the longest time between two messages of an incident that lasts is an hour
and a cool-down; a quarter of an hour is added for messages that arrive late. An incident whose end is never
told (in a storm only the worst incidents are) ends by itself then.

A digest makes no sense there: grouping is Alertmanager's own business. Each line of one becomes the alert
of its incident, and an alert of its own has the totals, because the lines are only the worst.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import Any

from compassd.breach import Breach, Severity
from compassd.hot_path import at, percent, verdict
from compassd.incident_document import digest_summary, incident_summary
from compassd.message import rfc3339, summary
from compassd.notice import (
    DigestLine,
    DigestNotice,
    DigestReason,
    Happening,
    IncidentKey,
    IncidentNotice,
    TestNotice,
)
from compassd.text import clean_text, shorten
from compassd.units import format_duration

_NS_PER_MIN = 60 * 1_000_000_000
_LONGEST_SILENCE_NS = 75 * _NS_PER_MIN
# How long a digest's totals and a test are shown. The next digest of a storm comes within a minute or so.
_TOTALS_NS, _TEST_NS = 15 * _NS_PER_MIN, 5 * _NS_PER_MIN

_DIGEST_NAMES = {DigestReason.STORM: "CompassStorm", DigestReason.OUTAGE: "CompassOutage"}

_LABEL, _LINE = 200, 300
_DIGEST_HEX = 8
_MAX_STEPS = 4

Alert = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Firing:
    """What an Alertmanager was told last of an incident.

    Attributes:
        severity: Its severity then.
        ends_at: When the alert ends by itself, Unix time in ns.
    """

    severity: Severity
    ends_at: int


def incident_alerts(
    told: IncidentNotice | DigestLine, server: str, before: Firing | None, now: int, cooldown_ns: int
) -> tuple[list[Alert], Firing | None]:
    """Return the alerts to send of an incident, and what to remember of it; None: nothing more.

    Args:
        told: What is told of it.
        server: Name of the machine.
        before: What was remembered.
        now: Unix time in ns.
        cooldown_ns: After how long without a breach an incident is over, ns.
    """
    closed = told.happening is Happening.CLOSED
    begun, quiet_at = told.figures.first_at, told.figures.last_at + cooldown_ns
    ends_at = min(quiet_at, now) if closed else now + _LONGEST_SILENCE_NS + cooldown_ns
    alerts = [_alert(_labels(told.key, server, told.severity), _annotations(told), begun, ends_at)]
    if before and before.severity is not told.severity:
        replaced = {"summary": f"{shorten(told.key.rule, _LABEL)} is {told.severity} now"}
        alerts.insert(0, _alert(_labels(told.key, server, before.severity), replaced, begun, now))
    return alerts, None if closed else Firing(told.severity, ends_at)


def digest_alert(notice: DigestNotice, now: int) -> Alert:
    """Return the alert with a digest's totals."""
    labels = {
        **_own_labels(_DIGEST_NAMES[notice.reason], notice.server),
        "severity": str(notice.severity),
    }
    annotations = {
        "summary": digest_summary(notice),
        "incidents": str(notice.incidents),
        "new_hits": str(notice.new_hits),
        "dropped": str(notice.dropped),
    }
    return _alert(labels, annotations, notice.since, now + _TOTALS_NS)


def test_alert(notice: TestNotice, now: int) -> Alert:
    """Return an alert that shows that alerts arrive, and soon ends by itself."""
    labels = {**_own_labels("CompassTest", notice.server), "severity": str(Severity.INFO)}
    return _alert(labels, {"summary": "Compass can reach you: this is a test"}, notice.at, now + _TEST_NS)


def _alert(labels: dict[str, str], annotations: dict[str, str], starts_at: int, ends_at: int) -> Alert:
    return {
        "labels": {name: _label(value) for name, value in labels.items() if value},
        "annotations": {name: _annotation(value) for name, value in annotations.items() if value},
        # Alertmanager refuses an alert that ends before it begins.
        "startsAt": rfc3339(min(starts_at, ends_at)),
        "endsAt": rfc3339(ends_at),
    }


def _own_labels(name: str, server: str) -> dict[str, str]:
    return {"alertname": name, "job": "compassd", "instance": server}


def _labels(key: IncidentKey, server: str, severity: Severity) -> dict[str, str]:
    return {
        **_own_labels("CompassOverBudget", server),
        "severity": str(severity),
        "rule": key.rule,
        # "host" is what others call the machine.
        "http_host": key.host,
        "pool": key.pool,
        "route": key.route,
        "function": key.function,
    }


def _annotations(told: IncidentNotice | DigestLine) -> dict[str, str]:
    figures = told.figures
    worst = told.exemplars[0] if isinstance(told, IncidentNotice) else None
    return {
        "summary": incident_summary(told.happening, told.key, figures),
        "description": _description(worst) if worst else "",
        "incident_id": told.incident_id,
        "breach_id": worst.id if worst else "",
        "request_id": worst.request.id if worst else "",
        "hits": str(figures.hits),
        "died": str(figures.died),
        "duration_p50": format_duration(figures.p50_ns),
        "duration_p95": format_duration(figures.p95_ns),
        "duration_max": format_duration(figures.max_ns),
    }


def _description(breach: Breach) -> str:
    path = breach.tree.hot_path() if breach.tree else []
    # The end is what counts; the beginning is the framework's.
    steps = [f"{percent(step.share)} {step.frame.function}{at(step.frame)}" for step in path[-_MAX_STEPS:]]
    return "\n".join(line for line in (f"worst: {summary(breach)}", verdict(path), *steps) if line)


def _label(value: str) -> str:
    """Return value short enough to be shown and silenced by; two that are cut stay two."""
    text = clean_text(value)
    if len(text) <= _LABEL:
        return text
    mark = hashlib.sha256(text.encode()).hexdigest()[:_DIGEST_HEX]
    return f"{shorten(text, _LABEL - _DIGEST_HEX)}{mark}"


def _annotation(value: str) -> str:
    return "\n".join(shorten(clean_text(line), _LINE) for line in value.split("\n"))
