"""Whether there were enough breaches to tell of an incident."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field

from compassd.breach import Gate
from compassd.incidents.requests import FinishedRequests

_BUCKETS = 60


@dataclass(slots=True)
class Pending:
    """What is known of the last breaches of an incident that is not told yet.

    The number of breaches within the time is exact. Their rate is of the last 60 buckets of a sixtieth of the
    time each, so that the time is up to a sixtieth too short, for breaches and requests alike. A rate is
    never reached before requests are known, and after a restart it is of what came since, as they are.

    Attributes:
        within_ns: The gate's time, ns.
        times: When the last breaches within it were, Unix time in ns, oldest first; at most gate.min_hits.
        buckets: Breaches by when they were, in units of _width(within_ns); only if the gate has a rate.
    """

    within_ns: int
    times: deque[int] = field(default_factory=deque)
    buckets: dict[int, int] = field(default_factory=dict)

    @property
    def last_at(self) -> int:
        """When the last breach was, Unix time in ns."""
        return self.times[-1]

    def count(self, gate: Gate, now: int) -> None:
        """Count a breach.

        Args:
            gate: What it takes, as of now: rules may change at any time.
            now: Unix time, ns; never less than before.
        """
        if gate.within_ns != self.within_ns:
            self.within_ns = gate.within_ns
            self.buckets.clear()
        self.times.append(now)
        while len(self.times) > 1 and (
            len(self.times) > gate.min_hits or self.times[0] <= now - gate.within_ns
        ):
            self.times.popleft()
        if gate.min_rate is not None:
            bucket = now // _width(gate.within_ns)
            self.buckets[bucket] = self.buckets.get(bucket, 0) + 1
            for old in [old for old in self.buckets if old <= bucket - _BUCKETS]:
                del self.buckets[old]

    def not_after(self, now: int) -> None:
        """Move what is to come out of the future, where it is when somebody has set the clock back."""
        self.times = deque(min(time, now) for time in self.times)

    def shift(self, jump_ns: int) -> None:
        """Move all times along with a clock that was set forward by so many ns, or back."""
        self.times = deque(time + jump_ns for time in self.times)
        buckets = jump_ns // _width(self.within_ns)
        self.buckets = {bucket + buckets: count for bucket, count in self.buckets.items()}

    def reached(self, gate: Gate, requests: FinishedRequests, now: int) -> bool:
        """Return whether the breaches counted are enough."""
        if len(self.times) < gate.min_hits:
            return False
        if gate.min_rate is None:
            return True
        width = _width(gate.within_ns)
        finished = requests.since((now // width - _BUCKETS + 1) * width)
        return finished > 0 and sum(self.buckets.values()) >= gate.min_rate * finished


def _width(within_ns: int) -> int:
    return max(1, -(-within_ns // _BUCKETS))
