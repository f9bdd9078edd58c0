"""A Prometheus Alertmanager: an incident is an alert, by API v2.

https://github.com/prometheus/alertmanager/blob/main/api/v2/openapi.yaml describes the API.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Mapping

from compassd.breach import Severity
from compassd.destinations.alertmanager_alerts import (
    Alert,
    Firing,
    digest_alert,
    incident_alerts,
    test_alert,
)
from compassd.destinations.base import Memory, SendError
from compassd.destinations.http import Poster
from compassd.destinations.tls import SYSTEM_TLS, ClientTls
from compassd.notice import BreachNotice, DigestLine, DigestNotice, IncidentNotice, Message, TestNotice

_PATH = "/api/v2/alerts"
_MEMORY = "firing"


class AlertmanagerDestination:
    """Keeps an alert for each incident.

    Args:
        name: Its name in the settings.
        url: Where the Alertmanager is, a secret.
        cooldown_ns: After how long without a breach an incident is over, ns.
        headers: Sent along.
        timeout: How long one attempt may take altogether, s.
        tls: Whom to trust, and how to prove who we are.
        clock: Returns Unix time in ns.

    Raises:
        ConfigurationError: What tls names cannot be used.
    """

    min_interval = 0.0

    def __init__(  # noqa: PLR0913 - each is a setting of its own
        self,
        name: str,
        url: str,
        *,
        cooldown_ns: int,
        headers: Mapping[str, str] | None = None,
        timeout: float = 10.0,
        tls: ClientTls = SYSTEM_TLS,
        clock: Callable[[], int] = time.time_ns,
    ) -> None:
        self.name = name
        self._cooldown_ns = cooldown_ns
        self._headers = dict(headers or {})
        self._clock = clock
        self._poster = Poster(name, url.rstrip("/") + _PATH, timeout, tls=tls)

    def send(self, message: Message, memory: Memory) -> None:
        """Post the alerts of the message.

        Raises:
            SendError: The answer is not 2xx, or there is none; or the message is of a single breach.
        """
        # When the message was made does not count: a time that has passed would end what it says has begun.
        now = self._clock()
        firing = _recall(memory, now)
        match message.notice:
            case IncidentNotice() as notice:
                alerts = self._incident(notice, notice.server, firing, now)
            case DigestNotice() as notice:
                alerts = [digest_alert(notice, now)]
                # The latest last: of two incidents with the same labels it is the later one that counts.
                for line in sorted(notice.lines, key=lambda line: line.figures.last_at):
                    alerts += self._incident(line, notice.server, firing, now)
            case TestNotice() as notice:
                alerts = [test_alert(notice, now)]
            case BreachNotice():
                raise SendError(self.name, "an alert is of an incident, not of a breach", permanent=True)
        body = json.dumps(alerts, ensure_ascii=False).encode()
        self._poster.post(body, {**self._headers, "Content-Type": "application/json"})
        _remember(memory, firing)

    def close(self) -> None:
        """Close the connection."""
        self._poster.close()

    def _incident(
        self, told: IncidentNotice | DigestLine, server: str, firing: dict[str, Firing], now: int
    ) -> list[Alert]:
        """Return the alerts of an incident, and change firing accordingly."""
        before = firing.pop(told.incident_id, None)
        alerts, after = incident_alerts(told, server, before, now, self._cooldown_ns)
        if after:
            firing[told.incident_id] = after
        return alerts


def _recall(memory: Memory, now: int) -> dict[str, Firing]:
    """Return what fires, by incident; what has ended by itself is forgotten, so that this stays small."""
    kept = json.loads(memory.get(_MEMORY) or "{}")
    return {
        incident_id: Firing(Severity(severity), ends_at)
        for incident_id, (severity, ends_at) in kept.items()
        if ends_at > now
    }


def _remember(memory: Memory, firing: Mapping[str, Firing]) -> None:
    kept = {incident_id: (last.severity, last.ends_at) for incident_id, last in firing.items()}
    memory.put(_MEMORY, json.dumps(kept) if kept else None)
