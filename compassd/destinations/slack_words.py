"""What the Slack messages about incidents and digests say alike: counts, times, names."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta

from compassd.destinations.slack_text import code
from compassd.notice import Figures, IncidentKey
from compassd.text import shorten
from compassd.units import format_duration

# A rule's name must not push the counts out of a header.
RULE, ROUTE, NAME = 80, 200, 120

_ZEROS = re.compile(r"\.0+(?= )| 0 (?:s|min)$")
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def named(key: IncidentKey) -> str:
    """Return rule and route for mrkdwn: "`checkout` on `/cart`"."""
    on = f" on {code(key.route, ROUTE)}" if key.route else ""
    return f"{code(key.rule, RULE)}{on}"


def spoken(key: IncidentKey) -> str:
    """Return rule and route, not escaped."""
    on = f" on {shorten(key.route, ROUTE)}" if key.route else ""
    return f"{shorten(key.rule, RULE)}{on}"


def counted(count: int, noun: str) -> str:
    """Return "1 request", "10,000 requests"."""
    return f"{count:,} {noun}{'' if count == 1 else 's'}"


def news(figures: Figures) -> str:
    """Return "9,998 more over budget, 10,000 in 58 s", and only the total where all are new."""
    if figures.new_hits == figures.hits:
        return f"{figures.hits:,} over budget{span(figures)}"
    return f"{figures.new_hits:,} more over budget, {figures.hits:,}{span(figures)}"


def span(figures: Figures) -> str:
    """Return " in 58 s", the time from the first breach to the last; "" if that is none."""
    ns = figures.last_at - figures.first_at
    return f" in {rounded(ns)}" if ns > 0 else ""


def rounded(ns: int) -> str:
    """Return a duration without zeros at its end: "10 min" and "58 s", not "10 min 0 s" and "58.0 s"."""
    return _ZEROS.sub("", format_duration(ns))


def moment(unix_ns: int) -> str:
    """Return "2026-09-21 14:13:20 UTC"."""
    return f"{_utc(unix_ns)} UTC"


def period(since: int, until: int) -> str:
    """Return "2026-09-21 14:13:20 to 14:14:18 UTC", with the second date only if it is another."""
    first, last = _utc(since), _utc(until)
    if first == last:
        return f"{first} UTC"
    day, _, time = last.partition(" ")
    return f"{first} to {time if first.startswith(day) else last} UTC"


def _utc(unix_ns: int) -> str:
    return f"{_EPOCH + timedelta(seconds=unix_ns // 1_000_000_000):%Y-%m-%d %H:%M:%S}"
