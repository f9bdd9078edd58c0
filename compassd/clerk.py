"""Turns breaches into messages, and has both on disk before anything is sent.

A thread of its own, so that whoever reads the kernel's records waits for no disk. It takes all breaches that
have come, asks the incident book what is to be told, and commits incidents and messages in one transaction:
what is committed is told, whatever happens to the process afterwards.
"""

from __future__ import annotations

import logging
import threading
import time
from collections import deque
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial

from compassd.breach import Breach
from compassd.clock import Clock
from compassd.courier import Courier
from compassd.errors import StoreError
from compassd.incidents.book import BookCounters, IncidentBook
from compassd.incidents.saved import Changes, SavedIncident
from compassd.notice import BreachNotice, Message
from compassd.settings import IncidentSettings
from compassd.store.store import Store

log = logging.getLogger(__name__)

_NS_PER_S = 1_000_000_000
# How often it counts incidents and says what was dropped, and tries again what the store has refused.
_LOOK_S = 1.0
# How long breaches are collected between two commits when nobody is told of each. In a flood most of the work
# would be commits of the same incident; whoever is told of incidents waits for seconds anyway.
_COLLECT_S = 0.05
# How long close() waits for a thread that is about to end anyway.
_JOIN_S = 5.0


@dataclass(frozen=True, slots=True)
class ClerkCounters:
    """What became of the breaches that the clerk was given; their sum is how many there were.

    Attributes:
        queued: Waiting to be taken, or being taken now.
        accepted: On disk, with the messages that came of them.
        overflowed: Dropped because the queue was full.
    """

    queued: int = 0
    accepted: int = 0
    overflowed: int = 0


@dataclass(slots=True)
class _Inbox:
    """What was given to the clerk and not taken yet."""

    breaches: deque[Breach] = field(default_factory=deque)
    finished_requests: int | None = None
    stopped: bool = False


class Clerk:
    """Keeps the incidents, and fills the outbox.

    Args:
        settings: How breaches become incidents.
        server: Name of this machine.
        store: Where both are kept.
        couriers: By the name of their destination: those to wake when there is something to send.
        each: Names of the destinations that are told of every breach instead of incidents.
        queue_size: How many breaches may wait to be taken.
        clock: The time.
    """

    def __init__(  # noqa: PLR0913 - each is one independent input
        self,
        settings: IncidentSettings,
        server: str,
        store: Store,
        couriers: Mapping[str, Courier],
        *,
        each: Collection[str] = (),
        queue_size: int = 10_000,
        clock: Clock | None = None,
    ) -> None:
        self._settings = settings
        self._server = server
        self._store = store
        self._couriers = couriers
        self._each = frozenset(each)
        self._size = queue_size
        self._clock = clock or Clock()
        self._changed = threading.Condition()
        self._inbox = _Inbox()
        self._abandoned = threading.Event()
        self._taking = self._accepted = self._overflowed = 0
        # Below: the thread's own.
        self._overflow_logged = 0
        self._unnamed: set[str] = set()
        self._next_look = 0.0
        self._book = self._open_book()
        # The daemon begins to count at 0, but may have something to tell of before it counts again.
        self._book.note_requests(0, self._clock.now())
        self._incidents = self._book.counters
        self._thread = threading.Thread(target=self._run, name="clerk", daemon=True)
        self._thread.start()

    def accept(self, breach: Breach) -> None:
        """Queue a breach, redacted, for its destinations among the couriers'; or count it as overflowed."""
        with self._changed:
            if self._inbox.stopped or len(self._inbox.breaches) >= self._size:
                self._overflowed += 1
                return
            self._inbox.breaches.append(breach)
            # What _wait() and _collect() wait for: to wake the thread for each costs more than its work.
            if len(self._inbox.breaches) in (1, self._size // 2):
                self._changed.notify_all()

    def note_requests(self, finished: int) -> None:
        """Take note of how many requests have finished since the daemon began."""
        with self._changed:
            self._inbox.finished_requests = finished

    def counters(self) -> ClerkCounters:
        """Return the counters, all of the same moment."""
        with self._changed:
            queued = len(self._inbox.breaches) + self._taking
            return ClerkCounters(queued, self._accepted, self._overflowed)

    def incidents(self) -> BookCounters:
        """Return how many incidents there are."""
        with self._changed:
            return self._incidents

    def close(self) -> None:
        """Take what is queued, keep it, and end."""
        with self._changed:
            self._inbox.stopped = True
            self._changed.notify_all()
        self._thread.join(_JOIN_S)
        if self._thread.is_alive() and not self._abandoned.is_set():
            log.error("%d breaches cannot be kept and are in no message", self.counters().queued)
            self._abandoned.set()

    def _run(self) -> None:
        while True:
            inbox = self._wait()
            self._follow_clock()
            self._work(inbox)
            if inbox.stopped or time.monotonic() >= self._next_look:
                self._next_look = time.monotonic() + _LOOK_S
                self._look_around()
            if inbox.stopped:
                return
            if inbox.breaches and not self._each:
                self._collect()

    def _wait(self) -> _Inbox:
        """Return what there is to take, as soon as there is something, or something is due."""
        with self._changed:
            now = self._clock.now()
            due = self._book.next_due(now)
            pause = _LOOK_S if due is None else min(_LOOK_S, max(0.0, (due - now) / _NS_PER_S))
            self._changed.wait_for(lambda: self._inbox.stopped or self._inbox.breaches, pause)
            taken = self._inbox
            self._inbox = _Inbox(stopped=taken.stopped)
            self._taking = len(taken.breaches)
            return taken

    def _collect(self) -> None:
        """Let more breaches come before the next commit, unless they fill half of the queue."""
        with self._changed:
            self._changed.wait_for(
                lambda: self._inbox.stopped or len(self._inbox.breaches) >= self._size // 2, _COLLECT_S
            )

    def _work(self, inbox: _Inbox) -> None:
        now = self._clock.now()
        if inbox.finished_requests is not None:
            self._book.note_requests(inbox.finished_requests, now)
        messages: list[Message] = []
        for breach in inbox.breaches:
            messages += self._take(breach, now)
        messages += self._with_courier(self._book.due(now))
        changes = self._book.changes()
        if (messages or changes.upserted or changes.removed) and not self._insist(
            partial(self._commit, messages, changes)
        ):
            return
        with self._changed:
            self._accepted += self._taking
            self._taking = 0
        for name in {message.destination for message in messages}:
            self._couriers[name].kick()

    def _commit(self, messages: Sequence[Message], changes: Changes) -> None:
        self._store.commit(
            messages=messages,
            incidents={record.id: record.state for record in changes.upserted},
            exemplars={
                record.id: record.exemplars for record in changes.upserted if record.exemplars is not None
            },
            removed=changes.removed,
        )

    def _insist(self, action: Callable[[], None]) -> bool:
        """Do it, however long the store refuses; return whether it was done before close() gave up.

        What comes meanwhile waits, and is counted if it is too much.
        """
        while True:
            try:
                action()
            except StoreError as error:
                # Not even memory works.
                log.error("%s: trying again", error.advice)  # noqa: TRY400 - the message says it all
                if self._abandoned.wait(_LOOK_S):
                    return False
            else:
                return True

    def _with_courier(self, messages: Sequence[Message]) -> list[Message]:
        """Leave out what is for listeners of an earlier run that the settings do not name any more."""
        for name in {message.destination for message in messages} - self._couriers.keys() - self._unnamed:
            self._unnamed.add(name)
            log.warning("destination %s: the settings do not name it any more, it is not told the rest", name)
        return [message for message in messages if message.destination in self._couriers]

    def _take(self, breach: Breach, now: int) -> Sequence[Message]:
        mine = [name for name in breach.destinations if name in self._couriers]
        self._book.take(breach, [name for name in mine if name not in self._each], now)
        return [
            Message(
                id=breach.message_id,
                destination=name,
                created_at=now,
                notice=BreachNotice(breach=breach),
            )
            for name in mine
            if name in self._each
        ]

    def _look_around(self) -> None:
        """Log what was dropped, and count incidents."""
        self._log_overflow()
        counters = self._book.counters
        with self._changed:
            self._incidents = counters

    def _follow_clock(self) -> None:
        """If somebody has set the clock, move all that has a time along with it, so that nothing changes."""
        jump = self._clock.jumped()
        if not jump:
            return
        log.warning("the clock was set by %+.0f s: incidents and messages are moved along", jump / _NS_PER_S)
        # Couriers go on meanwhile. What waits shall seem too young to them then, which does no harm: what
        # seems too old would be given up.
        if jump < 0:
            self._clock.follow(jump)
        self._insist(partial(self._store.outbox.shift, jump))
        if jump > 0:
            self._clock.follow(jump)
        self._book.shift(jump)

    def _open_book(self) -> IncidentBook:
        exemplars = self._store.exemplars()
        saved = [
            SavedIncident(id=key, state=state, exemplars=exemplars.get(key))
            for key, state in self._store.incidents().items()
        ]
        book = IncidentBook(self._settings, self._server, saved)
        if book.counters.unreadable:
            log.warning(
                "%d saved incidents could not be read and are left out: they begin anew",
                book.counters.unreadable,
            )
        return book

    def _log_overflow(self) -> None:
        dropped = self.counters().overflowed - self._overflow_logged
        if dropped:
            self._overflow_logged += dropped
            log.warning(
                "%d breaches are in no message: they came faster than they could be kept, %d at a time",
                dropped,
                self._size,
            )
