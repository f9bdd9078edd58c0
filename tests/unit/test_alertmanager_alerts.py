from __future__ import annotations

import json
import re
from typing import Any

from hypothesis import given

from compassd.breach import Severity
from compassd.destinations.alertmanager_alerts import Alert, Firing, digest_alert, incident_alerts
from compassd.notice import DigestNotice, DigestReason, Happening, IncidentNotice, Notice
from lab.breaches import make_breach
from lab.hostile_notices import notices
from lab.notices import BEGAN, SECOND, make_digest, make_figures, make_incident, make_key

MINUTE = 60 * SECOND
NOW = BEGAN + 5 * MINUTE
COOLDOWN = 10 * MINUTE
LABEL_NAME = re.compile(r"[a-zA-Z_][a-zA-Z0-9_]*")


def problems(alert: Alert) -> list[str]:
    """Return what Alertmanager, or whoever reads the alert, would not like."""
    found = []
    for kind, limit in (("labels", 200), ("annotations", 2_500)):
        for name, value in alert[kind].items():
            if not LABEL_NAME.fullmatch(name):
                found.append(f"name {name}")
            if not 0 < len(value) <= limit:
                found.append(f"{name} of {len(value)} characters")
            if name != "description" and len(value.splitlines()) != 1:
                found.append(f"lines of {name}")
    if alert["startsAt"] > alert["endsAt"]:
        found.append("ends before it begins")
    # Raises for what is not UTF-8.
    json.dumps(alert, ensure_ascii=False).encode()
    return found


def told(notice: IncidentNotice, before: Firing | None = None) -> tuple[list[Alert], Firing | None]:
    return incident_alerts(notice, notice.server, before, NOW, COOLDOWN)


@given(notices())
def test_every_alert_can_be_taken(notice: Notice) -> None:
    alerts: list[Alert] = []
    match notice:
        case IncidentNotice():
            alerts = incident_alerts(notice, notice.server, None, NOW, COOLDOWN)[0]
        case DigestNotice():
            alerts = [digest_alert(notice, NOW)]
            for line in notice.lines:
                alerts += incident_alerts(line, notice.server, None, NOW, COOLDOWN)[0]
    assert [problems(alert) for alert in alerts] == [[]] * len(alerts)


def test_labels_depend_on_server_key_and_severity_alone() -> None:
    alike = [
        make_incident(),
        make_incident(Happening.UPDATED, make_figures(9, p50_ns=1), (make_breach(id="other"),)),
        make_incident(Happening.CLOSED, incident_id="f" * 32),
    ]
    labels = [told(notice)[0][0]["labels"] for notice in alike]
    assert labels == [labels[0]] * 3
    for other in (
        make_incident(key=make_key(function="f")),
        make_incident(server="web2"),
        make_incident(severity=Severity.INFO),
    ):
        assert told(other)[0][0]["labels"] != labels[0]


def test_it_ends_by_itself_after_the_longest_silence_and_for_good_when_it_is_closed() -> None:
    figures = make_figures(3, first_at=BEGAN, last_at=BEGAN)
    (open_alert,), firing = told(make_incident(figures=figures))
    assert (open_alert["startsAt"], open_alert["endsAt"]) == (
        "2026-09-21T14:13:20.000000Z",
        "2026-09-21T15:43:20.000000Z",
    )
    assert firing == Firing(Severity.WARNING, NOW + 85 * MINUTE)
    closed = make_incident(Happening.CLOSED, figures)
    (closed_alert,), remembered = incident_alerts(closed, "web1", firing, BEGAN + COOLDOWN + SECOND, COOLDOWN)
    assert closed_alert["endsAt"] == "2026-09-21T14:23:20.000000Z"
    assert remembered is None
    # A clock that was set back must not leave it open.
    (early,), _ = told(closed)
    assert early["endsAt"] == "2026-09-21T14:18:20.000000Z"


def test_another_severity_ends_the_alert_before() -> None:
    critical = make_incident(Happening.ESCALATED, severity=Severity.CRITICAL)
    (old, new), firing = told(critical, Firing(Severity.WARNING, NOW + 1))
    assert (old["labels"]["severity"], old["endsAt"]) == ("warning", "2026-09-21T14:18:20.000000Z")
    assert {**old["labels"], "severity": "critical"} == new["labels"]
    assert old["annotations"] == {"summary": "checkout is critical now"}
    assert firing is not None
    assert firing.severity is Severity.CRITICAL


def test_long_values_that_begin_alike_stay_apart() -> None:
    routes = ["/" + "a" * 300 + end for end in "xy"]
    labels = [told(make_incident(key=make_key(route=route)))[0][0]["labels"]["route"] for route in routes]
    assert labels[0] != labels[1]
    assert {len(label) for label in labels} == {200}


def test_what_is_unknown_is_no_label() -> None:
    key = make_key(host="", pool="", function="")
    labels: dict[str, Any] = told(make_incident(key=key))[0][0]["labels"]
    assert set(labels) == {"alertname", "job", "instance", "severity", "rule", "route"}


def test_a_digest_after_an_outage_is_no_storm() -> None:
    assert (
        digest_alert(make_digest(reason=DigestReason.OUTAGE), NOW)["labels"]["alertname"] == "CompassOutage"
    )
    assert digest_alert(make_digest(), NOW)["labels"]["alertname"] == "CompassStorm"
