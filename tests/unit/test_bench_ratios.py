from __future__ import annotations

import random

import pytest

from bench.ratios import Estimate, Pair, estimate_mean, estimate_ratio, ratio, trimmed_mean


def _round(factor: float, *, noise: float = 0.0, seed: int = 1) -> list[Pair]:
    random_ = random.Random(seed)  # noqa: S311 - noise
    return [
        Pair(page, round(cpu * random_.uniform(1 - noise, 1 + noise)), round(cpu * factor))
        for _ in range(20)
        for page, cpu in (("cheap", 1_000_000), ("dear", 9_000_000))
    ]


def test_the_greatest_and_the_least_tenth_do_not_count() -> None:
    assert trimmed_mean([1e9, 3, 3, 3, 3, 3, 3, 3, 3, 0]) == 3


def test_the_ratio_is_the_subjects_time_over_the_controls() -> None:
    assert ratio(_round(1.25)) == pytest.approx(1.25)


def test_a_page_counts_as_much_as_it_costs() -> None:
    pairs = [Pair("cheap", 1_000, 2_000), Pair("dear", 9_000, 9_000)]
    assert ratio(pairs) == pytest.approx(1.1)


def test_one_request_that_was_disturbed_changes_nothing() -> None:
    pairs = _round(1.25)
    assert ratio([*pairs[:-1], Pair("dear", 9_000_000, 10**12)]) == pytest.approx(1.25)


def test_the_interval_of_rounds_that_agree_is_a_point() -> None:
    found = estimate_ratio([_round(1.5), _round(1.5)])
    assert (found.low, found.value, found.high) == pytest.approx((1.5, 1.5, 1.5))


def test_the_interval_covers_the_difference_between_rounds() -> None:
    found = estimate_ratio([_round(factor) for factor in (1.0, 1.1, 1.2, 1.3)])
    assert found.value == pytest.approx(1.15)
    assert found.low < 1.1
    assert found.high > 1.2


def test_the_interval_covers_the_difference_between_pairs() -> None:
    found = estimate_ratio([_round(1.0, noise=0.1, seed=seed) for seed in range(5)])
    assert found.low < 1.0 < found.high


def test_the_same_pairs_always_give_the_same_interval() -> None:
    rounds = [_round(1.0, noise=0.1, seed=seed) for seed in range(3)]
    assert estimate_ratio(rounds) == estimate_ratio(rounds)


def test_a_mean_lies_in_its_interval() -> None:
    assert estimate_mean([5.0, 5.0, 5.0]) == Estimate(5.0, 5.0, 5.0)
    found = estimate_mean([1.0, 2.0, 3.0, 4.0, 5.0])
    assert 1.0 <= found.low < found.value == 3.0 < found.high <= 5.0
