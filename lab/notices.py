"""Example notices for tests."""

from __future__ import annotations

from typing import Any

from compassd.breach import Breach, Severity
from compassd.notice import (
    DigestLine,
    DigestNotice,
    DigestReason,
    Figures,
    Happening,
    IncidentKey,
    IncidentNotice,
    Message,
    Notice,
)
from lab.breaches import make_breach

SECOND = 1_000_000_000
BEGAN = 1_790_000_000 * SECOND
INCIDENT_ID = "0123456789abcdef" * 2


def make_figures(hits: int = 1, new_hits: int | None = None, **changes: Any) -> Figures:  # noqa: ANN401 - any field
    """Return the figures of an incident of 58 s, all of whose hits are new unless said otherwise."""
    fields: dict[str, Any] = {
        "hits": hits,
        "new_hits": hits if new_hits is None else new_hits,
        "died": 0,
        "first_at": BEGAN,
        "last_at": BEGAN + (58 * SECOND if hits > 1 else 0),
        "p50_ns": 1_240_000_000,
        "p95_ns": 2_100_000_000,
        "max_ns": 4_200_000_000,
        "worst_ratio": 5.25,
    }
    return Figures(**{**fields, **changes})


def make_key(**changes: str) -> IncidentKey:
    """Return the key of an incident of /cart, with some fields changed."""
    fields = {
        "rule": "checkout",
        "host": "shop.example",
        "pool": "www",
        "route": "/cart",
        "function": r"Shop\Repo::find",
    }
    return IncidentKey(**{**fields, **changes})


def make_incident(
    happening: Happening = Happening.OPENED,
    figures: Figures | None = None,
    exemplars: tuple[Breach, ...] = (),
    **changes: Any,  # noqa: ANN401 - any field of IncidentNotice
) -> IncidentNotice:
    """Return a notice of an incident of /cart, of one hit unless figures say otherwise."""
    fields: dict[str, Any] = {
        "incident_id": INCIDENT_ID,
        "key": make_key(),
        "server": "web1",
        "severity": Severity.WARNING,
    }
    return IncidentNotice(
        happening=happening,
        figures=figures or make_figures(),
        exemplars=exemplars or (make_breach(),),
        **{**fields, **changes},
    )


def make_digest(incidents: int = 500, **changes: Any) -> DigestNotice:  # noqa: ANN401 - any field of DigestNotice
    """Return a digest of a storm, of so many incidents with ten hits each."""
    lines = tuple(
        DigestLine(
            happening=Happening.OPENED,
            incident_id=f"{number:032x}",
            key=make_key(route=f"/page/{number}"),
            severity=Severity.WARNING,
            figures=make_figures(10),
        )
        for number in range(min(incidents, 10))
    )
    fields: dict[str, Any] = {
        "reason": DigestReason.STORM,
        "server": "web1",
        "since": BEGAN,
        "until": BEGAN + 60 * SECOND,
        "incidents": incidents,
        "new_hits": 10 * incidents,
        "severity": Severity.WARNING,
        "lines": lines,
    }
    return DigestNotice(**{**fields, **changes})


def make_message(notice: Notice, number: int = 1, at: int = BEGAN + 60 * SECOND) -> Message:
    """Return the message with that number to the destination ops."""
    return Message(id=f"message-{number}", destination="ops", created_at=at, notice=notice)
