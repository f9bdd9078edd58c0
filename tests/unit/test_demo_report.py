"""The demo notices everything that is not as it should be."""

from __future__ import annotations

from collections import Counter
from typing import Any

import pytest

from lab.demo_report import HOOK, JOURNAL, SLACK, Told, compare
from lab.demo_traffic import Driven, Page, Telling

MS = 1_000_000
SLOW = Driven(Page("slow", "GET", "/slow", 1, rule="slow"), "r-1", 300 * MS, 310 * MS)
FAST = Driven(Page("fast", "GET", "/", 1), "r-2", MS, 2 * MS)
DRIVEN = [SLOW, FAST]
WANTED = Counter(Telling(destination, "slow", "r-1") for destination in (SLACK, HOOK, JOURNAL))
LOG = "compassd stopped: 2 requests, 1 over the smallest budget, 1 breaches, 0 lost\n"


def slack(request_id: str = "r-1", did: str = "took 305 ms") -> dict[str, Any]:
    elements = [{"text": "server `a`"}, {"text": f"request `{request_id}`"}]
    return {"text": f"slow: GET /slow {did}", "blocks": [{"type": "context", "elements": elements}]}


def hook(request_id: str = "r-1", duration_ns: int = 305 * MS, state: str = "finished") -> dict[str, Any]:
    return {"rule": "slow", "state": state, "request": {"id": request_id, "duration_ns": duration_ns}}


def entry(duration_ms: str = "305.000", state: str = "finished") -> dict[str, Any]:
    return {
        "COMPASS_RULE": "slow",
        "COMPASS_STATE": state,
        "COMPASS_REQUEST_ID": "r-1",
        "COMPASS_DURATION_MS": duration_ms,
    }


RUNNING = slack(did="still runs after 210 ms"), hook(duration_ns=210 * MS, state="running")


def test_all_told_once_is_well() -> None:
    verdict = compare(DRIVEN, WANTED, Told([slack()], [hook()], [entry()]), LOG)
    assert (verdict.lost, verdict.problems) == (0, [])


def test_a_request_may_be_told_once_more_while_it_runs() -> None:
    told = Told([RUNNING[0], slack()], [RUNNING[1], hook()], [entry("210.000", "running"), entry()])
    verdict = compare(DRIVEN, WANTED, told, LOG)
    assert (verdict.lost, verdict.problems) == (0, [])


@pytest.mark.parametrize(
    ("told", "lost", "problem"),
    [
        (Told([], [hook()], [entry()]), 1, "not told: slack of request r-1 by rule 'slow'"),
        (Told([slack()], [], [entry()]), 1, "not told: hook of request r-1 by rule 'slow'"),
        (Told([slack()], [hook()], []), 1, "not told: journal of request r-1 by rule 'slow'"),
        (Told([slack()], [hook(), hook()], [entry()]), 0, "told too often: hook of request r-1"),
        (Told([slack(), slack("r-2")], [hook()], [entry()]), 0, "told without reason: slack of request r-2"),
        (Told([RUNNING[0]], [hook()], [entry()]), 1, "not told: slack of request r-1 by rule 'slow'"),
        (
            Told([RUNNING[0], RUNNING[0], slack()], [hook()], [entry()]),
            0,
            "told too often: slack of request r-1 by rule 'slow' while it ran",
        ),
        (
            Told([slack()], [hook(duration_ns=320 * MS, state="running"), hook()], [entry()]),
            0,
            "told with 320.000 ms",
        ),
        (Told([slack()], [hook(duration_ns=299 * MS)], [entry()]), 0, "told with 299.000 ms, but PHP worked"),
        (Told([slack()], [hook()], [entry("310.002")]), 0, "told with 310.002 ms, but PHP worked"),
    ],
)
def test_a_difference_is_named(told: Told, lost: int, problem: str) -> None:
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
    verdict = compare(DRIVEN, WANTED, Told([slack()], [hook()], [entry()]), log)
    assert verdict.lost == lost
    assert problem in "\n".join(verdict.problems)
