"""What people read of incidents and digests."""

from __future__ import annotations

from typing import Any

import pytest

from compassd.breach import Breach, Excess, Metric, Severity, State
from compassd.calltree import CallTree, Frame, Node
from compassd.destinations.slack_incident import incident_payload, reminder_payload
from compassd.destinations.slack_payload import payload
from compassd.notice import DigestReason, Happening, Notice
from lab.breaches import make_breach
from lab.notices import BEGAN, SECOND, make_digest, make_figures, make_incident, make_key, make_message
from lab.slack_text import render

MS = 1_000_000
QUIET_AT = BEGAN + (58 + 600) * SECOND


def slow(ms: int, **changes: Any) -> Breach:  # noqa: ANN401 - as make_breach
    nodes = (
        Node(Frame("{main}", "/srv/shop/index.php", 3), -1, 0, 0, 0),
        Node(Frame("PDO::query", "", 0), 0, 0, ms * MS, 30, "SELECT a"),
    )
    tree = CallTree(duration_ns=ms * MS, nodes=nodes, last=1)
    over = (Excess(Metric.DURATION, 800 * MS, ms * MS),)
    return make_breach(duration_ns=ms * MS, excesses=over, tree=tree, uri="/cart", **changes)


def lines(notice: Notice, at: int = QUIET_AT) -> list[str]:
    return render(payload(make_message(notice, at=at))).splitlines()


def test_an_incident_is_told_with_its_figures_and_its_worst_request() -> None:
    heavy = make_breach(excesses=(Excess(Metric.MEMORY, 64 << 20, 120 << 20),), uri="/cart/2")
    calls = make_breach(excesses=(Excess(Metric.FUNCTION_WAITS, 50, 212, "PDO*::*"),), uri="/cart/3")
    notice = make_incident(
        Happening.UPDATED, make_figures(10_000, 9_998, died=1), (slow(4_200), heavy, calls)
    )
    assert lines(notice) == [
        "🟠 checkout: 9,998 more over budget, 10,000 in 58 s",
        "  Requests over budget: 10,000 (9,998 new)",
        "  Time: p50 1.24 s, p95 2.10 s, max 4.20 s",
        "  Seen: 2026-09-21 14:13:20 to 14:14:18 UTC",
        "  Died: 1 worker",
        "  Route: /cart",
        "  Host: shop.example",
        "  Pool: www",
        "  Worst: POST /cart took 4.20 s, budget 800 ms",
        "  Where the time went: waiting, 30 waits (in a loop?)",
        "  100% {main} shop/index.php:3",
        "  100% PDO::query",
        "  What it waited for",
        "  30 waits, 4.20 s in PDO::query shop/index.php:3",
        "  SELECT a",
        "  Also",
        "  POST /cart/2 took 1.24 s, peak memory 120.0 MiB, budget 64.0 MiB",
        "  POST /cart/3 took 1.24 s, waits in functions PDO*::*: 212, budget 50",
        "  server web1 · incident 0123456789abcdef0123456789abcdef",
    ]
    text = payload(make_message(notice))["text"]
    assert text.startswith(
        "checkout: 9,998 more over budget, 10,000 in 58 s. Worst: checkout: POST /cart took"
    )
    assert text.endswith("100% in PDO::query at shop/index.php:3, waiting, 30 waits (in a loop?): SELECT a")


def test_what_opens_with_several_has_nothing_older_to_count() -> None:
    opened = lines(make_incident(Happening.OPENED, make_figures(212), (slow(900),)))
    assert opened[:2] == ["🟠 checkout: 212 over budget in 58 s", "  Requests over budget: 212"]


def test_others_are_told_with_where_their_time_went_and_what_became_of_them() -> None:
    running = slow(3_000, state=State.RUNNING, waiting_ns=5 * MS)
    died = slow(2_000, state=State.DIED, signal=11)
    shown = lines(make_incident(Happening.UPDATED, make_figures(9, 2), (slow(4_200), running, died)))
    assert shown[-3:-1] == [
        "  POST /cart still runs after 3.00 s, budget 800 ms, 100% in PDO::query shop/index.php:3",
        "  POST /cart: its worker was killed by SIGSEGV after 2.00 s, 100% in PDO::query shop/index.php:3",
    ]


def test_an_escalation_says_how_severe_it_is_now() -> None:
    notice = make_incident(
        Happening.ESCALATED, make_figures(14, 12), (slow(900),), severity=Severity.CRITICAL
    )
    title = "🔴 checkout is critical now: 12 more over budget, 14 in 58 s"
    assert lines(notice)[0] == title
    assert render(reminder_payload(notice, BEGAN)) == title


@pytest.mark.parametrize(
    ("hits", "new", "line"),
    [
        (10_000, 0, "10,000 requests over budget in 58 s, longest 4.20 s"),
        (10_000, 120, "10,000 requests over budget in 58 s, 120 of them not told before, longest 4.20 s"),
        (1, 0, "1 request over budget, longest 4.20 s"),
    ],
)
def test_the_end_is_one_line(hits: int, new: int, line: str) -> None:
    figures = make_figures(hits, new, last_at=BEGAN + (58 * SECOND if hits > 1 else 0))
    notice = make_incident(Happening.CLOSED, figures)
    at = figures.last_at + 600 * SECOND
    expected = f"checkout on /cart has been quiet for 10 min: {line}"
    assert lines(notice, at) == [f"  ⚪ {expected}"]
    assert payload(make_message(notice, at=at))["text"] == expected


@pytest.mark.parametrize("hits", [1, 9])
def test_where_its_message_can_be_changed_the_end_keeps_what_was_told(hits: int) -> None:
    figures = make_figures(hits, 0, last_at=QUIET_AT - 3_600 * SECOND)
    message = incident_payload(make_incident(Happening.CLOSED, figures, (slow(4_200),)), QUIET_AT)
    shown = render(message).splitlines()
    assert shown[0] == "⚪ checkout has been quiet for 1 h"
    assert message["text"].startswith("checkout has been quiet for 1 h")
    assert "  100% PDO::query" in shown


def test_a_day_that_changes_is_told() -> None:
    figures = make_figures(9, last_at=BEGAN + 12 * 3_600 * SECOND)
    shown = lines(make_incident(Happening.UPDATED, figures))
    assert "  Seen: 2026-09-21 14:13:20 to 2026-09-22 02:13:20 UTC" in shown
    figures = make_figures(9, last_at=BEGAN)
    shown = lines(make_incident(Happening.UPDATED, figures))
    assert shown[0] == "🟠 checkout: 9 over budget"
    assert "  Seen: 2026-09-21 14:13:20 UTC" in shown


def test_a_storm_is_told_with_the_worst_and_how_many_more_there_are() -> None:
    shown = lines(make_digest(500))
    assert shown[:3] == [
        "🟠 500 incidents, 5,000 requests over budget",
        "  There were too many incidents at once for a message each.",
        r"  🟠 checkout on /page/0: 10 requests, longest 4.20 s in Shop\Repo::find",
    ]
    assert shown[-2:] == [
        "  and 490 more",
        "  server web1 · 2026-09-21 14:13:20 to 14:14:20 UTC",
    ]
    assert len(shown) == 14


def test_a_catch_up_says_what_is_over_and_what_was_dropped() -> None:
    digest = make_digest(2, reason=DigestReason.OUTAGE, dropped=31)
    first, second = digest.lines
    over = type(first)(
        happening=Happening.CLOSED,
        incident_id=first.incident_id,
        key=make_key(function="", route=""),
        severity=Severity.CRITICAL,
        figures=make_figures(1_000, 1),
    )
    digest = make_digest(2, reason=DigestReason.OUTAGE, dropped=31, lines=(over, second))
    assert lines(digest)[1:-1] == [
        "  No message could be delivered for a while. This is what happened since.",
        "  ⚪ checkout: 1 request (1,000 in all), longest 4.20 s, quiet now",
        r"  🟠 checkout on /page/1: 10 requests, longest 4.20 s in Shop\Repo::find",
        "  Dropped: 31 requests over budget could not be kept for a message, only counted.",
    ]
