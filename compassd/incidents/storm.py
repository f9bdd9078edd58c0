"""How many messages a destination may get, and what becomes of what exceeds that."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from compassd.incidents.incident import Incident
from compassd.incidents.key import digest_id, message_id
from compassd.notice import (
    MAX_DIGEST_LINES,
    DigestLine,
    DigestNotice,
    DigestReason,
    Figures,
    Happening,
    IncidentNotice,
    Message,
)
from compassd.settings import IncidentSettings


@dataclass(slots=True)
class Ceiling:
    """When a destination got its last messages.

    However an interval is laid, no more than max_messages are in it. After a digest there is none for an
    interval.

    Attributes:
        used: When the messages of the last interval were, Unix time in ns, oldest first.
        silent_until: Before this there is none, Unix time in ns.
    """

    used: list[int] = field(default_factory=list)
    silent_until: int = 0

    def left(self, settings: IncidentSettings, now: int) -> int:
        """Return how many messages there may be now."""
        if now < self.silent_until:
            return 0
        recent = sum(time > now - settings.interval for time in self.used)
        return max(0, settings.max_messages - recent)

    def free_at(self, settings: IncidentSettings) -> int:
        """Return from when on there may be a message, Unix time in ns."""
        if len(self.used) < settings.max_messages:
            return self.silent_until
        return max(self.silent_until, self.used[-settings.max_messages] + settings.interval)

    def use(self, settings: IncidentSettings, now: int, *, digest: bool) -> None:
        """Take note of a message."""
        self.used = [time for time in self.used if time > now - settings.interval]
        self.used.append(now)
        if digest:
            self.silent_until = now + settings.interval

    def not_after(self, settings: IncidentSettings, now: int) -> None:
        """Move messages out of the future, where they are when somebody has set the clock back."""
        self.used = [min(time, now) for time in self.used]
        self.silent_until = min(self.silent_until, now + settings.interval)

    def shift(self, jump_ns: int) -> None:
        """Move all times along with a clock that was set forward by so many ns, or back."""
        self.used = [time + jump_ns for time in self.used]
        self.silent_until += jump_ns


@dataclass(slots=True)
class Item:
    """An incident that a destination is to be told of, worked out once."""

    incident: Incident
    happening: Happening
    figures: Figures
    since: int
    message_id: str

    def notice(self, server: str) -> IncidentNotice:
        """Return what is told if it is told alone."""
        state = self.incident.state
        return IncidentNotice(
            happening=self.happening,
            incident_id=state.id,
            key=state.key,
            server=server,
            severity=state.severity,
            figures=self.figures,
            exemplars=tuple(self.incident.exemplars),
        )

    def line(self) -> DigestLine:
        """Return what is told of it in a digest."""
        state = self.incident.state
        return DigestLine(
            happening=self.happening,
            incident_id=state.id,
            key=state.key,
            severity=state.severity,
            figures=self.figures,
        )


@dataclass(slots=True)
class Queue:
    """What a destination is to be told as soon as it may.

    Attributes:
        name: Of the destination.
        ceiling: How much that may be.
        waiting: Incidents, by id.
    """

    name: str
    ceiling: Ceiling = field(default_factory=Ceiling)
    waiting: dict[str, Incident] = field(default_factory=dict)

    def add(self, incident: Incident) -> None:
        """Let an incident wait that does not yet."""
        self.waiting[incident.state.id] = incident
        incident.waiting.add(self.name)

    def ready_at(self, settings: IncidentSettings, now: int) -> int | None:
        """Return when take() has something, Unix time in ns; None: not before something is added."""
        return max(now, self.ceiling.free_at(settings)) if self.waiting else None

    def take(self, settings: IncidentSettings, server: str, now: int) -> tuple[list[Message], list[Incident]]:
        """Return the messages for now, and the incidents that are told with them.

        As long as there may be that many messages, each incident has one of its own. Otherwise there is one
        digest of them all: some that are told alone would say less than that it is a storm.
        """
        left = self.ceiling.left(settings, now)
        if not self.waiting or left == 0:
            return [], []
        items = sorted(map(self._item, self.waiting.values()), key=_turn)
        if len(items) <= left:
            notices = [(item.message_id, item.notice(server)) for item in items]
            messages = [self._message(identity, notice, settings, now) for identity, notice in notices]
        else:
            identity = digest_id(item.message_id for item in items)
            messages = [self._message(identity, digest(items, server, now), settings, now)]
        told = [item.incident for item in items]
        self.waiting.clear()
        for incident in told:
            incident.told(self.name, now)
        return messages, told

    def _item(self, incident: Incident) -> Item:
        listener = incident.state.listeners[self.name]
        return Item(
            incident=incident,
            happening=incident.happening(listener),
            figures=incident.figures(listener),
            since=listener.untold_since if listener.untold else incident.state.last_at,
            message_id=message_id(incident.state.id, self.name, listener.messages),
        )

    def _message(
        self, identity: str, notice: IncidentNotice | DigestNotice, settings: IncidentSettings, now: int
    ) -> Message:
        self.ceiling.use(settings, now, digest=isinstance(notice, DigestNotice))
        return Message(id=identity, destination=self.name, created_at=now, notice=notice)


def digest(items: Sequence[Item], server: str, now: int) -> DigestNotice:
    """Return the one notice of many incidents, told because there were too many messages."""
    lines = sorted((item.line() for item in items), key=_badness)
    return DigestNotice(
        reason=DigestReason.STORM,
        server=server,
        since=min(item.since for item in items),
        until=now,
        incidents=len(lines),
        new_hits=sum(line.figures.new_hits for line in lines),
        severity=lines[0].severity,
        lines=tuple(lines[:MAX_DIGEST_LINES]),
    )


def _turn(item: Item) -> tuple[bool, int, int, str]:
    """Sort what is over first, as it may begin anew in the same moment; then the worst first."""
    return item.happening is not Happening.CLOSED, *_badness(item.line())


def _badness(line: DigestLine) -> tuple[int, int, str]:
    return -line.severity.rank, -line.figures.new_hits, line.incident_id
