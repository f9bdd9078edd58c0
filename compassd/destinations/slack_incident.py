"""An incident as a Slack message: how often, how slow, and where in the code the worst one was."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from compassd.breach import Breach, Excess, Metric, State
from compassd.destinations.slack_breach import LABELS, breach_payload, excess_amount, place, where_blocks
from compassd.destinations.slack_text import (
    ICONS,
    QUIET_ICON,
    Block,
    code,
    context,
    envelope,
    field,
    fields_section,
    header,
    section,
)
from compassd.destinations.slack_words import (
    NAME,
    ROUTE,
    RULE,
    counted,
    named,
    news,
    period,
    rounded,
    span,
    spoken,
)
from compassd.hot_path import percent, verdict
from compassd.message import death, summary, what
from compassd.notice import DigestLine, Happening, IncidentNotice
from compassd.text import shorten
from compassd.units import format_duration

_URI = 400
_ID = 40
_MAX_EXCESSES = 2


def incident_payload(notice: IncidentNotice, at: int) -> dict[str, Any]:
    """Return all that is to be said of an incident, also of one that is over.

    Args:
        notice: The incident.
        at: When it is told, Unix time in ns.
    """
    worst = notice.exemplars[0]
    title = _title(notice, at)
    if notice.figures.hits == 1:
        message = breach_payload(worst)
        if notice.happening is not Happening.CLOSED:
            return message
        return envelope(title, [header(f"{QUIET_ICON} {title}"), *message["blocks"][1:]])
    return envelope(
        f"{title}. Worst: {_read_aloud(worst)}",
        [
            header(f"{_icon(notice)} {title}"),
            fields_section(_fields(notice)),
            section(f"*Worst*: {_told(worst)}"),
            *where_blocks(worst),
            *_others(notice.exemplars[1:]),
            context([f"server {code(notice.server, NAME)}", f"incident {code(notice.incident_id, _ID)}"]),
        ],
    )


def closing_payload(notice: IncidentNotice | DigestLine, at: int) -> dict[str, Any]:
    """Return one line, that an incident is over, where its message or its requests are gone.

    Args:
        notice: The incident.
        at: When it is told, Unix time in ns.
    """
    line = f"{QUIET_ICON} {_closing(named(notice.key), notice, at)}"
    return envelope(_closing(spoken(notice.key), notice, at), [section(line)])


def reminder_payload(notice: IncidentNotice, at: int) -> dict[str, Any]:
    """Return one line that makes people look at the incident's message again.

    Args:
        notice: The incident.
        at: When it is told, Unix time in ns.
    """
    title = _title(notice, at)
    return envelope(title, [header(f"{_icon(notice)} {title}")])


def _icon(notice: IncidentNotice) -> str:
    return QUIET_ICON if notice.happening is Happening.CLOSED else ICONS[notice.severity]


def _title(notice: IncidentNotice, at: int) -> str:
    """Return "checkout: 9,998 more over budget, 10,000 in 58 s", not escaped."""
    figures, rule = notice.figures, shorten(notice.key.rule, RULE)
    match notice.happening:
        case Happening.CLOSED:
            return f"{rule} has been quiet for {_quiet(notice, at)}"
        case Happening.ESCALATED:
            return f"{rule} is {notice.severity} now: {news(figures)}"
        case Happening.OPENED | Happening.UPDATED:
            return f"{rule}: {news(figures)}"


def _closing(name: str, notice: IncidentNotice | DigestLine, at: int) -> str:
    figures = notice.figures
    untold = f", {figures.new_hits:,} of them not told before" if figures.new_hits else ""
    return (
        f"{name} has been quiet for {_quiet(notice, at)}: {counted(figures.hits, 'request')} over budget"
        f"{span(figures)}{untold}, longest {format_duration(figures.max_ns)}"
    )


def _quiet(notice: IncidentNotice | DigestLine, at: int) -> str:
    return rounded(max(0, at - notice.figures.last_at))


def _read_aloud(breach: Breach) -> str:
    """Return one breach for those who see the text only, not escaped."""
    path = breach.tree.hot_path() if breach.tree else []
    return f"{summary(breach)}; {verdict(path)}" if path else summary(breach)


def _told(breach: Breach) -> str:
    """Return what was asked for and what became of it, for mrkdwn."""
    request = code(what(breach.request, _URI), _URI)
    took = format_duration(breach.request.duration_ns)
    over = "".join(f", {_over(excess)}" for excess in breach.excesses[:_MAX_EXCESSES])
    match breach.state:
        case State.RUNNING:
            return f"{request} still runs after {took}{over}"
        case State.DIED:
            return f"{request}: {death(breach)} after {took}"
        case State.FINISHED:
            return f"{request} took {took}{over}"


def _over(excess: Excess) -> str:
    amount = excess_amount(excess)
    if excess.metric is Metric.DURATION:
        # How long it took has just been said.
        return amount.rpartition(", ")[2]
    return f"{LABELS[excess.metric].lower()} {amount}"


def _others(breaches: Iterable[Breach]) -> list[Block]:
    lines = [_other(breach) for breach in breaches]
    return [section("\n".join(["*Also*", *lines]))] if lines else []


def _other(breach: Breach) -> str:
    path = breach.tree.hot_path() if breach.tree else []
    return f"{_told(breach)}, {percent(path[-1].share)} in {place(path[-1].place)}" if path else _told(breach)


def _fields(notice: IncidentNotice) -> list[str]:
    figures, key = notice.figures, notice.key
    new = "" if figures.new_hits == figures.hits else f" ({figures.new_hits:,} new)"
    p50, p95, longest = map(format_duration, (figures.p50_ns, figures.p95_ns, figures.max_ns))
    fields = [
        field("Requests over budget", f"{figures.hits:,}{new}"),
        field("Time", f"p50 {p50}, p95 {p95}, max {longest}"),
        field("Seen", period(figures.first_at, figures.last_at)),
    ]
    if figures.died:
        fields.append(field("Died", counted(figures.died, "worker")))
    places = [("Route", key.route), ("Host", key.host), ("Pool", key.pool)]
    return fields + [field(label, code(value, ROUTE)) for label, value in places if value]
