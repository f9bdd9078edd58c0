"""From pairs of measurements to a ratio and how far it can be trusted. Pure functions."""

from __future__ import annotations

import random
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

# Of the values, left out at either end before a mean is taken: what else the machine did in the meantime.
_TRIMMED = 0.1
_RESAMPLES = 1000
_CONFIDENCE = 0.95
_SEED = 7


@dataclass(frozen=True, slots=True)
class Pair:
    """The same request to two servers, one after the other.

    Attributes:
        page: What was asked for.
        control_ns: CPU time that it took of plain PHP, ns.
        subject_ns: CPU time that it took with what is measured, ns.
    """

    page: str
    control_ns: int
    subject_ns: int


Round = Sequence[Pair]
"""All pairs that one pair of processes served."""


@dataclass(frozen=True, slots=True)
class Estimate:
    """A figure with its 95 % confidence interval.

    Attributes:
        value: The figure.
        low: Lower end of the interval.
        high: Upper end.
    """

    value: float
    low: float
    high: float


def trimmed_mean(values: Iterable[float]) -> float:
    """Return the mean without the greatest and the least tenth."""
    ordered = sorted(values)
    cut = int(len(ordered) * _TRIMMED)
    kept = ordered[cut : len(ordered) - cut]
    return sum(kept) / len(kept)


def ratio(pairs: Round) -> float:
    """Return the subject's CPU time over the control's, for every page once."""
    control, subject = 0.0, 0.0
    for page in {pair.page for pair in pairs}:
        of_page = [pair for pair in pairs if pair.page == page]
        control += trimmed_mean(pair.control_ns for pair in of_page)
        subject += trimmed_mean(pair.subject_ns for pair in of_page)
    return subject / control


def estimate_ratio(rounds: Sequence[Round]) -> Estimate:
    """Return the mean of the rounds' ratios, without the greatest and the least tenth.

    The interval is bootstrapped, over rounds and over the pairs of each: two processes of one configuration
    differ by some tenths of a percent for as long as they live, so pairs of one round are not independent.
    """
    random_ = random.Random(_SEED)  # noqa: S311 - the report shall not differ from run to run by this

    def resampled() -> float:
        chosen = random_.choices(rounds, k=len(rounds))
        return trimmed_mean(ratio(random_.choices(pairs, k=len(pairs))) for pairs in chosen)

    return _estimate(trimmed_mean(map(ratio, rounds)), [resampled() for _ in range(_RESAMPLES)])


def estimate_mean(values: Sequence[float]) -> Estimate:
    """Return the mean of values that are independent of each other, with a bootstrapped interval."""
    random_ = random.Random(_SEED)  # noqa: S311 - as above
    resamples = [_mean(random_.choices(values, k=len(values))) for _ in range(_RESAMPLES)]
    return _estimate(_mean(values), resamples)


def _estimate(value: float, resamples: list[float]) -> Estimate:
    ordered = sorted(resamples)
    outside = int(len(ordered) * (1 - _CONFIDENCE) / 2)
    return Estimate(value, ordered[outside], ordered[-1 - outside])


def _mean(values: Iterable[float]) -> float:
    kept = list(values)
    return sum(kept) / len(kept)
