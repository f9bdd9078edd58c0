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
    """Unix time that does not jump when somebody sets it, but when follow() is called.

    So all that is kept with a time can be moved along before anybody sees the new one.

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
        """Return Unix time, ns, as it would be if nobody had set it since the last follow()."""
        return self.since_boot_ns() + self._offset

    def jumped(self) -> int:
        """Return by how much Unix time was set forward since the last follow(), ns; below 0 for back."""
        jump = self._apart() - self._offset
        if abs(jump) >= _JUMP_NS:
            return jump
        self._offset += jump
        return 0

    def follow(self, jump_ns: int) -> None:
        """Jump, by what jumped() has returned."""
        self._offset += jump_ns

    def _apart(self) -> int:
        return self.unix_ns() - self.since_boot_ns()
