"""One digest for all that waited while a destination could not be reached. Pure."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from math import ceil

from compassd.breach import Breach, Severity, State
from compassd.incidents.exemplars import worst_ratio
from compassd.incidents.key import incident_key, key_id
from compassd.notice import (
    MAX_DIGEST_LINES,
    BreachNotice,
    DigestLine,
    DigestNotice,
    DigestReason,
    Figures,
    Happening,
    IncidentKey,
    IncidentNotice,
    Message,
    TestNotice,
)
from compassd.notice_facts import begins_at, server, severity


@dataclass(frozen=True, slots=True)
class CatchUp:
    """What is told instead of many messages.

    Attributes:
        ids: The messages.
        made_at: When the oldest of them was made, Unix time in ns.
        notice: What they come to. New breaches, and those that are only counted, add up exactly.
    """

    ids: tuple[str, ...]
    made_at: int
    notice: DigestNotice


def catch_up(messages: Iterable[Message]) -> CatchUp | None:
    """Return a digest of messages to one destination, in their order; None if none tells of breaches.

    An incident that older digests counted but did not list may be counted twice.
    """
    sums = _Sums()
    for message in messages:
        sums.add(message)
    return CatchUp(tuple(sums.ids), sums.made_at, sums.digest()) if sums.ids else None


@dataclass(slots=True)
class _Group:
    """The single breaches of what would be one incident, the last state of each by its id."""

    severity: Severity
    breaches: dict[str, tuple[State, int]] = field(default_factory=dict)
    hits: int = 0
    worst_ratio: float = 0.0
    first_at: int = 0
    last_at: int = 0

    def add(self, breach: Breach) -> None:
        at = breach.request.started_at
        self.first_at = min(self.first_at or at, at)
        self.last_at = max(self.last_at, at)
        self.severity = max(self.severity, breach.severity, key=_rank)
        self.breaches[breach.id] = (breach.state, breach.request.duration_ns)
        self.hits += not breach.told_running
        self.worst_ratio = max(self.worst_ratio, worst_ratio(breach))

    def line(self, key: IncidentKey) -> DigestLine:
        times = sorted(duration for _, duration in self.breaches.values())
        figures = Figures(
            hits=self.hits,
            new_hits=self.hits,
            died=sum(state is State.DIED for state, _ in self.breaches.values()),
            first_at=self.first_at,
            last_at=self.last_at,
            p50_ns=times[ceil(len(times) * 0.5) - 1],
            p95_ns=times[ceil(len(times) * 0.95) - 1],
            max_ns=times[-1],
            worst_ratio=self.worst_ratio,
        )
        return DigestLine(
            happening=Happening.UPDATED,
            incident_id=key_id(key),
            key=key,
            severity=self.severity,
            figures=figures,
        )


@dataclass(slots=True)
class _Sums:
    ids: list[str] = field(default_factory=list)
    lines: dict[str, DigestLine] = field(default_factory=dict)
    groups: dict[IncidentKey, _Group] = field(default_factory=dict)
    unlisted: int = 0
    unlisted_hits: int = 0
    dropped: int = 0
    made_at: int = 2**63
    since: int | None = None
    until: int = 0
    server: str = ""
    severity: Severity = Severity.INFO

    def add(self, message: Message) -> None:
        """Add what the message tells, if it tells of breaches."""
        notice = message.notice
        since, until = begins_at(message), message.created_at
        match notice:
            case TestNotice():
                return
            case IncidentNotice():
                self._add_line(
                    DigestLine(
                        happening=notice.happening,
                        incident_id=notice.incident_id,
                        key=notice.key,
                        severity=notice.severity,
                        figures=notice.figures,
                    )
                )
            case DigestNotice():
                until = notice.until
                self.dropped += notice.dropped
                self.unlisted += max(0, notice.incidents - len(notice.lines))
                self.unlisted_hits += notice.new_hits - sum(line.figures.new_hits for line in notice.lines)
                for line in notice.lines:
                    self._add_line(line)
            case BreachNotice():
                group = self.groups.setdefault(incident_key(notice.breach), _Group(notice.breach.severity))
                group.add(notice.breach)
        self.ids.append(message.id)
        self.made_at = min(self.made_at, message.created_at)
        self.since = since if self.since is None else min(self.since, since)
        self.until = max(self.until, until)
        self.server = server(notice)
        self.severity = max(self.severity, severity(notice), key=_rank)

    def _add_line(self, line: DigestLine) -> None:
        before = self.lines.get(line.incident_id)
        if before is None:
            self.lines[line.incident_id] = line
            return
        latest = max(line, before, key=lambda known: (known.figures.last_at, known.figures.hits))
        self.lines[line.incident_id] = replace(
            latest,
            severity=max(before.severity, line.severity, key=_rank),
            figures=replace(latest.figures, new_hits=before.figures.new_hits + line.figures.new_hits),
        )

    def digest(self) -> DigestNotice:
        """Return what was added, as one notice."""
        lines = [*self.lines.values(), *(group.line(key) for key, group in self.groups.items())]
        lines.sort(key=lambda line: (-line.severity.rank, -line.figures.new_hits))
        return DigestNotice(
            reason=DigestReason.OUTAGE,
            server=self.server,
            since=self.since or 0,
            until=self.until,
            incidents=len(lines) + self.unlisted,
            new_hits=sum(line.figures.new_hits for line in lines) + self.unlisted_hits,
            severity=self.severity,
            lines=tuple(lines[:MAX_DIGEST_LINES]),
            dropped=self.dropped,
        )


def _rank(severity: Severity) -> int:
    return severity.rank
