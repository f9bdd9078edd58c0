from __future__ import annotations

from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from compassd.breach import Severity
from compassd.destinations.journald import SUMMARY_ID, sum_fields
from compassd.destinations.journald_rate import Limiter, Suppressed
from lab.breaches import make_breach

RULES, POOLS = ("a", "b"), ("www", "")
# Gaps between breaches, s, and which breach it is.
arrivals = st.lists(
    st.tuples(
        st.sampled_from([0.0, 0.0, 0.001, 0.1, 1.0, 5.0]),
        st.sampled_from(RULES),
        st.sampled_from(POOLS),
        st.integers(min_value=0, max_value=10**10),
        st.sampled_from(Severity),
    ),
    max_size=200,
)


@given(arrivals, st.integers(min_value=1, max_value=50), st.integers(min_value=1, max_value=50))
def test_each_breach_is_written_or_counted_and_the_rate_is_kept(
    arrived: list[tuple[float, str, str, int, Severity]], rate: int, burst: int
) -> None:
    limiter = Limiter(rate, burst)
    now = 0.0
    written, sums, at = 0, list[Suppressed](), list[float]()
    for gap, rule, pool, duration, severity in arrived:
        now += gap
        due = limiter.take_due(now)
        at += [now] * len(due)
        sums += due
        if limiter.admit(make_breach(rule=rule, pool=pool, duration_ns=duration, severity=severity), now):
            written += 1
            at.append(now)
    rest = limiter.pause(now)
    if rest is not None:
        # But for what rounding does to sums of times.
        assert rest <= 1.0 + 1e-6
        sums += limiter.take_due(now + rest + 1e-6)
    assert limiter.pause(now) is None
    assert written + sum(each.count for each in sums) == len(arrived)
    # No span of time has more entries than the bucket gives, but for one sum of each rule and pool.
    for first, begun in enumerate(at):
        for last in range(first, len(at)):
            allowed = burst + (at[last] - begun) * rate + len(RULES) * len(POOLS)
            assert last - first + 1 <= allowed + 1e-6


@given(arrivals.filter(bool))
def test_a_sum_has_the_longest_and_the_worst(
    arrived: list[tuple[float, str, str, int, Severity]],
) -> None:
    limiter = Limiter(1, 1)
    limiter.admit(make_breach(), 0.0)
    for _, rule, pool, duration, severity in arrived:
        limiter.admit(make_breach(rule=rule, pool=pool, duration_ns=duration, severity=severity), 0.0)
    sums = {(each.rule, each.pool): each for each in limiter.take_due(1.0)}
    for key, each in sums.items():
        mine = [(duration, severity) for _, rule, pool, duration, severity in arrived if (rule, pool) == key]
        assert each.count == len(mine)
        assert each.max_ns == max(duration for duration, _ in mine)
        order = list(Severity)
        assert each.severity is max((severity for _, severity in mine), key=order.index)


def test_sums_come_once_a_second() -> None:
    limiter = Limiter(1, 1)
    times = [0.0]
    assert limiter.admit(make_breach(), 0.0)
    for tick in range(1, 256):
        now = tick / 64  # exact, so that sums of them are
        if limiter.take_due(now):
            times.append(now)
        limiter.admit(make_breach(), now)
    assert len(times) >= 4
    assert all(later - earlier >= 1.0 for earlier, later in pairwise(times))


def test_the_entry_says_how_many_and_how_long() -> None:
    fields = dict(sum_fields(Suppressed("checkout", "www", Severity.CRITICAL, 7, 1_200_000_000)))
    assert fields == {
        "MESSAGE": "7 more breaches of rule checkout in pool www not written one by one: at most 1.20 s",
        "MESSAGE_ID": SUMMARY_ID,
        "PRIORITY": "2",
        "SYSLOG_IDENTIFIER": "compassd",
        "COMPASS_RULE": "checkout",
        "COMPASS_POOL": "www",
        "COMPASS_SEVERITY": "critical",
        "COMPASS_SUPPRESSED": "7",
        "COMPASS_MAX_DURATION_MS": "1200.000",
    }
    one = dict(sum_fields(Suppressed("checkout", "", Severity.INFO, 1, 0)))
    assert one["MESSAGE"] == "1 more breach of rule checkout not written one by one: at most 0 ns"
    assert "COMPASS_POOL" not in one
