"""What happens when a thread ends by an error that nobody foresaw."""

from __future__ import annotations

import logging
import threading
import traceback
from collections.abc import Callable

log = logging.getLogger(__name__)


def watch_threads(stop: Callable[[], None]) -> None:
    """From now on log the death of a thread, and call stop: a daemon that tells nobody shall not go on.

    What is on disk is kept, so that a new process goes on where this one ended.
    """

    def died(death: threading.ExceptHookArgs) -> None:
        # Where, and which kind, but not the text: that of an unknown exception may hold a URL.
        name = death.thread.name if death.thread else "unknown"
        where = "".join(traceback.format_tb(death.exc_traceback))
        log.critical("thread %s ended by %s, stopping:\n%s", name, death.exc_type.__name__, where)
        stop()

    threading.excepthook = died
