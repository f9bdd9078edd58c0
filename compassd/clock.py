"""The time that incidents and messages live by."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field

# Clocks that are set right step by less than this or are slewed; both do no harm.
_JUMP_NS = 2_000_000_000


def _since_boot_ns() -> int:
    # Goes on while the machine sleeps, as Unix time does.
    return time.clock_gettime_ns(time.CLOCK_BOOTTIME)


@dataclass(slots=True)
class Clock:
    """Unix time, and by how much somebody has set it.

    Args:
        unix_ns: Returns Unix time, ns.
        since_boot_ns: Returns a time that nobody can set, ns.
    """

    unix_ns: Callable[[], int] = time.time_ns
    since_boot_ns: Callable[[], int] = _since_boot_ns
    _offset: int = field(init=False)

    def __post_init__(self) -> None:
        """Remember how far the two are apart."""
        self._offset = self._apart()

    def now(self) -> int:
        """Return Unix time, ns."""
        return self.unix_ns()

    def jumped(self) -> int:
        """Return by how much Unix time was set forward since the last call, ns; below 0 for back."""
        before, self._offset = self._offset, self._apart()
        jump = self._offset - before
        return jump if abs(jump) >= _JUMP_NS else 0

    def _apart(self) -> int:
        return self.unix_ns() - self.since_boot_ns()
