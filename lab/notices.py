"""Example notices for tests and the demo, and notices in which a client chose every text."""

from __future__ import annotations

from typing import Any

from hypothesis import strategies as st

from compassd.breach import Severity
from compassd.notice import (
    MAX_DIGEST_LINES,
    MAX_EXEMPLARS,
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
from lab.hostile import breaches, cleaned

BEGUN = 1_790_000_000_000_000_000
"""When the example incident began, Unix time in ns."""

_NS_PER_S = 1_000_000_000
KEY = IncidentKey(
    rule="checkout", host="shop.example", pool="www", route="cart.show", function=r"Shop\Cart::add"
)


def make_message(notice: Notice, *, message_id: str = "m-1", created_at: int = BEGUN) -> Message:
    """Return a message to a destination named ops."""
    return Message(id=message_id, destination="ops", created_at=created_at, notice=notice)


def make_figures(**changes: Any) -> Figures:  # noqa: ANN401 - any field of Figures
    """Return the figures of 12 breaches within 90 s, with some fields changed."""
    fields: dict[str, Any] = {
        "hits": 12,
        "new_hits": 4,
        "died": 0,
        "first_at": BEGUN,
        "last_at": BEGUN + 90 * _NS_PER_S,
        "p50_ns": 900_000_000,
        "p95_ns": 1_200_000_000,
        "max_ns": 1_240_000_000,
        "worst_ratio": 1.55,
    }
    return Figures(**{**fields, **changes})


def make_incident(**changes: Any) -> IncidentNotice:  # noqa: ANN401 - any field of IncidentNotice
    """Return an incident that has just been opened, with some fields changed."""
    fields: dict[str, Any] = {
        "happening": Happening.OPENED,
        "incident_id": "1c" * 16,
        "key": KEY,
        "server": "web1",
        "severity": Severity.WARNING,
        "figures": make_figures(),
        "exemplars": (make_breach(),),
    }
    return IncidentNotice(**{**fields, **changes})


def make_line(**changes: Any) -> DigestLine:  # noqa: ANN401 - any field of DigestLine
    """Return that incident as a line of a digest, with some fields changed."""
    fields: dict[str, Any] = {
        "happening": Happening.OPENED,
        "incident_id": "1c" * 16,
        "key": KEY,
        "severity": Severity.WARNING,
        "figures": make_figures(),
    }
    return DigestLine(**{**fields, **changes})


def make_digest(**changes: Any) -> DigestNotice:  # noqa: ANN401 - any field of DigestNotice
    """Return a digest of 500 incidents, with some fields changed."""
    fields: dict[str, Any] = {
        "reason": DigestReason.STORM,
        "server": "web1",
        "since": BEGUN,
        "until": BEGUN + 60 * _NS_PER_S,
        "incidents": 500,
        "new_hits": 812,
        "severity": Severity.CRITICAL,
        "lines": (make_line(),),
    }
    return DigestNotice(**{**fields, **changes})


_amounts = st.integers(min_value=0, max_value=2**62)
_keys = st.builds(IncidentKey, rule=cleaned, host=cleaned, pool=cleaned, route=cleaned, function=cleaned)
_figures = st.builds(
    make_figures,
    hits=_amounts,
    new_hits=_amounts,
    died=_amounts,
    first_at=_amounts,
    last_at=_amounts,
    p50_ns=_amounts,
    p95_ns=_amounts,
    max_ns=_amounts,
    worst_ratio=st.floats(min_value=0.0),
)
_told: dict[str, Any] = {
    "happening": st.sampled_from(Happening),
    "severity": st.sampled_from(Severity),
    "key": _keys,
    "figures": _figures,
}

incidents = st.builds(
    make_incident, **_told, exemplars=st.lists(breaches(), min_size=1, max_size=MAX_EXEMPLARS).map(tuple)
)
"""Incidents in which a client chose every text."""

digests = st.builds(
    make_digest,
    reason=st.sampled_from(DigestReason),
    severity=st.sampled_from(Severity),
    since=_amounts,
    until=_amounts,
    incidents=_amounts,
    new_hits=_amounts,
    dropped=_amounts,
    lines=st.lists(st.builds(make_line, **_told), max_size=MAX_DIGEST_LINES).map(tuple),
)
"""Digests in which a client chose every text."""
