"""One incident: what it came to, whom it was told, and when it is told next."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

from compassd.breach import Breach, Severity, State
from compassd.incidents.exemplars import with_breach, worst_ratio
from compassd.incidents.gate import Pending
from compassd.incidents.histogram import Histogram
from compassd.notice import Figures, Happening, IncidentKey

_MINUTE_NS = 60_000_000_000
_HOUR_NS = 60 * _MINUTE_NS
# How long after it was told first it is told again, then every hour.
_UPDATES_NS = (_MINUTE_NS, 5 * _MINUTE_NS, 15 * _MINUTE_NS)
# Of an incident, whose ends are awaited. FPM has fewer workers; but the end of a request may be lost.
MAX_RUNNING = 1_000


@dataclass(slots=True)
class Listener:
    """What a destination was told of an incident, and what not yet.

    Attributes:
        tell_at: When it is told that the incident began, or that it is over, Unix time in ns; None if neither
            is to be told, for example because the gate is not passed.
        untold: Breaches that it was not told of.
        untold_since: When the first of these was, Unix time in ns.
        ended_since: When the first request ended that may have been told as still running, Unix time in ns;
            None if none did since the destination was told last.
        told_at: When it was told first, Unix time in ns; None if it was not yet.
        last_told_at: When it was told last, Unix time in ns.
        severity: What it was told; None if it was not yet.
        messages: How many messages to it the incident was in.
    """

    tell_at: int | None
    untold: int = 0
    untold_since: int = 0
    ended_since: int | None = None
    told_at: int | None = None
    last_told_at: int = 0
    severity: Severity | None = None
    messages: int = 0


@dataclass(slots=True, kw_only=True)
class IncidentState:
    """Everything about an incident that is kept on disk, its exemplars apart.

    Attributes:
        id: 32 hexadecimal digits.
        key: What its breaches have in common.
        severity: The worst so far.
        opened_at: When the first breach was, Unix time in ns.
        last_at: When the last one was, or when one of them ended, Unix time in ns.
        hits: Breaches so far.
        died: Of these, those whose worker died.
        worst_ratio: The greatest actual / budget.
        durations: Of the requests.
        running: Of those that ran when they were counted and whose end is awaited: how long they had run, ns,
            by the breach's id.
        listeners: Whom to tell, by destination.
        pending: What the gate needs to know; None once it is passed.
        closed: Whether it is over; it is kept until all that were told of it are told that, too.
    """

    id: str
    key: IncidentKey
    severity: Severity
    opened_at: int
    last_at: int
    hits: int = 0
    died: int = 0
    worst_ratio: float = 0.0
    durations: Histogram = field(default_factory=Histogram)
    running: dict[str, int] = field(default_factory=dict)
    listeners: dict[str, Listener] = field(default_factory=dict)
    pending: Pending | None = None
    closed: bool = False


@dataclass(slots=True, eq=False)
class Incident:
    """An incident, and what the book knows of it besides.

    Attributes:
        state: What is kept on disk.
        exemplars: The worst breaches so far, worst first.
        waiting: Destinations that are to be told as soon as they may be; derived from state.
        timer: When the book looks at it next, Unix time in ns; None if never.
    """

    state: IncidentState
    exemplars: list[Breach] = field(default_factory=list)
    waiting: set[str] = field(default_factory=set)
    timer: int | None = None

    def count(self, breach: Breach, destinations: Iterable[str], now: int) -> str | None:
        """Count a breach.

        Args:
            breach: The breach.
            destinations: Whom to tell.
            now: Unix time, ns.

        Returns:
            The id of a breach whose end is not awaited any more, as too many are running.
        """
        state = self.state
        state.hits += 1
        self._note(breach, now)
        state.durations.add(breach.request.duration_ns)
        for name in destinations:
            listener = state.listeners.get(name)
            if listener is None:
                listener = state.listeners[name] = Listener(tell_at=None)
            if not listener.untold:
                listener.untold_since = now
            listener.untold += 1
        if breach.state is not State.RUNNING:
            return None
        state.running[breach.id] = breach.request.duration_ns
        if len(state.running) <= MAX_RUNNING:
            return None
        oldest = next(iter(state.running))
        del state.running[oldest]
        return oldest

    def end(self, breach: Breach, now: int) -> None:
        """Take what became of a breach that was counted while its request ran; it does not count again."""
        state = self.state
        self._note(breach, now)
        state.durations.replace(state.running[breach.id], breach.request.duration_ns)
        if breach.state is State.RUNNING:
            state.running[breach.id] = breach.request.duration_ns
            return
        del state.running[breach.id]
        for listener in state.listeners.values():
            if listener.told_at is not None and listener.ended_since is None:
                listener.ended_since = now

    def keep(self, breach: Breach) -> bool:
        """Make the breach an exemplar if it is bad enough; return whether it is."""
        exemplars = with_breach(self.exemplars, breach)
        if exemplars is None:
            return False
        self.exemplars = exemplars
        return True

    def over_at(self, cooldown_ns: int) -> int | None:
        """Return when it is over if nothing happens until then, Unix time in ns.

        None: it is over already, or somebody has to be told first that it began.
        """
        state = self.state
        if state.pending is not None:
            return state.pending.last_at + state.pending.within_ns
        if state.closed or any(listener.told_at is None for listener in state.listeners.values()):
            return None
        return state.last_at + cooldown_ns

    def due_at(self, listener: Listener) -> int | None:
        """Return since when, or from when on, a destination is to be told, Unix time in ns; None: nothing."""
        state = self.state
        if listener.told_at is None or state.closed:
            return listener.tell_at
        if _escalated(listener, state.severity):
            return state.last_at
        news = [listener.untold_since] if listener.untold else []
        if listener.ended_since is not None:
            news.append(listener.ended_since)
        return _next_update(listener.told_at, max(min(news), listener.last_told_at + 1)) if news else None

    def next_at(self, cooldown_ns: int) -> int | None:
        """Return when it has to be looked at next, Unix time in ns; None if never.

        Destinations that wait already are left out.
        """
        times = [
            self.due_at(listener)
            for name, listener in self.state.listeners.items()
            if name not in self.waiting
        ]
        times.append(self.over_at(cooldown_ns))
        return min((time for time in times if time is not None), default=None)

    def happening(self, listener: Listener) -> Happening:
        """Return what a destination that is due is told."""
        if listener.told_at is None:
            return Happening.OPENED
        if self.state.closed:
            return Happening.CLOSED
        return Happening.ESCALATED if _escalated(listener, self.state.severity) else Happening.UPDATED

    def figures(self, listener: Listener) -> Figures:
        """Return what it came to, as it is told to a destination."""
        state = self.state
        return Figures(
            hits=state.hits,
            new_hits=listener.untold,
            died=state.died,
            first_at=state.opened_at,
            last_at=state.last_at,
            p50_ns=state.durations.percentile(50),
            p95_ns=state.durations.percentile(95),
            max_ns=state.durations.max_ns,
            worst_ratio=state.worst_ratio,
        )

    def told(self, destination: str, now: int) -> None:
        """Take note that a destination was told all there is to tell."""
        self.waiting.discard(destination)
        if self.state.closed:
            del self.state.listeners[destination]
            return
        listener = self.state.listeners[destination]
        if listener.told_at is None:
            listener.told_at, listener.tell_at = now, None
        listener.last_told_at = now
        listener.severity = self.state.severity
        listener.untold, listener.ended_since = 0, None
        listener.messages += 1

    def not_after(self, now: int, coalesce_ns: int) -> None:
        """Move what is to come out of the future, where it is when somebody has set the clock back."""
        state = self.state
        state.opened_at, state.last_at = min(state.opened_at, now), min(state.last_at, now)
        if state.pending is not None:
            state.pending.not_after(now)
        for listener in state.listeners.values():
            if listener.tell_at is not None:
                listener.tell_at = min(listener.tell_at, now + coalesce_ns)
            listener.untold_since = min(listener.untold_since, now)
            listener.last_told_at = min(listener.last_told_at, now)
            if listener.ended_since is not None:
                listener.ended_since = min(listener.ended_since, now)
            if listener.told_at is not None:
                listener.told_at = min(listener.told_at, now)

    def shift(self, jump_ns: int) -> None:
        """Move all times along with a clock that was set forward by so many ns, or back."""
        state = self.state
        state.opened_at += jump_ns
        state.last_at += jump_ns
        if state.pending is not None:
            state.pending.shift(jump_ns)
        for listener in state.listeners.values():
            if listener.tell_at is not None:
                listener.tell_at += jump_ns
            if listener.told_at is not None:
                listener.told_at += jump_ns
            if listener.ended_since is not None:
                listener.ended_since += jump_ns
            listener.untold_since += jump_ns
            listener.last_told_at += jump_ns

    def _note(self, breach: Breach, now: int) -> None:
        state = self.state
        state.last_at = now
        state.died += breach.state is State.DIED
        state.worst_ratio = max(state.worst_ratio, worst_ratio(breach))
        if breach.severity.rank > state.severity.rank:
            state.severity = breach.severity


def _escalated(listener: Listener, severity: Severity) -> bool:
    return listener.severity is not None and severity.rank > listener.severity.rank


def _next_update(told_at: int, earliest: int) -> int:
    """Return the first time for an update that is not before earliest."""
    passed = earliest - told_at
    for update in _UPDATES_NS:
        if passed <= update:
            return told_at + update
    return told_at + -(-passed // _HOUR_NS) * _HOUR_NS
