"""Notices in which attackers chose every text and chance every number: what the property tests draw from."""

from __future__ import annotations

from hypothesis import strategies as st

from compassd.breach import Severity
from compassd.notice import (
    MAX_DIGEST_LINES,
    MAX_EXEMPLARS,
    BreachNotice,
    DigestLine,
    DigestNotice,
    DigestReason,
    Figures,
    Happening,
    IncidentKey,
    IncidentNotice,
    Message,
    Notice,
    TestNotice,
)
from lab.hostile import breaches, cleaned

_counts = st.sampled_from([0, 1, 2, 10_000]) | st.integers(min_value=0, max_value=2**62)
_moments = st.integers(min_value=0, max_value=2**62)
_figures = st.builds(
    Figures,
    hits=_counts.filter(bool),
    new_hits=_counts,
    died=_counts,
    first_at=_moments,
    last_at=_moments,
    p50_ns=_moments,
    p95_ns=_moments,
    max_ns=_moments,
    worst_ratio=st.floats(min_value=0.0, allow_nan=False, allow_infinity=False),
)


def notices(strings: st.SearchStrategy[str] = cleaned) -> st.SearchStrategy[Notice]:
    """Return a strategy for notices of every kind with those texts."""
    keys = st.builds(IncidentKey, rule=strings, host=strings, pool=strings, route=strings, function=strings)
    alike = {"happening": st.sampled_from(Happening), "incident_id": strings, "key": keys}
    judged = {"severity": st.sampled_from(Severity), "figures": _figures}
    exemplars = st.lists(breaches(strings), min_size=1, max_size=MAX_EXEMPLARS).map(tuple)
    lines = st.lists(st.builds(DigestLine, **alike, **judged), max_size=MAX_DIGEST_LINES).map(tuple)
    digests = st.builds(
        DigestNotice,
        reason=st.sampled_from(DigestReason),
        server=strings,
        since=_moments,
        until=_moments,
        incidents=st.integers(min_value=MAX_DIGEST_LINES, max_value=2**62),
        new_hits=_counts,
        severity=st.sampled_from(Severity),
        lines=lines,
        dropped=_counts,
    )
    return st.one_of(
        st.builds(IncidentNotice, **alike, **judged, server=strings, exemplars=exemplars),
        digests,
        st.builds(BreachNotice, breach=breaches(strings)),
        st.builds(TestNotice, server=strings, at=_moments),
    )


def messages(strings: st.SearchStrategy[str] = cleaned) -> st.SearchStrategy[Message]:
    """Return a strategy for messages with notices of every kind with those texts."""
    return st.builds(
        Message,
        id=st.just("message-1"),
        destination=st.just("ops"),
        created_at=_moments,
        notice=notices(strings),
    )
