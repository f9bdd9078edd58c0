"""Which alerts rules would have given on a capture, and what other rules would have changed. Pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from compassd.breach import Breach, Excess, Severity
from compassd.capture import CapturedRequest
from compassd.notice import Message
from compassd.rules.match import RuleSet
from compassd.settings import IncidentSettings
from compassd.trial.simulation import Listener, Simulation


@dataclass(frozen=True, slots=True, order=True)
class AlertKey:
    """What alerts are counted by."""

    rule: str
    host: str
    route: str


@dataclass(frozen=True, slots=True)
class Worst:
    """The worst breach of several.

    Attributes:
        ratio: Actual / budget of its worst limit; 0 if no limit was exceeded, as the worker died.
        excess: That limit.
        duration_ns: The request's wall time, ns.
        request_id: The request's id.
        place: Where the request was read.
    """

    ratio: float
    excess: Excess | None
    duration_ns: int
    request_id: str
    place: str


@dataclass(slots=True)
class Alerts:
    """The breaches of one rule by requests of one route.

    Attributes:
        severities: How many of each severity.
        worst: The worst of them.
    """

    severities: Counter[Severity] = field(default_factory=Counter)
    worst: Worst | None = None

    @property
    def breaches(self) -> int:
        """How many there were."""
        return self.severities.total()

    def add(self, breach: Breach, place: str) -> None:
        """Count a breach."""
        self.severities[breach.severity] += 1
        found = _worst(breach, place)
        if self.worst is None or (found.ratio, found.duration_ns) > (
            self.worst.ratio,
            self.worst.duration_ns,
        ):
            self.worst = found


@dataclass(slots=True)
class Told:
    """What one set of rules would have told.

    Attributes:
        alerts: The breaches.
        requests: How many requests broke a rule.
        messages: How many messages each destination would have got.
        incidents: How many incidents there would have been.
        suppressed: Breaches that would have been in no message, as they stayed too few.
    """

    alerts: dict[AlertKey, Alerts] = field(default_factory=dict)
    requests: int = 0
    messages: Counter[str] = field(default_factory=Counter)
    incidents: int = 0
    suppressed: int = 0

    @property
    def breaches(self) -> int:
        """How many there were."""
        return sum(alerts.breaches for alerts in self.alerts.values())


@dataclass(slots=True)
class Difference:
    """What is different with the new rules.

    Attributes:
        new: Breaches that only they find.
        gone: Breaches that only the old ones find.
        changed: Breaches that both find, of another severity: from the old one to the new one.
    """

    new: dict[AlertKey, Alerts] = field(default_factory=dict)
    gone: dict[AlertKey, Alerts] = field(default_factory=dict)
    changed: Counter[tuple[AlertKey, Severity, Severity]] = field(default_factory=Counter)


@dataclass(slots=True)
class Replay:
    """What a capture comes to.

    Attributes:
        requests: How many requests there were.
        began_at: When the first of them ended, Unix time in ns.
        ended_at: When the last one did.
        told: What the rules would have told.
        against: What the old rules would have told, None without any.
        difference: Between them.
    """

    requests: int = 0
    began_at: int = 0
    ended_at: int = 0
    told: Told = field(default_factory=Told)
    against: Told | None = None
    difference: Difference = field(default_factory=Difference)


def replay(  # noqa: PLR0913 - each is one input
    captured: Iterable[CapturedRequest],
    ruleset: RuleSet,
    against: RuleSet | None,
    incidents: IncidentSettings,
    destinations: Sequence[str],
    told_each: Collection[str] = (),
) -> Replay:
    """Return what rules would have told of requests, in the order in which they ended.

    Args:
        captured: The requests.
        ruleset: The rules.
        against: Other rules to compare them with, None for none.
        incidents: How breaches become incidents.
        destinations: Whom to tell where a rule does not say.
        told_each: Of all destinations those that are told of each breach instead of incidents.
    """

    def side(rules: RuleSet, told: Told) -> _Side:
        return _Side(told, lambda listen: Simulation(rules, incidents, destinations, listen, told_each))

    found = Replay(against=Told() if against else None)
    new = side(ruleset, found.told)
    old = side(against, found.against) if against and found.against else None
    for each in captured:
        ended_at = each.request.started_at + each.request.duration_ns
        found.requests += 1
        found.began_at = min(found.began_at or ended_at, ended_at)
        found.ended_at = max(found.ended_at, ended_at)
        new_breaches = new.feed(each)
        if old:
            _compare(found.difference, old.feed(each), new_breaches, each.place)
    for one in (new, old):
        if one:
            one.finish()
    return found


class _Side:
    """One set of rules, and what it tells."""

    def __init__(self, told: Told, simulation: Callable[[Listener], Simulation]) -> None:
        self._told = told
        self._simulation = simulation(self._listen)

    def feed(self, captured: CapturedRequest) -> dict[str, Breach]:
        breaches = self._simulation.feed(captured)
        self._told.requests += bool(breaches)
        for breach in breaches:
            self._told.alerts.setdefault(_key(breach), Alerts()).add(breach, captured.place)
        return {breach.rule: breach for breach in breaches}

    def finish(self) -> None:
        self._simulation.finish()
        self._told.incidents = self._simulation.incidents
        self._told.suppressed = self._simulation.suppressed

    def _listen(self, _at: int, message: Message) -> None:
        self._told.messages[message.destination] += 1


def _compare(
    difference: Difference, old: Mapping[str, Breach], new: Mapping[str, Breach], place: str
) -> None:
    for rule, breach in new.items():
        before = old.get(rule)
        if before is None:
            difference.new.setdefault(_key(breach), Alerts()).add(breach, place)
        elif before.severity is not breach.severity:
            difference.changed[_key(breach), before.severity, breach.severity] += 1
    for rule, breach in old.items():
        if rule not in new:
            difference.gone.setdefault(_key(breach), Alerts()).add(breach, place)


def _key(breach: Breach) -> AlertKey:
    return AlertKey(breach.rule, breach.host, breach.route)


def _worst(breach: Breach, place: str) -> Worst:
    ratio, excess = max(
        ((each.actual / max(each.budget, 1), each) for each in breach.excesses),
        key=lambda pair: pair[0],
        default=(0.0, None),
    )
    return Worst(ratio, excess, breach.request.duration_ns, breach.request.id, place)
