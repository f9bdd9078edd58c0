"""What delivery needs to know of a notice, whatever its kind. Pure."""

from __future__ import annotations

from compassd.breach import Severity
from compassd.incidents.key import incident_key, key_id
from compassd.notice import (
    BreachNotice,
    DigestNotice,
    IncidentKey,
    IncidentNotice,
    Message,
    Notice,
    TestNotice,
)


def kind(notice: Notice) -> str:
    """Return the kind of the notice in one word."""
    match notice:
        case IncidentNotice():
            return "incident"
        case DigestNotice():
            return "digest"
        case BreachNotice():
            return "breach"
        case TestNotice():
            return "test"


def told_breaches(notice: Notice) -> int:
    """Return how many breaches the destination learns of by the notice, those that are only counted included.

    A request that was told while it ran does not count again when it has ended.
    """
    match notice:
        case IncidentNotice():
            return notice.figures.new_hits
        case DigestNotice():
            return notice.new_hits + notice.dropped
        case BreachNotice():
            return 0 if notice.breach.told_running else 1
        case TestNotice():
            return 0


def severity(notice: Notice) -> Severity:
    """Return how bad it is."""
    match notice:
        case IncidentNotice() | DigestNotice():
            return notice.severity
        case BreachNotice():
            return notice.breach.severity
        case TestNotice():
            return Severity.INFO


def begins_at(message: Message) -> int:
    """Return since when what the message tells of was not told, Unix time in ns."""
    return message.notice.since if isinstance(message.notice, DigestNotice) else message.created_at


def server(notice: Notice) -> str:
    """Return the machine that the notice is about."""
    return notice.breach.server if isinstance(notice, BreachNotice) else notice.server


def topics(notice: Notice) -> frozenset[str]:
    """Return what the notice is about, by ids: who is told of one of them later knows better.

    Incidents of the same key have one id: to some destinations, the next one is the same thing again.
    """
    match notice:
        case IncidentNotice():
            return frozenset({key_id(notice.key)})
        case DigestNotice():
            return frozenset(key_id(line.key) for line in notice.lines)
        case BreachNotice():
            return frozenset({notice.breach.id})
        case TestNotice():
            return frozenset()


def summary(notice: Notice) -> str:
    """Return the notice in one line, for a list."""
    match notice:
        case IncidentNotice():
            return f"{notice.key.rule} {notice.happening}: {_where(notice.key)}"
        case DigestNotice():
            return f"digest after {notice.reason}: {notice.incidents} incidents"
        case BreachNotice():
            return f"{notice.breach.rule} breach: {_where(incident_key(notice.breach))}"
        case TestNotice():
            return "test message"


def _where(key: IncidentKey) -> str:
    return " ".join(filter(None, (f"{key.host}{key.route}", key.function)))
