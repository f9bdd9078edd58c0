from __future__ import annotations

import random

from bench.spread import Spread, spread


def test_percentiles_are_the_least_values_that_so_many_are_not_above() -> None:
    values = [float(value) for value in range(1, 1001)]
    random.Random(1).shuffle(values)  # noqa: S311 - any order
    assert spread(values) == Spread(count=1000, p50=500.0, p95=950.0, p99=990.0, greatest=1000.0)


def test_few_values_have_percentiles_among_them() -> None:
    assert spread([7.0]) == Spread(count=1, p50=7.0, p95=7.0, p99=7.0, greatest=7.0)
    assert spread([3.0, 1.0, 2.0]) == Spread(count=3, p50=2.0, p95=3.0, p99=3.0, greatest=3.0)
