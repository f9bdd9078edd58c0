"""All incidents of this machine: breaches go in, messages come out."""

from __future__ import annotations

import heapq
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

from compassd.breach import Breach
from compassd.incidents.gate import Pending
from compassd.incidents.incident import Incident, IncidentState
from compassd.incidents.key import incident_id, incident_key, other_key, rule_key
from compassd.incidents.requests import FinishedRequests
from compassd.incidents.saved import (
    CEILINGS,
    Changes,
    SavedIncident,
    UnreadableError,
    load_ceilings,
    load_incident,
    save_ceilings,
    save_incident,
)
from compassd.incidents.storm import Queue
from compassd.notice import IncidentKey, Message
from compassd.settings import IncidentSettings

MAX_INCIDENTS = 5_000
"""Beyond so many, new breaches are counted under other_key()."""
MAX_OTHERS = 100
"""Beyond so many more, under rule_key(): the name of a pool is what a process says, which may invent any."""
MAX_NODES = 50_000
"""Of the call trees of all exemplars, about 20 MB. Beyond that, exemplars are kept without their trees."""


@dataclass(frozen=True, slots=True, kw_only=True)
class BookCounters:
    """What the status line says of incidents.

    Attributes:
        open: Incidents that are told, or will be in a moment.
        opened: How many there were of these since the book was opened.
        pending: Those whose breaches are too few to tell so far.
        suppressed: Breaches that were never told since the book was opened, as they stayed too few.
        unreadable: Saved records that could not be read when the book was opened.
    """

    open: int
    opened: int
    pending: int
    suppressed: int
    unreadable: int


class IncidentBook:
    """Counts breaches by incident and says who is to be told what, and when. Used by one thread only.

    Times are Unix ns. One that is before an earlier one counts as that earlier one.

    Args:
        settings: How often incidents are told.
        server: Name of this machine.
        saved: What changes() returned before a restart, with the newest exemplars of each record.
    """

    def __init__(self, settings: IncidentSettings, server: str, saved: Iterable[SavedIncident] = ()) -> None:
        self._settings = settings
        self._server = server
        self._now: int | None = None
        self._requests = FinishedRequests()
        self._incidents: dict[str, Incident] = {}
        self._keys: dict[IncidentKey, Incident] = {}  # the ones that are not over
        self._running: dict[str, Incident] = {}  # by the id of a breach whose end is awaited
        self._queues: dict[str, Queue] = {}
        # Until when what begins or is over is collected, by destination, so that a storm is one digest.
        self._windows: dict[str, int] = {}
        # Times at which incidents are to be looked at, at least one for each that has a timer. An entry that
        # is not its incident's timer is stale.
        self._timers: list[tuple[int, str]] = []
        self._changed: set[str] = set()
        self._new_exemplars: set[str] = set()
        self._removed: set[str] = set()
        self._new_ceilings = False
        self._nodes = 0
        self._opened = 0
        self._suppressed = 0
        self._unreadable = 0
        for record in saved:
            try:
                self._load(record)
            except UnreadableError:
                self._unreadable += 1
                self._removed.add(record.id)

    @property
    def counters(self) -> BookCounters:
        """What the status line says."""
        pending = sum(incident.state.pending is not None for incident in self._keys.values())
        return BookCounters(
            open=len(self._keys) - pending,
            opened=self._opened,
            pending=pending,
            suppressed=self._suppressed,
            unreadable=self._unreadable,
        )

    def note_requests(self, finished_total: int, now: int) -> None:
        """Take note of how many requests finished so far, for rates: each second and before take()."""
        self._requests.note(finished_total, self._advance_to(now))

    def take(self, breach: Breach, destinations: Sequence[str], now: int) -> None:
        """Count a breach, unless it was counted while its request ran: then take how that ended.

        The end of a request whose incident is over, or that was never counted, is a breach like any other.

        Args:
            breach: The breach, redacted.
            destinations: Those to be told of incidents. If there are none, nothing is counted.
            now: Unix time, ns.
        """
        if not destinations:
            return
        now = self._advance_to(now)
        incident = self._running.get(breach.id)
        if incident is not None:
            self._close_if_over(incident, now)
            incident = self._running.get(breach.id)
        if incident is not None:
            incident.end(breach, now)
            if breach.id not in incident.state.running:
                del self._running[breach.id]
        else:
            incident = self._count(breach, destinations, now)
        self._keep(incident, breach)
        self._changed.add(incident.state.id)
        self._set_timer(incident)

    def due(self, now: int) -> list[Message]:
        """Return what is to be told now. It counts as told, so that it has to be kept until it is."""
        now = self._advance_to(now)
        messages: list[Message] = []
        while True:
            self._look_at_incidents(now)
            found = [message for queue in self._queues.values() for message in self._tell(queue, now)]
            if not found:
                return messages
            # What was told that it began may be over already.
            messages += found

    def next_due(self, now: int) -> int | None:
        """Return when due() has something to do, Unix time in ns; None: not before the next take().

        It may find nothing to tell then, but it never has something to tell earlier.
        """
        now = self._advance_to(now)
        while self._timers and self._is_stale(*self._timers[0]):
            heapq.heappop(self._timers)
        times = [queue.ready_at(self._settings, now) for queue in self._queues.values()]
        times += [time for time, _ in self._timers[:1]]
        first = min((time for time in times if time is not None), default=None)
        return None if first is None else max(now, first)

    def shift(self, jump_ns: int) -> None:
        """Move all times along with a clock that was set forward by so many ns, or back."""
        if self._now is not None:
            self._now += jump_ns
        self._requests.shift(jump_ns)
        self._timers.clear()
        for incident in self._incidents.values():
            incident.shift(jump_ns)
            incident.timer = None
            self._set_timer(incident)
        for queue in self._queues.values():
            queue.ceiling.shift(jump_ns)
        self._windows = {name: time + jump_ns for name, time in self._windows.items()}
        self._changed.update(self._incidents)
        self._new_ceilings |= bool(self._queues)

    def changes(self) -> Changes:
        """Return what has changed since the last call; it has to be kept together with what was due."""
        upserted = [
            save_incident(self._incidents[identity], with_exemplars=identity in self._new_exemplars)
            for identity in sorted(self._changed)
        ]
        if self._new_ceilings:
            upserted.append(save_ceilings({name: queue.ceiling for name, queue in self._queues.items()}))
        removed = tuple(sorted(self._removed.difference(record.id for record in upserted)))
        self._changed.clear()
        self._new_exemplars.clear()
        self._removed.clear()
        self._new_ceilings = False
        return Changes(upserted=tuple(upserted), removed=removed)

    def _load(self, record: SavedIncident) -> None:
        if record.id == CEILINGS:
            self._queues = {name: Queue(name, ceiling) for name, ceiling in load_ceilings(record).items()}
            return
        incident = load_incident(record)
        state = incident.state
        self._incidents[state.id] = incident
        self._nodes += _nodes(incident)
        if not state.closed:
            self._keys[state.key] = incident
            self._running.update(dict.fromkeys(state.running, incident))
        self._set_timer(incident)

    def _advance_to(self, now: int) -> int:
        if self._now is not None:
            self._now = max(now, self._now)
            return self._now
        # The clock may have been set back between two runs.
        for incident in self._incidents.values():
            incident.not_after(now, self._settings.coalesce)
            self._set_timer(incident)
            for name, listener in incident.state.listeners.items():
                self._windows[name] = max(self._windows.get(name, 0), listener.tell_at or 0)
        for queue in self._queues.values():
            queue.ceiling.not_after(self._settings, now)
        self._now = now
        return now

    def _count(self, breach: Breach, destinations: Sequence[str], now: int) -> Incident:
        key = incident_key(breach)
        incident = self._find(key, now)
        for bound, shorter in ((MAX_INCIDENTS, other_key), (MAX_INCIDENTS + MAX_OTHERS, rule_key)):
            if incident is None and len(self._incidents) >= bound:
                key = shorter(key)
                incident = self._find(key, now)
        if incident is None:
            incident = self._open(key, breach, now)
        forgotten = incident.count(breach, destinations, now)
        if breach.id in incident.state.running:
            self._running[breach.id] = incident
        if forgotten is not None:
            del self._running[forgotten]
        pending = incident.state.pending
        if pending is not None:
            pending.count(breach.gate, now)
            if pending.reached(breach.gate, self._requests, now):
                incident.state.pending = None
                self._opened += 1
        if incident.state.pending is None:
            self._collect(incident, now)
        return incident

    def _find(self, key: IncidentKey, now: int) -> Incident | None:
        incident = self._keys.get(key)
        if incident is not None:
            self._close_if_over(incident, now)
        return self._keys.get(key)

    def _open(self, key: IncidentKey, breach: Breach, now: int) -> Incident:
        state = IncidentState(
            id=incident_id(self._server, key, now, breach.id),
            key=key,
            severity=breach.severity,
            opened_at=now,
            last_at=now,
            pending=Pending(breach.gate.within_ns),
        )
        incident = self._incidents[state.id] = self._keys[key] = Incident(state)
        return incident

    def _keep(self, incident: Incident, breach: Breach) -> None:
        if breach.tree is not None and self._nodes + len(breach.tree.nodes) > MAX_NODES:
            breach = replace(breach, tree=None)
        before = _nodes(incident)
        if incident.keep(breach):
            self._nodes += _nodes(incident) - before
            self._new_exemplars.add(incident.state.id)

    def _look_at_incidents(self, now: int) -> None:
        while self._timers and self._timers[0][0] <= now:
            time, identity = heapq.heappop(self._timers)
            if self._is_stale(time, identity):
                continue
            incident = self._incidents[identity]
            incident.timer = None
            self._close_if_over(incident, now)
            if identity in self._incidents:
                self._let_wait(incident, now)
                self._set_timer(incident)

    def _close_if_over(self, incident: Incident, now: int) -> None:
        over_at = incident.over_at(self._settings.cooldown)
        if over_at is None or over_at > now:
            return
        state = incident.state
        del self._keys[state.key]
        for identity in state.running:
            del self._running[identity]
        state.running.clear()
        if state.pending is not None:
            self._suppressed += state.hits
            self._remove(incident)
            return
        state.closed = True
        self._collect(incident, now)
        self._changed.add(state.id)

    def _collect(self, incident: Incident, now: int) -> None:
        """Have it told that the incident began, or that it is over, with all that does so at about that time.

        Who is to be told opens a window, if none is open for that destination; all is told when it ends.
        """
        for name, listener in incident.state.listeners.items():
            if listener.tell_at is None and (listener.told_at is None or incident.state.closed):
                if self._windows.get(name, 0) <= now:
                    self._windows[name] = now + self._settings.coalesce
                listener.tell_at = self._windows[name]

    def _let_wait(self, incident: Incident, now: int) -> None:
        for name, listener in incident.state.listeners.items():
            due_at = incident.due_at(listener)
            if due_at is not None and due_at <= now and name not in incident.waiting:
                self._queues.setdefault(name, Queue(name)).add(incident)

    def _tell(self, queue: Queue, now: int) -> list[Message]:
        messages, told = queue.take(self._settings, self._server, now)
        self._new_ceilings |= bool(messages)
        for incident in told:
            if incident.state.listeners:
                self._changed.add(incident.state.id)
                self._set_timer(incident)
            else:
                self._remove(incident)
        return messages

    def _remove(self, incident: Incident) -> None:
        identity = incident.state.id
        del self._incidents[identity]
        self._nodes -= _nodes(incident)
        self._changed.discard(identity)
        self._new_exemplars.discard(identity)
        self._removed.add(identity)

    def _set_timer(self, incident: Incident) -> None:
        time = incident.next_at(self._settings.cooldown)
        if time is not None and (incident.timer is None or time < incident.timer):
            incident.timer = time
            heapq.heappush(self._timers, (time, incident.state.id))

    def _is_stale(self, time: int, identity: str) -> bool:
        incident = self._incidents.get(identity)
        return incident is None or incident.timer != time


def _nodes(incident: Incident) -> int:
    return sum(0 if exemplar.tree is None else len(exemplar.tree.nodes) for exemplar in incident.exemplars)
