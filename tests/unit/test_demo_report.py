"""The demo notices everything that is not as it should be."""

from __future__ import annotations

from collections import Counter
from typing import Any

import pytest

from compassd.breach import Severity
from compassd.destinations.slack_payload import payload
from compassd.notice import Happening
from lab.breaches import make_breach
from lab.demo_report import HOOK, JOURNAL, Told, compare
from lab.demo_traffic import Driven, Page, Telling, Wanted
from lab.errors import LabError
from lab.notices import make_digest, make_figures, make_incident, make_key, make_message
from lab.slack_news import News, Subject, news

MS = 1_000_000
SLOW = Driven(Page("slow", "GET", "/slow", 1, rule="slow"), "r-1", 300 * MS, 310 * MS)
FAST = Driven(Page("fast", "GET", "/", 1), "r-2", MS, 2 * MS)
DRIVEN = [SLOW, FAST]
SUBJECT = Subject("slow", "GET /slow")
WANTED = Wanted(
    each=Counter(Telling(destination, "slow", "r-1") for destination in (HOOK, JOURNAL)),
    incidents=Counter({SUBJECT: 3}),
)
LOG = "compassd stopped: 2 requests, 1 over the smallest budget, 1 breaches, 0 open incidents, 0 lost\n"


def slack(
    happening: Happening, hits: int, new_hits: int, rule: str = "slow", severity: Severity = Severity.WARNING
) -> dict[str, Any]:
    notice = make_incident(
        happening,
        make_figures(hits, new_hits),
        (make_breach(rule=rule, transaction=SUBJECT.route),),
        key=make_key(rule=rule, route=SUBJECT.route),
        severity=severity,
    )
    return payload(make_message(notice))


OPENED = slack(Happening.OPENED, 2, 2)
CLOSED = slack(Happening.CLOSED, 3, 1)
BOTH = [OPENED, CLOSED]


def hook(request_id: str = "r-1", duration_ns: int = 305 * MS, state: str = "finished") -> dict[str, Any]:
    return {"rule": "slow", "state": state, "request": {"id": request_id, "duration_ns": duration_ns}}


def entry(duration_ms: str = "305.000", state: str = "finished") -> dict[str, Any]:
    return {
        "COMPASS_RULE": "slow",
        "COMPASS_STATE": state,
        "COMPASS_REQUEST_ID": "r-1",
        "COMPASS_DURATION_MS": duration_ms,
    }


@pytest.mark.parametrize(
    ("message", "told"),
    [
        (slack(Happening.OPENED, 1, 1), News(SUBJECT, 1, 1)),
        (slack(Happening.OPENED, 12_345, 12_345), News(SUBJECT, 12_345, 12_345)),
        (slack(Happening.UPDATED, 1_234, 234), News(SUBJECT, 234, 1_234)),
        (slack(Happening.ESCALATED, 7, 3, severity=Severity.CRITICAL), News(SUBJECT, 3, 7)),
        (slack(Happening.CLOSED, 1, 0), News(SUBJECT, 0, 1, over=True)),
        (slack(Happening.CLOSED, 2_000, 1_999), News(SUBJECT, 1_999, 2_000, over=True)),
    ],
)
def test_what_slack_messages_say_is_understood(message: dict[str, Any], told: News) -> None:
    assert news(message) == told


def test_a_message_about_no_single_incident_is_an_error() -> None:
    with pytest.raises(LabError, match="about no incident"):
        news(payload(make_message(make_digest())))


def test_all_told_once_is_well() -> None:
    verdict = compare(DRIVEN, WANTED, Told(BOTH, [hook()], [entry()]), LOG)
    assert (verdict.lost, verdict.problems) == (0, [])


def test_a_request_may_be_told_once_more_while_it_runs() -> None:
    running = hook(duration_ns=210 * MS, state="running"), entry("210.000", "running")
    told = Told(BOTH, [running[0], hook()], [running[1], entry()])
    verdict = compare(DRIVEN, WANTED, told, LOG)
    assert (verdict.lost, verdict.problems) == (0, [])


@pytest.mark.parametrize(
    ("told", "lost", "problem"),
    [
        (Told(BOTH, [], [entry()]), 1, "not told: hook of request r-1 by rule 'slow'"),
        (Told(BOTH, [hook()], []), 1, "not told: journal of request r-1 by rule 'slow'"),
        (Told(BOTH, [hook(), hook()], [entry()]), 0, "told too often: hook of request r-1"),
        (Told(BOTH, [hook(), hook("r-2", MS)], [entry()]), 0, "told without reason: hook of request r-2"),
        (
            Told(BOTH, [hook(duration_ns=210 * MS, state="running")], [entry()]),
            1,
            "not told: hook of request r-1 by rule 'slow'",
        ),
        (
            Told(BOTH, [hook(state="running"), hook(state="running"), hook()], [entry()]),
            0,
            "told too often: hook of request r-1 by rule 'slow' while it ran",
        ),
        (
            Told(BOTH, [hook(duration_ns=320 * MS, state="running"), hook()], [entry()]),
            0,
            "told with 320.000 ms",
        ),
        (Told(BOTH, [hook(duration_ns=299 * MS)], [entry()]), 0, "told with 299.000 ms, but PHP worked"),
        (Told(BOTH, [hook()], [entry("310.002")]), 0, "told with 310.002 ms, but PHP worked"),
    ],
)
def test_a_difference_is_named(told: Told, lost: int, problem: str) -> None:
    _assert_problem(told, lost, problem)


@pytest.mark.parametrize(
    ("messages", "lost", "problem"),
    [
        ([], 3, "told of 0 requests instead of 3: slack of rule 'slow' on 'GET /slow'"),
        ([OPENED], 1, "told of 2 requests instead of 3: slack"),
        ([OPENED, slack(Happening.CLOSED, 2, 0)], 1, "told of 2 requests instead of 3: slack"),
        ([OPENED, OPENED, CLOSED], 0, "told of 5 requests instead of 3: slack"),
        ([slack(Happening.OPENED, 1, 1), slack(Happening.OPENED, 2, 2), CLOSED], 0, "told of 4 requests"),
        ([*BOTH, slack(Happening.OPENED, 1, 1, "other")], 0, "told without reason: slack of rule 'other'"),
        ([slack(Happening.OPENED, 3, 3)], 0, "not told once, and last, that it is over: slack"),
        ([*BOTH, slack(Happening.CLOSED, 3, 0)], 0, "not told once, and last, that it is over: slack"),
        # Two incidents instead of one.
        (
            [slack(Happening.OPENED, 1, 1), slack(Happening.OPENED, 2, 2), slack(Happening.CLOSED, 3, 0)],
            0,
            "told that they are 2 in all after 3 were told: slack",
        ),
    ],
)
def test_slacks_incidents_have_to_add_up(messages: list[dict[str, Any]], lost: int, problem: str) -> None:
    _assert_problem(Told(messages, [hook()], [entry()]), lost, problem)


def _assert_problem(told: Told, lost: int, problem: str) -> None:
    verdict = compare(DRIVEN, WANTED, told, LOG)
    assert verdict.lost == lost
    assert len(verdict.problems) == 1
    assert problem in verdict.problems[0]


@pytest.mark.parametrize(
    ("log", "lost", "problem"),
    [
        ("", 0, "did not say how it ended"),
        (LOG.replace("2 requests", "1 requests"), 0, "counted 1 requests, driven were 2"),
        (LOG.replace("0 lost", "3 lost"), 3, "counted 3 lost"),
    ],
)
def test_compassds_own_count_is_believed(log: str, lost: int, problem: str) -> None:
    verdict = compare(DRIVEN, WANTED, Told(BOTH, [hook()], [entry()]), log)
    assert verdict.lost == lost
    assert problem in "\n".join(verdict.problems)
