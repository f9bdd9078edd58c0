"""Notices in which a client chose every text: what the property tests draw from."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from hypothesis import strategies as st

from compassd.breach import Severity
from compassd.notice import (
    MAX_DIGEST_LINES,
    MAX_EXEMPLARS,
    DigestLine,
    DigestReason,
    Figures,
    Happening,
    IncidentKey,
)
from lab.hostile import breaches, cleaned
from lab.notices import INCIDENT_ID, make_digest, make_incident

_amounts = st.integers(min_value=0, max_value=2**62)
_keys = st.builds(IncidentKey, rule=cleaned, host=cleaned, pool=cleaned, route=cleaned, function=cleaned)
_figures = st.builds(
    Figures,
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
"""Any incidents."""

digests = st.builds(
    replace,
    st.just(make_digest()),
    reason=st.sampled_from(DigestReason),
    severity=st.sampled_from(Severity),
    since=_amounts,
    until=_amounts,
    incidents=_amounts,
    new_hits=_amounts,
    dropped=_amounts,
    lines=st.lists(
        st.builds(DigestLine, incident_id=st.just(INCIDENT_ID), **_told), max_size=MAX_DIGEST_LINES
    ).map(tuple),
)
"""Any digests."""
