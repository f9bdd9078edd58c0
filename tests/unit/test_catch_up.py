"""One digest for all that waited during an outage."""

from __future__ import annotations

from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

from compassd.breach import Severity, State
from compassd.incidents.catch_up import catch_up
from compassd.notice import (
    MAX_DIGEST_LINES,
    BreachNotice,
    DigestLine,
    DigestNotice,
    DigestReason,
    Happening,
    IncidentNotice,
    Message,
    Notice,
    TestNotice,
)
from compassd.notice_facts import told_breaches
from lab.breaches import make_breach
from lab.outbox import make_incident, make_message

_ids = st.sampled_from([f"{number:032x}" for number in range(20)])
_hits = st.integers(min_value=0, max_value=10**6)
_severities = st.sampled_from(list(Severity))
_incidents = st.builds(
    make_incident,
    _ids,
    happening=st.sampled_from(list(Happening)),
    severity=_severities,
    hits=_hits,
    new_hits=_hits,
    last_at=_hits,
)


def _line(notice: IncidentNotice) -> DigestLine:
    return DigestLine(
        happening=notice.happening,
        incident_id=notice.incident_id,
        key=notice.key,
        severity=notice.severity,
        figures=notice.figures,
    )


@st.composite
def _digests(draw: st.DrawFn) -> DigestNotice:
    lines = tuple(map(_line, draw(st.lists(_incidents, max_size=MAX_DIGEST_LINES))))
    return DigestNotice(
        reason=draw(st.sampled_from(list(DigestReason))),
        server="web1",
        since=draw(_hits),
        until=draw(_hits),
        incidents=len(lines) + draw(st.integers(min_value=0, max_value=500)),
        new_hits=sum(line.figures.new_hits for line in lines) + draw(_hits),
        severity=max(
            [draw(_severities), *(line.severity for line in lines)], key=lambda severity: severity.rank
        ),
        lines=lines,
        dropped=draw(_hits),
    )


_breaches = st.builds(
    lambda pid, rule, state, told, severity: BreachNotice(
        breach=make_breach(pid=pid, rule=rule, state=state, told_running=told, severity=severity)
    ),
    st.integers(min_value=1, max_value=5),
    st.sampled_from(["checkout", "search"]),
    st.sampled_from(list(State)),
    st.booleans(),
    _severities,
)
_notices = _incidents | _digests() | _breaches | st.just(TestNotice(server="web1", at=1))


def _messages(notices: list[Notice]) -> list[Message]:
    return [make_message(f"m{number}", notice, created_at=100) for number, notice in enumerate(notices)]


@given(st.lists(_notices, max_size=40))
def test_no_breach_is_lost_or_told_twice(notices: list[Notice]) -> None:
    merged = catch_up(_messages(notices))
    told = [notice for notice in notices if not isinstance(notice, TestNotice)]
    if merged is None:
        assert not told
        return
    notice = merged.notice
    assert len(merged.ids) == len(told)
    assert told_breaches(notice) == sum(map(told_breaches, notices))
    assert notice.dropped == sum(n.dropped for n in told if isinstance(n, DigestNotice))
    assert sum(line.figures.new_hits for line in notice.lines) <= notice.new_hits
    assert len(notice.lines) == min(MAX_DIGEST_LINES, len({line.incident_id for line in notice.lines}))
    assert notice.incidents >= len(notice.lines)
    order = [(-line.severity.rank, -line.figures.new_hits) for line in notice.lines]
    assert order == sorted(order)
    assert all(line.severity.rank <= notice.severity.rank for line in notice.lines)


@given(st.lists(_notices, max_size=20), st.lists(_notices, max_size=20))
def test_a_digest_can_be_merged_again(first: list[Notice], second: list[Notice]) -> None:
    merged = catch_up(_messages(first))
    again = catch_up(_messages([*([merged.notice] if merged else []), *second]))
    assert (told_breaches(again.notice) if again else 0) == sum(map(told_breaches, [*first, *second]))


def test_the_latest_figures_of_an_incident_are_told() -> None:
    opened = make_incident(hits=3, new_hits=3, last_at=10)
    escalated = make_incident(
        happening=Happening.ESCALATED, severity=Severity.CRITICAL, hits=8, new_hits=5, last_at=20
    )
    closed = make_incident(
        happening=Happening.CLOSED, severity=Severity.CRITICAL, hits=8, new_hits=0, last_at=20
    )
    other = make_incident("b" * 32, route="/other", hits=50, new_hits=50)
    merged = catch_up(_messages([opened, escalated, other, closed]))
    assert merged is not None
    assert (merged.notice.incidents, merged.notice.new_hits) == (2, 58)
    worst, second = merged.notice.lines
    assert (worst.happening, worst.figures) == (Happening.CLOSED, replace(closed.figures, new_hits=8))
    assert second.key.route == "/other"


def test_a_digest_is_about_all_the_time_that_its_messages_were() -> None:
    digest = catch_up([make_message("a", make_incident(), created_at=5)])
    assert digest is not None
    merged = catch_up(
        [
            make_message("b", make_incident(), created_at=90),
            make_message("c", digest.notice, created_at=70),
            make_message("d", created_at=95),
        ]
    )
    assert merged is not None
    assert (merged.notice.since, merged.notice.until) == (5, 95)


def test_single_breaches_become_one_line_for_each_incident() -> None:
    breaches = [make_breach(pid=pid, duration_ns=pid * 10**9) for pid in range(1, 21)]
    breaches.append(make_breach(pid=99, state=State.DIED, duration_ns=30 * 10**9))
    breaches.append(make_breach(pid=1, rule="search", severity=Severity.CRITICAL))
    merged = catch_up(_messages([BreachNotice(breach=breach) for breach in breaches]))
    assert merged is not None
    assert (merged.notice.incidents, merged.notice.new_hits) == (2, 22)
    search, checkout = merged.notice.lines
    assert search.key.rule == "search"
    figures = checkout.figures
    assert (figures.hits, figures.died, figures.worst_ratio) == (21, 1, 1.55)
    assert (figures.p50_ns, figures.p95_ns, figures.max_ns) == (11 * 10**9, 20 * 10**9, 30 * 10**9)


def test_a_request_told_running_and_ended_counts_once() -> None:
    running = make_breach(state=State.RUNNING, duration_ns=10**9)
    died = make_breach(state=State.DIED, told_running=True, duration_ns=5 * 10**9)
    merged = catch_up(_messages([BreachNotice(breach=running), BreachNotice(breach=died)]))
    assert merged is not None
    figures = merged.notice.lines[0].figures
    assert (figures.hits, figures.died, figures.p50_ns) == (1, 1, 5 * 10**9)


def test_a_test_message_is_left_alone() -> None:
    assert catch_up(_messages([TestNotice(server="web1", at=1)])) is None
