"""Slack's rate: so many messages a second, and short bursts."""

from __future__ import annotations

import time

_BURST = 5  # "short bursts > 1 allowed", Slack says, without a number


class Rate:
    """Credit that is used up by messages and comes back with time.

    Args:
        per_second: Messages a second after a burst; None: any number.
    """

    def __init__(self, per_second: float | None) -> None:
        self._per_second = per_second
        self._credit, self._at = float(_BURST), time.monotonic()

    def take(self) -> bool:
        """Return whether one more message is taken now."""
        if self._per_second is None:
            return True
        now = time.monotonic()
        self._credit = min(float(_BURST), self._credit + (now - self._at) * self._per_second)
        self._at = now
        if self._credit < 1.0:
            return False
        self._credit -= 1.0
        return True
