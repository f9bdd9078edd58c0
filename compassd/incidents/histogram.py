"""Percentiles of any number of durations, in bounded memory."""

from __future__ import annotations

import math
from dataclasses import dataclass, field

# Bucket i holds what is above _BASE ** (i - 1) and at most _BASE ** i. What is told of it is the number
# whose relative error is the same at both ends: (_BASE - 1) / (_BASE + 1). It is a bit less than the one per
# cent that is promised, to leave room for rounding.
_ERROR = 0.0095
_BASE = (1 + _ERROR) / (1 - _ERROR)
_LOG_BASE = math.log(_BASE)
_NOTHING = -1  # the bucket of 0


@dataclass(slots=True)
class Histogram:
    """How often each duration occurred. Only buckets that hold something take memory.

    Percentiles are within one per cent, and half a ns, of a value that was added; counts and the maximum are
    exact. There are at most 2,300 buckets, as 2 ** 63 ns is the longest duration there is.

    Attributes:
        counts: How many values there are in each bucket that holds any.
        max_ns: The greatest value ever added, ns.
    """

    counts: dict[int, int] = field(default_factory=dict)
    max_ns: int = 0

    def add(self, duration_ns: int) -> None:
        """Count a duration; a negative one counts as 0."""
        bucket = _bucket(duration_ns)
        self.counts[bucket] = self.counts.get(bucket, 0) + 1
        self.max_ns = max(self.max_ns, duration_ns)

    def replace(self, before_ns: int, after_ns: int) -> None:
        """Count a duration in place of one that was added before."""
        bucket = _bucket(before_ns)
        left = self.counts.get(bucket, 0) - 1
        if left > 0:
            self.counts[bucket] = left
        else:
            self.counts.pop(bucket, None)
        self.add(after_ns)

    def percentile(self, percent: int) -> int:
        """Return the least value that so many per cent of all are not above, ns; 0 if there are none.

        Args:
            percent: 1 to 100.
        """
        rank = -(-sum(self.counts.values()) * percent // 100)
        for bucket in sorted(self.counts):
            rank -= self.counts[bucket]
            if rank <= 0:
                return min(_value(bucket), self.max_ns)
        return 0


def _bucket(duration_ns: int) -> int:
    return math.ceil(math.log(duration_ns) / _LOG_BASE) if duration_ns > 0 else _NOTHING


def _value(bucket: int) -> int:
    if bucket == _NOTHING:
        return 0
    return round(2 * math.exp(bucket * _LOG_BASE) / (_BASE + 1))
