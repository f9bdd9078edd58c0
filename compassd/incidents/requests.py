"""How many requests finished within any time until now."""

from __future__ import annotations

from bisect import bisect_right
from dataclasses import dataclass, field

_SECOND_NS = 1_000_000_000
# No two samples that follow each other are further apart than this part of their age, or a second.
_FINENESS = 64
# Thinned out, ten years take 1,250 samples.
_MANY = 2_000


@dataclass(slots=True)
class FinishedRequests:
    """The kernel's count of finished requests, as it was at some times in the past.

    The older a sample, the fewer there are around it: the count within a time is of that time, and at most a
    sixty-fourth of it and a second more. Too many requests make a rate too low, never too high.
    """

    _times: list[int] = field(default_factory=list)
    _sums: list[int] = field(default_factory=list)
    _sum: int = 0
    _last: int | None = None

    def note(self, total: int, now: int) -> None:
        """Take note of the count.

        Args:
            total: Requests that finished so far. The first one is where counting begins; a count that is less
                than the one before began again from zero.
            now: Unix time, ns; never less than before.
        """
        if self._last is not None:
            self._sum += total - self._last if total >= self._last else total
        self._last = total
        if not self._times or now - self._times[-1] >= _SECOND_NS:
            self._times.append(now)
            self._sums.append(self._sum)
            if len(self._times) > _MANY:
                self._thin(now)

    def since(self, start: int) -> int:
        """Return how many requests finished since start (Unix time, ns), 0 if that is not known."""
        index = max(0, bisect_right(self._times, start) - 1)
        return self._sum - self._sums[index] if self._times else 0

    def shift(self, jump_ns: int) -> None:
        """Move all times along with a clock that was set forward by so many ns, or back."""
        self._times = [time + jump_ns for time in self._times]

    def _thin(self, now: int) -> None:
        kept = [len(self._times) - 1]
        for index in range(len(self._times) - 2, 0, -1):
            newer = self._times[kept[-1]]
            if newer - self._times[index - 1] > max(_SECOND_NS, (now - newer) // _FINENESS):
                kept.append(index)
        kept.append(0)
        self._times = [self._times[index] for index in reversed(kept)]
        self._sums = [self._sums[index] for index in reversed(kept)]
