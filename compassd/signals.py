"""Signals, which only set flags: a handler runs between any two instructions of the main thread."""

from __future__ import annotations

import signal
from dataclasses import dataclass
from types import FrameType


@dataclass(slots=True)
class Signals:
    """What signal handlers have asked for. The handlers only set these flags; the loop acts on them.

    Attributes:
        stop: Whether to end.
        reload: Whether to read the rules again.
        failed: Whether to end because something is broken; set by others than signals.
    """

    stop: bool = False
    reload: bool = False
    failed: bool = False

    def install(self) -> None:
        """Handle SIGTERM and SIGINT (stop), and SIGHUP (reload)."""
        signal.signal(signal.SIGTERM, self._on_stop)
        signal.signal(signal.SIGINT, self._on_stop)
        signal.signal(signal.SIGHUP, self._on_reload)

    def fail(self) -> None:
        """Ask for an end with an error."""
        self.failed = self.stop = True

    def _on_stop(self, _number: int, _frame: FrameType | None) -> None:
        self.stop = True

    def _on_reload(self, _number: int, _frame: FrameType | None) -> None:
        self.reload = True
