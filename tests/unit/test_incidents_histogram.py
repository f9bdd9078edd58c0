from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from compassd.incidents.histogram import Histogram

DURATIONS = st.one_of(st.integers(0, 10), st.integers(0, 10**10), st.integers(0, 2**63 - 1))


def _histogram(durations: list[int]) -> Histogram:
    histogram = Histogram()
    for duration in durations:
        histogram.add(duration)
    return histogram


@given(st.lists(DURATIONS, min_size=1), st.integers(1, 100))
def test_percentiles_are_right_to_one_per_cent(durations: list[int], percent: int) -> None:
    histogram = _histogram(durations)
    exact = sorted(durations)[-(-len(durations) * percent // 100) - 1]
    # What is told is a whole number of ns.
    assert abs(histogram.percentile(percent) - exact) <= exact * 0.01 + 0.5


@given(st.lists(DURATIONS))
def test_the_maximum_and_the_count_are_exact(durations: list[int]) -> None:
    histogram = _histogram(durations)
    assert histogram.max_ns == max(durations, default=0)
    assert sum(histogram.counts.values()) == len(durations)


@given(st.lists(DURATIONS), DURATIONS, DURATIONS)
def test_a_duration_that_takes_the_place_of_another_leaves_nothing_of_it(
    durations: list[int], before: int, after: int
) -> None:
    histogram = _histogram([*durations, before])
    histogram.replace(before, after)
    assert histogram.counts == _histogram([*durations, after]).counts


def test_there_are_few_buckets_whatever_comes() -> None:
    histogram = _histogram([int(1.005**power) for power in range(8_755)])
    assert histogram.max_ns > 2**62
    assert len(histogram.counts) < 2_300


def test_what_makes_no_sense_is_nothing() -> None:
    assert Histogram().percentile(50) == 0
    assert _histogram([-5]).percentile(50) == 0
