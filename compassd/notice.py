"""What destinations are told: of an incident, of many at once, or of a single breach.

Notices are kept on disk until they are delivered, so that they hold everything that a destination may show,
and nothing that depends on one: they are redacted, but not yet escaped for any format.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from compassd.breach import Breach, Severity


class Happening(StrEnum):
    """Why an incident is told."""

    OPENED = "opened"
    UPDATED = "updated"
    """Its time had come, and there were new breaches."""
    ESCALATED = "escalated"
    """It became more severe."""
    CLOSED = "closed"
    """Nothing has happened for the cool-down."""


class DigestReason(StrEnum):
    """Why many incidents are told in one message."""

    STORM = "storm"
    """There were more messages than the destination may get in an interval."""
    OUTAGE = "outage"
    """The destination could not be reached for a while."""


@dataclass(frozen=True, slots=True, kw_only=True)
class IncidentKey:
    """What makes breaches the same incident; no id and no value of a request is in it.

    Attributes:
        rule: Name of the rule.
        host: The request's host, "<other>" beyond the bound on hosts.
        pool: The FPM pool, "<other>" beyond the bound on incidents.
        route: The request's route, "<other>" beyond the bound on routes.
        function: Where the hot path ends, in the user's code; "" if that is not known.
    """

    rule: str
    host: str
    pool: str
    route: str
    function: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Figures:
    """What an incident came to so far. Numbers of breaches are exact.

    Attributes:
        hits: Breaches since it began.
        new_hits: Those that this destination was not told of before. Over all messages of an incident to a
            destination they add up to hits.
        died: Of hits, those whose worker died.
        first_at: When the first breach was, Unix time in ns.
        last_at: When the last one was, Unix time in ns.
        p50_ns: Median of the requests' wall times, ns, to one per cent.
        p95_ns: Their 95th percentile, ns, to one per cent.
        max_ns: The longest, ns.
        worst_ratio: The greatest actual / budget of any of its limits; 0 if there was none to exceed.
    """

    hits: int
    new_hits: int
    died: int
    first_at: int
    last_at: int
    p50_ns: int
    p95_ns: int
    max_ns: int
    worst_ratio: float


@dataclass(frozen=True, slots=True, kw_only=True)
class IncidentNotice:
    """What is to be told of one incident.

    Attributes:
        happening: Why it is told.
        incident_id: 32 hexadecimal digits; the same in all that is told of the incident.
        key: What its breaches have in common.
        server: Name of the machine.
        severity: The worst so far.
        figures: What it came to.
        exemplars: The worst breaches since it began, worst first, at most MAX_EXEMPLARS, at least one.
    """

    happening: Happening
    incident_id: str
    key: IncidentKey
    server: str
    severity: Severity
    figures: Figures
    exemplars: tuple[Breach, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class DigestLine:
    """One incident of a digest, without its exemplars.

    Attributes:
        happening: What happened last.
        incident_id: As in IncidentNotice.
        key: What its breaches have in common.
        severity: The worst so far.
        figures: What it came to.
    """

    happening: Happening
    incident_id: str
    key: IncidentKey
    severity: Severity
    figures: Figures


@dataclass(frozen=True, slots=True, kw_only=True)
class DigestNotice:
    """Many incidents in one message.

    Attributes:
        reason: Why they are told together.
        server: Name of the machine.
        since: Of the time that it is about, Unix time in ns.
        until: Its end, Unix time in ns.
        incidents: How many incidents it is about.
        new_hits: Breaches in all of them that this destination was not told of before.
        severity: The worst of all of them.
        lines: The worst of them: most severe, then most new breaches first; at most MAX_DIGEST_LINES.
        dropped: Breaches that are in no message because the outbox was full or too old, and only counted.
    """

    reason: DigestReason
    server: str
    since: int
    until: int
    incidents: int
    new_hits: int
    severity: Severity
    lines: tuple[DigestLine, ...]
    dropped: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class BreachNotice:
    """A single breach, for destinations that want each.

    Attributes:
        breach: The breach.
    """

    breach: Breach


@dataclass(frozen=True, slots=True, kw_only=True)
class TestNotice:
    """Shows that messages arrive.

    Attributes:
        server: Name of the machine.
        at: When it was asked for, Unix time in ns.
    """

    # Not a test, whatever pytest thinks of the name.
    __test__ = False

    server: str
    at: int


Notice = IncidentNotice | DigestNotice | BreachNotice | TestNotice

MAX_EXEMPLARS = 3
MAX_DIGEST_LINES = 10


@dataclass(frozen=True, slots=True, kw_only=True)
class Message:
    """A notice on its way to one destination.

    Attributes:
        id: The same whenever this message is sent again, different for every other; letters, digits, - and _.
        destination: Name of the destination.
        created_at: When it was made, Unix time in ns.
        notice: What it says.
    """

    id: str
    destination: str
    created_at: int
    notice: Notice
