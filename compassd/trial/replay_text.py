"""A replay for people, and as JSON for programs."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from compassd.breach import Severity
from compassd.message import exceeded, excess_text, rfc3339
from compassd.text import shorten
from compassd.trial.replay import AlertKey, Alerts, Difference, Replay, Told, Worst
from compassd.units import format_duration

TYPE, VERSION = "compass.replay", 1

_MAX_CELL = 60
_SEVERITIES = tuple(reversed(Severity))


def replay_text(replay: Replay) -> str:
    """Return what people want to know, the rule with most breaches first."""
    return "\n".join(_lines(replay)) + "\n"


def replay_document(replay: Replay) -> dict[str, Any]:
    """Return all of it as a JSON object."""
    difference = replay.difference
    return {
        "type": TYPE,
        "version": VERSION,
        "requests": replay.requests,
        "began_at": rfc3339(replay.began_at) if replay.requests else None,
        "ended_at": rfc3339(replay.ended_at) if replay.requests else None,
        **_told_document(replay.told),
        "against": None
        if replay.against is None
        else {
            **_told_document(replay.against),
            "new": _alerts_document(difference.new),
            "gone": _alerts_document(difference.gone),
            "changed": [
                {**_key_document(key), "from": str(before), "to": str(after), "breaches": count}
                for (key, before, after), count in sorted(difference.changed.items())
            ],
        },
    }


def _lines(replay: Replay) -> Iterator[str]:
    if not replay.requests:
        yield "no requests"
        return
    span = format_duration(replay.ended_at - replay.began_at)
    yield f"{_count(replay.requests, 'request')} within {span}, from {rfc3339(replay.began_at)} on"
    yield _told_line(replay.told)
    if replay.told.alerts:
        yield ""
        yield from _table(_by_count(replay.told.alerts))
    if replay.against is not None:
        yield ""
        yield f"with the other rules: {_told_line(replay.against)}"
        yield from _difference(replay.difference)


def _told_line(told: Told) -> str:
    messages = ", ".join(f"{name} {count}" for name, count in sorted(told.messages.items()))
    line = (
        f"{_count(told.breaches, 'breach', 'breaches')} by {_count(told.requests, 'request')}, "
        f"{_count(told.incidents, 'incident')}, {_count(told.messages.total(), 'message')}"
    )
    line += f" ({messages})" if messages else ""
    return f"{line}; {told.suppressed} suppressed, as they stayed too few" if told.suppressed else line


def _difference(difference: Difference) -> Iterator[str]:
    if not (difference.new or difference.gone or difference.changed):
        yield "no breach is told differently"
        return
    for title, alerts in (("new", difference.new), ("gone", difference.gone)):
        if alerts:
            total = sum(each.breaches for each in alerts.values())
            yield ""
            yield f"{title}: {_count(total, 'breach', 'breaches')}"
            yield from _table(_by_count(alerts))
    if difference.changed:
        yield ""
        yield f"of another severity: {_count(difference.changed.total(), 'breach', 'breaches')}"
        rows = [
            (key.rule, f"{before} → {after}", key.host, key.route, str(count))
            for (key, before, after), count in sorted(difference.changed.items())
        ]
        yield from _aligned([("RULE", "SEVERITY", "HOST", "ROUTE", "BREACHES"), *rows])


def _table(alerts: Sequence[tuple[AlertKey, Alerts]]) -> Iterator[str]:
    rows = [
        (key.rule, _severities(found), key.host, key.route, str(found.breaches), _worst(found.worst))
        for key, found in alerts
    ]
    yield from _aligned([("RULE", "SEVERITY", "HOST", "ROUTE", "BREACHES", "WORST"), *rows])


def _aligned(rows: Sequence[Sequence[str]]) -> Iterator[str]:
    cells = [[shorten(cell or "-", _MAX_CELL) for cell in row[:5]] + list(row[5:]) for row in rows]
    widths = [max(map(len, column)) for column in zip(*cells, strict=True)]
    for row in cells:
        yield "  ".join(f"{cell:{width}}" for cell, width in zip(row, widths, strict=True)).rstrip()


def _by_count(alerts: Mapping[AlertKey, Alerts]) -> list[tuple[AlertKey, Alerts]]:
    return sorted(alerts.items(), key=lambda item: (-item[1].breaches, item[0]))


def _severities(alerts: Alerts) -> str:
    found = [severity for severity in _SEVERITIES if alerts.severities[severity]]
    if len(found) == 1:
        return str(found[0])
    return ", ".join(f"{severity} {alerts.severities[severity]}" for severity in found)


def _worst(worst: Worst | None) -> str:
    if worst is None:
        return ""
    what = excess_text(worst.excess) if worst.excess else f"died after {format_duration(worst.duration_ns)}"
    return f"{what} ({worst.place})" if worst.place else what


def _told_document(told: Told) -> dict[str, Any]:
    return {
        "breaches": told.breaches,
        "requests_over_budget": told.requests,
        "incidents": told.incidents,
        "suppressed": told.suppressed,
        "messages": dict(sorted(told.messages.items())),
        "alerts": _alerts_document(told.alerts),
    }


def _alerts_document(alerts: Mapping[AlertKey, Alerts]) -> list[dict[str, Any]]:
    return [
        {
            **_key_document(key),
            "breaches": found.breaches,
            "severities": {str(severity): found.severities[severity] for severity in Severity},
            "worst": _worst_document(found.worst),
        }
        for key, found in _by_count(alerts)
    ]


def _key_document(key: AlertKey) -> dict[str, str]:
    return {"rule": key.rule, "host": key.host, "route": key.route}


def _worst_document(worst: Worst | None) -> dict[str, Any] | None:
    if worst is None:
        return None
    return {
        "ratio": round(worst.ratio, 3),
        "exceeded": exceeded(worst.excess) if worst.excess else None,
        "duration_ns": worst.duration_ns,
        "request_id": worst.request_id,
        "place": worst.place,
    }


def _count(number: int, thing: str, things: str = "") -> str:
    return f"{number} {thing}" if number == 1 else f"{number} {things or thing + 's'}"
