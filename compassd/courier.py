"""The thread that brings one destination its messages from the outbox."""

from __future__ import annotations

import logging
import threading
import time
import uuid
from collections.abc import Callable
from dataclasses import dataclass

from compassd.destinations.base import MessageDestination, SendError
from compassd.errors import StoreError
from compassd.incidents.catch_up import catch_up
from compassd.notice import Message
from compassd.outgoing import Backoff
from compassd.store.outbox import Waiting
from compassd.store.store import Store

log = logging.getLogger(__name__)

_NS_PER_S = 1_000_000_000
_TTL_NS = 24 * 3_600 * _NS_PER_S
_CAP_S = 300.0
# How often to look for what others have changed: `compassd outbox retry` wakes nobody.
_POLL_S = 2.0
# How many messages are sent one by one after an outage; more become one digest.
_FEW = 5
# What is shorter is no outage: every message is still worth sending.
OUTAGE_NS = 60 * _NS_PER_S
# After so many failures of one message, those of other incidents may have their turn before it: the fault may
# be its own.
_PATIENCE = 5
# Later than any time at which a message is due.
_ANY_TIME = 2**62
# How long close() waits for a thread that is about to end anyway.
_JOIN_S = 1.0


@dataclass(frozen=True, slots=True)
class CourierStats:
    """What became of the messages for one destination.

    Attributes:
        waiting: In the outbox now.
        sent: Taken by the destination since the start.
        dead: Made dead letters since the start.
        retries: Attempts that failed since the start, and are repeated.
    """

    waiting: int
    sent: int
    dead: int
    retries: int


class Courier:
    """Sends the messages in the outbox to one destination, the oldest first, from a thread of its own.

    Those of one incident are never sent in another order than that in which they were made.

    A message leaves the outbox after it was sent: whenever the process is killed, what was not sent is sent
    by the next one, and what was about to be sent is sent again with the same id.

    Args:
        destination: Where to send; closed when the thread ends.
        store: Where the outbox is; must stay open until close().
        backoff: How failed attempts are repeated; as often as it takes.
        poll_s: How often to look into the outbox if nobody calls kick(), s.
        outage_ns: How long the oldest message has to have waited for a backlog to become a digest, ns; None
            if it never does.
        clock: The time, Unix time in ns.
    """

    def __init__(  # noqa: PLR0913 - most with a default, for tests
        self,
        destination: MessageDestination,
        store: Store,
        *,
        backoff: Backoff | None = None,
        poll_s: float = _POLL_S,
        outage_ns: int | None = OUTAGE_NS,
        clock: Callable[[], int] = time.time_ns,
    ) -> None:
        self._destination = destination
        self._name = destination.name
        self._outbox = store.outbox
        self._memory = store.memory(destination.name)
        self._backoff = backoff or Backoff(cap_s=_CAP_S)
        self._poll_s = poll_s
        self._outage_ns = outage_ns
        self._clock = clock
        self._changed = threading.Condition(threading.Lock())
        self._kicked = self._stopped = self._ended = False
        self._deadline: float | None = None
        self._sent = self._dead = self._retries = 0
        # Below: the thread's own. Times are of time.monotonic: _floor holds whatever happens, _pause does not
        # when somebody is in a hurry.
        self._floor = self._pause = 0.0
        self._failures = 0
        self._failing = False
        # Whether what waits may make a digest: the outage is over, or what it had to wait for has gone.
        self._recovered = False
        # Whether attempts have failed since the last one that did not: of an earlier process, too.
        self._broken = self._outbox.has_failed(self._name)
        self._gone: str | None = None
        self._asked = self._outbox.retries(self._name)
        # A daemon thread: one that hangs in a send must not keep the process alive.
        self._thread = threading.Thread(target=self._run, name=f"to-{self._name}", daemon=True)
        self._thread.start()

    def kick(self) -> None:
        """Say that there are new messages in the outbox."""
        with self._changed:
            self._kicked = True
            self._changed.notify_all()

    def stats(self) -> CourierStats:
        """Return the counters."""
        waiting = self._outbox.backlog(self._name)
        with self._changed:
            return CourierStats(waiting, self._sent, self._dead, self._retries)

    def hurry(self, deadline: float) -> None:
        """Try what waits for a retry now; give up at deadline (time.monotonic) or at the next failure.

        The thread ends when there is nothing more to send. What is left stays in the outbox.
        """
        with self._changed:
            self._deadline = deadline
            self._kicked = True
            self._changed.notify_all()

    def wait_idle(self, deadline: float) -> None:
        """After hurry(): return when nothing more will be tried, or the deadline has come."""
        with self._changed:
            self._changed.wait_for(
                lambda: self._stopped or self._ended, timeout=max(0.0, deadline - time.monotonic())
            )

    def close(self) -> None:
        """Stop sending; what waits stays in the outbox."""
        with self._changed:
            self._stopped = True
            self._changed.notify_all()
        self._thread.join(_JOIN_S)

    def _run(self) -> None:
        try:
            pause: float | None = 0.0
            while pause is not None and self._sleep(pause):
                try:
                    pause = self._step()
                except StoreError as error:
                    if self._stopped:  # the store was closed while a destination hung
                        break
                    log.error("destination %s: %s", self._name, error.advice)  # noqa: TRY400
                    pause = self._poll_s
        finally:
            with self._changed:
                self._ended = True
                self._changed.notify_all()
            self._destination.close()

    def _sleep(self, seconds: float) -> bool:
        """Wait so long, or until there may be something to do; return whether to go on."""
        with self._changed:
            if seconds > 0.0:
                self._changed.wait_for(lambda: self._stopped or self._kicked, seconds)
            self._kicked = False
            return not self._stopped

    def _step(self) -> float | None:
        """Do the next thing; return how long to wait before the one after it, s; None at the end."""
        self._notice_retry()
        hurrying = self._deadline is not None
        if self._gone is not None:
            self._count_dead(self._outbox.bury_all(self._name, self._gone, self._asked))
            return None if hurrying else self._poll_s
        # At once: the next process would not know that there was an outage.
        if self._recovered and self._merge():
            return 0.0
        until = self._floor if hurrying else max(self._floor, self._pause)
        rest = until - time.monotonic()
        if rest > 0.0:
            too_late = self._deadline is not None and until > self._deadline
            return None if too_late else min(rest, self._poll_s)
        now = self._clock()
        waiting = self._outbox.next(self._name, _ANY_TIME if hurrying else now)
        if waiting is None:
            return None if hurrying else self._until_due(now)
        # Not after the attempt: somebody may set the clock meanwhile.
        expired = now - waiting.since > _TTL_NS
        return self._send(waiting, expired=expired, hurrying=hurrying)

    def _until_due(self, now: int) -> float:
        due = self._outbox.due_at(self._name, now)
        return self._poll_s if due is None else min(self._poll_s, (due - now) / _NS_PER_S)

    def _notice_retry(self) -> None:
        """Begin afresh if somebody has asked for that."""
        asked = self._outbox.retries(self._name)
        if asked != self._asked:
            self._asked = asked
            self._gone, self._failures, self._pause = None, 0, 0.0

    def _merge(self) -> bool:
        """Make one digest of a backlog; return whether it changed meanwhile and has to be looked at again."""
        if self._outage_ns is None or self._outbox.backlog(self._name) <= _FEW:
            self._recovered = False
            return False
        merged = catch_up(self._outbox.mergeable(self._name))
        if merged is None or len(merged.ids) <= _FEW or self._clock() - merged.made_at < self._outage_ns:
            self._recovered = False
            return False
        digest = Message(
            id=uuid.uuid4().hex, destination=self._name, created_at=self._clock(), notice=merged.notice
        )
        if not self._outbox.merge(self._name, merged.ids, digest):
            return True
        self._recovered = False
        log.info("destination %s: %d messages that waited become one digest", self._name, len(merged.ids))
        return False

    def _send(self, waiting: Waiting, *, expired: bool, hurrying: bool) -> float | None:
        message = waiting.message
        if not self._outbox.begin(message):
            return 0.0
        self._floor = time.monotonic() + self._destination.min_interval
        error = self._attempt(message)
        if error is not None:
            return self._failed(waiting, error, expired=expired, hurrying=hurrying)
        self._outbox.delivered(message)
        with self._changed:
            self._sent += 1
        self._recovered |= self._broken or waiting.uncertain
        self._broken, self._failures = False, 0
        return 0.0

    def _failed(self, waiting: Waiting, error: SendError, *, expired: bool, hurrying: bool) -> float | None:
        message, fault = waiting.message, str(error)
        retry_after = error.retry_after or 0.0
        self._floor = max(self._floor, time.monotonic() + retry_after)
        if error.gone:
            self._gone = fault
            return 0.0
        if error.permanent:
            self._outbox.bury(message, fault)
            self._count_dead(1)
            self._recovered |= waiting.uncertain
            return 0.0
        self._failures += 1
        self._broken = True
        pause = self._backoff.pause(self._failures)
        self._pause = time.monotonic() + pause
        if expired:
            self._outbox.bury(message, f"expired: {fault}")
            self._count_dead(1)
        else:
            wait = max(pause, retry_after)
            if waiting.attempts >= _PATIENCE and not error.unreached:
                # Later than the destination is tried again, so that it is not this one that is tried.
                wait = max(wait, self._backoff.pause(waiting.attempts)) + self._backoff.base_s
            not_before = self._clock() + round(wait * _NS_PER_S)
            uncertain = waiting.uncertain or error.uncertain
            self._outbox.postpone(message, not_before, fault, uncertain=uncertain)
            with self._changed:
                self._retries += 1
        return None if hurrying and error.retry_after is None else 0.0

    def _count_dead(self, count: int) -> None:
        with self._changed:
            self._dead += count

    def _attempt(self, message: Message) -> SendError | None:
        try:
            self._destination.send(message, self._memory)
        except SendError as error:
            failure = error
        except Exception as error:  # noqa: BLE001 - whatever a destination does, the others and we go on
            # Only its type: the text of an unknown exception may hold a URL.
            failure = SendError(self._name, f"unexpected {type(error).__name__}", permanent=True)
        else:
            if self._failing:
                log.info("destination %s: works again", self._name)
            self._failing = False
            return None
        self._log(failure)
        return failure

    def _log(self, failure: SendError) -> None:
        # Once, not for every message: a log that repeats itself is not read.
        level = logging.DEBUG if self._failing else logging.WARNING
        self._failing = True
        if failure.gone:
            log.error(
                "%s: nothing more is sent to it, its messages become dead letters, until compassd restarts or"
                " `compassd outbox retry %s`",
                failure,
                self._name,
            )
        elif failure.permanent:
            log.log(level, "%s: kept as a dead letter, see `compassd outbox list --dead`", failure)
        else:
            log.log(level, "%s", failure)
