"""How values are spread: percentiles. Pure functions."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Spread:
    """Percentiles of some values, each one of them, in their unit.

    Attributes:
        count: How many values there are.
        p50: Half of them are not above it.
        p95: 95 of 100 are not above it.
        p99: 99 of 100 are not above it.
        greatest: The greatest.
    """

    count: int
    p50: float
    p95: float
    p99: float
    greatest: float


def spread(values: Iterable[float]) -> Spread:
    """Return the percentiles of values, of which there must be one at least."""
    ordered = sorted(values)
    return Spread(
        len(ordered),
        _percentile(ordered, 50),
        _percentile(ordered, 95),
        _percentile(ordered, 99),
        ordered[-1],
    )


def _percentile(ordered: Sequence[float], percent: int) -> float:
    """Return the least value that so many per cent of all are not above."""
    return ordered[-(-len(ordered) * percent // 100) - 1]
