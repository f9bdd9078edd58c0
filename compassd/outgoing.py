"""One destination's queue and the thread that empties it."""

from __future__ import annotations

import logging
import random
import threading
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

from compassd.breach import Breach
from compassd.destinations.base import Deferring, Destination, SendError

log = logging.getLogger(__name__)

# How long close() waits for a thread that is about to end anyway.
_JOIN_S = 1.0


@dataclass(frozen=True, slots=True)
class Backoff:
    """How a failed attempt is repeated: after a random part of a time that doubles ("full jitter").

    Attributes:
        base_s: The first time, s.
        cap_s: The longest time, s.
        attempts: How many attempts there are at most.
    """

    base_s: float = 1.0
    cap_s: float = 30.0
    attempts: int = 5

    def pause(self, failures: int) -> float:
        """Return how long to wait after so many failures in a row, s."""
        longest = min(self.cap_s, self.base_s * 2.0 ** (failures - 1))
        return random.uniform(0.0, longest)  # noqa: S311 - spreads load, keeps no secret


@dataclass(frozen=True, slots=True)
class Counters:
    """What became of the breaches for one destination; their sum is how many there were.

    Attributes:
        queued: Waiting or being sent now.
        sent: Taken by the destination.
        failed: Given up after the last attempt or a permanent failure.
        overflowed: Dropped because the queue was full.
    """

    queued: int = 0
    sent: int = 0
    failed: int = 0
    overflowed: int = 0


class Outgoing:
    """Sends breaches to one destination, one after the other, from a thread of its own.

    Only that thread logs and sends; accept() takes a lock that is held for moments, so that it never waits
    for a destination or for whoever reads the log.

    Args:
        destination: Where to send; closed when the thread ends.
        size: How many breaches may wait, the one being sent included.
        backoff: How failed attempts are repeated.
    """

    def __init__(self, destination: Destination, size: int, backoff: Backoff) -> None:
        self._destination = destination
        self._size = size
        self._backoff = backoff
        self._changed = threading.Condition(threading.Lock())
        self._queue: deque[Breach] = deque()
        self._sent = self._failed = self._overflowed = 0
        self._stopped = False
        self._deadline: float | None = None
        # Below: the thread's own.
        self._failing = False
        self._overflow_logged = 0
        self._overflowing = False
        self._not_before = 0.0
        # A daemon thread: one that hangs in a send must not keep the process alive.
        self._thread = threading.Thread(target=self._run, name=f"to-{destination.name}", daemon=True)
        self._thread.start()

    def accept(self, breach: Breach) -> None:
        """Queue the breach, or count it as overflowed."""
        with self._changed:
            if self._stopped or len(self._queue) >= self._size:
                self._overflowed += 1
            else:
                self._queue.append(breach)
                self._changed.notify_all()

    def counters(self) -> Counters:
        """Return the counters, all of the same moment."""
        with self._changed:
            return Counters(len(self._queue), self._sent, self._failed, self._overflowed)

    def hurry(self, deadline: float) -> None:
        """Try what waits for a retry now; give up at deadline (time.monotonic) or at the next failure."""
        with self._changed:
            self._deadline = deadline
            self._changed.notify_all()

    def wait_idle(self, deadline: float) -> None:
        """Return when nothing is queued, nothing more will be tried, or the deadline has come."""
        with self._changed:
            self._changed.wait_for(
                lambda: self._stopped or not self._queue, timeout=max(0.0, deadline - time.monotonic())
            )

    def close(self) -> None:
        """Stop sending; what is queued stays undelivered."""
        with self._changed:
            self._stopped = True
            self._changed.notify_all()
        self._thread.join(_JOIN_S)

    def _run(self) -> None:
        while (breach := self._next()) is not None:
            self._log_overflow()
            delivered = self._deliver(breach)
            if delivered is None:
                break
            with self._changed:
                self._queue.popleft()
                self._sent += delivered
                self._failed += not delivered
                self._changed.notify_all()
        with self._changed:
            self._stopped = True
            self._changed.notify_all()
        self._log_overflow()
        self._destination.close()

    def _next(self) -> Breach | None:
        """Wait for a breach and return it, leaving it in the queue; None if there is nothing more to do."""
        while True:
            with self._changed:
                if self._stopped or self._queue:
                    return None if self._stopped else self._queue[0]
            pause = self._idle()
            with self._changed:
                self._changed.wait_for(lambda: self._stopped or self._queue, pause)

    def _idle(self) -> float | None:
        """Have the destination send what is due; return when to do so again, s, None: never, as it is."""
        if not isinstance(self._destination, Deferring):
            return None
        pause = self._destination.pause()
        if pause is None or pause > 0.0:
            return pause
        error = self._attempt(self._destination.idle)
        return self._backoff.base_s if error else self._destination.pause()

    def _deliver(self, breach: Breach) -> bool | None:
        """Return whether the breach was sent, None if it is left undelivered because the end is near."""
        for failures in range(1, self._backoff.attempts + 1):
            hurrying = self._deadline is not None
            if not self._wait(self._not_before):
                return None
            self._not_before = time.monotonic() + self._destination.min_interval
            error = self._attempt(partial(self._destination.send, breach))
            if error is None:
                return True
            now = time.monotonic()
            self._not_before = max(self._not_before, now + (error.retry_after or 0.0))
            if error.permanent:
                return False
            if hurrying and error.retry_after is None:
                return None
            if failures < self._backoff.attempts and not self._wait(
                now + self._backoff.pause(failures), unless_hurrying=True
            ):
                return None
        return False

    def _attempt(self, send: Callable[[], None]) -> SendError | None:
        try:
            send()
        except SendError as error:
            failure = error
        except Exception as error:  # noqa: BLE001 - whatever a destination does, the others and we go on
            # Only its type: the text of an unknown exception may hold a URL.
            failure = SendError(self._destination.name, f"unexpected {type(error).__name__}", permanent=True)
        else:
            if self._failing:
                log.info("destination %s: works again", self._destination.name)
            self._failing = False
            return None
        # Once, not for every breach: a log that repeats itself is not read.
        log.log(logging.DEBUG if self._failing else logging.WARNING, "%s", failure)
        self._failing = True
        return failure

    def _wait(self, until: float, *, unless_hurrying: bool = False) -> bool:
        """Wait until that time (time.monotonic); return whether to go on.

        Args:
            until: When to go on.
            unless_hurrying: Whether hurry() ends the wait.
        """
        with self._changed:
            while not self._stopped:
                if unless_hurrying and self._deadline is not None:
                    return True
                rest = until - time.monotonic()
                if rest <= 0.0:
                    return True
                if self._deadline is not None and until > self._deadline:
                    return False
                self._changed.wait(rest)
            return False

    def _log_overflow(self) -> None:
        with self._changed:
            dropped, waiting = self._overflowed - self._overflow_logged, len(self._queue)
        if dropped and not self._overflowing:
            self._overflowing = True
            log.warning(
                "destination %s: its queue of %d is full, dropping breaches",
                self._destination.name,
                self._size,
            )
        elif self._overflowing and (waiting <= self._size // 2 or self._stopped):
            self._overflowing = False
            self._overflow_logged += dropped
            log.warning(
                "destination %s: %d breaches were dropped because its queue was full",
                self._destination.name,
                dropped,
            )
