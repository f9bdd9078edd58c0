"""How fast breaches may be written to the journal, and what is counted instead.

journald drops what a service writes too fast, and says only how much that was. So we stay below its limit,
and tell what we left out.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from compassd.breach import Breach, Severity

# How long breaches are counted before that is told, s.
_COLLECT_S = 1.0


@dataclass(slots=True)
class Suppressed:
    """Breaches of one rule in one pool that are not written one by one.

    Attributes:
        rule: The rule.
        pool: The pool.
        severity: The worst of them.
        count: How many.
        max_ns: The longest of their requests, ns.
    """

    rule: str
    pool: str
    severity: Severity
    count: int = 0
    max_ns: int = 0

    def add(self, breach: Breach) -> None:
        """Count the breach."""
        self.count += 1
        self.max_ns = max(self.max_ns, breach.request.duration_ns)
        self.severity = max(self.severity, breach.severity, key=lambda severity: severity.rank)


@dataclass(slots=True)
class Limiter:
    """A token bucket, and the counts of what it refused. Times are those of one clock that only goes on, s.

    Attributes:
        rate: Entries a second in the long run.
        burst: Entries at once.
    """

    rate: float
    burst: float
    _spent: float = 0.0
    _filled_at: float | None = None
    _counted: dict[tuple[str, str], Suppressed] = field(default_factory=dict)
    _due_at: float | None = None

    def admit(self, breach: Breach, now: float) -> bool:
        """Return whether to write the breach; otherwise it is counted."""
        self._refill(now)
        if self._spent + 1.0 <= self.burst:
            self._spent += 1.0
            return True
        request = breach.request
        group = self._counted.setdefault(
            (breach.rule, request.pool), Suppressed(breach.rule, request.pool, breach.severity)
        )
        group.add(breach)
        if self._due_at is None:
            self._due_at = now + _COLLECT_S
        return False

    def pause(self, now: float) -> float | None:
        """Return how long it is until take_due() returns something, s; None if nothing is counted."""
        return None if self._due_at is None else max(0.0, self._due_at - now)

    def take_due(self, now: float) -> list[Suppressed]:
        """Return what was counted if it is time to tell it, and count anew."""
        if self._due_at is None or now < self._due_at:
            return []
        self._refill(now)
        return self.take_all()

    def take_all(self) -> list[Suppressed]:
        """Return what was counted, and count anew."""
        taken = list(self._counted.values())
        self._counted.clear()
        self._due_at = None
        # They are written whatever there is left, at the expense of the breaches that follow.
        self._spent += len(taken)
        return taken

    def _refill(self, now: float) -> None:
        if self._filled_at is not None:
            self._spent = max(0.0, self._spent - (now - self._filled_at) * self.rate)
        self._filled_at = now
