from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from pydantic import BaseModel

from compassd.breach import Metric, Severity
from compassd.calltree import NO_PARENT, CallTree, Frame, Node
from compassd.request import Request
from compassd.rules.load import load_rules
from compassd.rules.model import Budget, Match, Route, Rule, RuleException

EXAMPLE = Path(__file__).parents[2] / "rules.example.toml"
RULES = load_rules(EXAMPLE, {"ops-slack", "journal"})
MS = 1_000_000
MIB = 1 << 20


QUICK = Request(
    pid=7,
    start_ns=1,
    started_at=1,
    duration_ns=MS,
    cpu_ns=MS,
    memory_peak=MIB,
    status=200,
    id="r",
    method="GET",
    host="www.example.com",
    uri="/",
    script="/index.php",
)


def spent(function: str, ms: int, waits: int = 1) -> CallTree:
    """The tree of a request that waited in a function."""
    nodes = (
        Node(Frame("{main}", "/index.php", 1), NO_PARENT, 0, 0, 0),
        Node(Frame(function, "", 0), 0, 0, ms * MS, waits),
    )
    return CallTree(duration_ns=ms * MS, nodes=nodes)


# Each rule with a request that breaks it, and only it, and one that just does not.
SAMPLES = {
    "slow": (
        replace(QUICK, uri="/", duration_ns=2_001 * MS),
        replace(QUICK, uri="/", duration_ns=2_000 * MS),
    ),
    "checkout": (
        replace(
            QUICK,
            uri="/shop/pay?x=1",
            method="POST",
            duration_ns=801 * MS,
            cpu_ns=301 * MS,
            memory_peak=65 * MIB,
        ),
        replace(QUICK, uri="/shop/pay?x=1", duration_ns=801 * MS, cpu_ns=301 * MS, memory_peak=65 * MIB),
    ),
    "busy-search": (
        replace(QUICK, uri="/search?q=a", cpu_ns=251 * MS),
        replace(QUICK, uri="/search/all", cpu_ns=251 * MS),
    ),
    "hungry-export": (
        replace(QUICK, uri="/admin/orders/export-2026.php", memory_peak=257 * MIB),
        replace(QUICK, uri="/admin/orders/export-2026.txt", memory_peak=257 * MIB),
    ),
    "chatty": (replace(QUICK, uri="/reports/1"), replace(QUICK, uri="/reports/1")),
    "queries": (replace(QUICK, uri="/account/orders"), replace(QUICK, uri="/account/orders")),
    "payment": (replace(QUICK, uri="/pay"), replace(QUICK, uri="/pay")),
    "api": (
        replace(QUICK, uri="/api/v2/users/7", duration_ns=251 * MS),
        replace(QUICK, uri="/api/v10/users/7", duration_ns=251 * MS),
    ),
    "customer-sites": (
        replace(QUICK, uri="/", host="acme.customers.example.com:8080", duration_ns=1_501 * MS),
        replace(QUICK, uri="/", host="customers.example.com", duration_ns=1_501 * MS),
    ),
    "slow-errors": (
        replace(QUICK, uri="/gone", status=404, duration_ns=401 * MS),
        replace(QUICK, uri="/gone", status=403, duration_ns=401 * MS),
    ),
    "uploads": (
        replace(
            QUICK, uri="/upload", method="PUT", host="Shop.example.com", status=201, memory_peak=500 * MIB
        ),
        replace(
            QUICK, uri="/upload", method="PUT", host="Shop.example.com", status=201, memory_peak=476 * MIB
        ),
    ),
    "archive": (
        replace(QUICK, uri="/blog/2026/how-to", duration_ns=301 * MS),
        replace(QUICK, uri="/blog/2026/how/to", duration_ns=301 * MS),
    ),
    "backoffice": (
        replace(QUICK, pool="cron-night", memory_peak=129 * MIB),
        replace(QUICK, pool="cron", memory_peak=129 * MIB),
    ),
    "big-customers": (
        replace(
            QUICK, transaction="order.list", tags={"plan": "gold", "region": "eu-1"}, duration_ns=501 * MS
        ),
        replace(QUICK, transaction="order.list", tags={"plan": "gold"}, duration_ns=501 * MS),
    ),
    "pages": (
        replace(QUICK, uri="/pages/a", method="POST", duration_ns=601 * MS),
        replace(QUICK, uri="/pages/a", method="POST", status=302, duration_ns=601 * MS),
    ),
    "catalogue": (
        replace(QUICK, uri="/catalogue/7", duration_ns=1_001 * MS),
        replace(QUICK, uri="/catalogue/7", duration_ns=1_000 * MS),
    ),
    "thumbnails": (
        replace(QUICK, uri="/thumbnails/7.png", duration_ns=201 * MS),
        replace(QUICK, uri="/thumbnails/7.png", duration_ns=200 * MS),
    ),
    "export": (
        replace(QUICK, uri="/export/all", duration_ns=60_001 * MS),
        replace(QUICK, uri="/export/all", duration_ns=60_000 * MS),
    ),
    "search": (
        replace(QUICK, uri="/find/shoes", duration_ns=301 * MS),
        replace(QUICK, uri="/find/everything", duration_ns=301 * MS),
    ),
}


# What the requests of some did, likewise.
TREES = {
    "chatty": (spent("PDO::query", 10, waits=101), spent("PDO::query", 10, waits=100)),
    "queries": (spent("PDOStatement::execute", 10, waits=51), spent("PDOStatement::execute", 300, waits=50)),
    "payment": (spent("curl_exec", 1_001), spent("curl_exec", 1_000)),
}


def broken_by(sample: Request, tree: CallTree | None = None) -> list[str]:
    return [broken.rule.name for broken in RULES.evaluate(sample, lambda: tree)]


def test_there_is_a_sample_for_every_rule() -> None:
    assert [rule.name for rule in RULES.rules] == list(SAMPLES)


@pytest.mark.parametrize("name", SAMPLES)
def test_every_rule_is_reachable_and_no_wider_than_it_says(name: str) -> None:
    over, under = zip(SAMPLES[name], TREES.get(name, (None, None)), strict=True)
    assert broken_by(*over) == [name]
    assert broken_by(*under) == []


def test_every_limit_of_the_rule_with_three_is_reached() -> None:
    (broken,) = RULES.evaluate(SAMPLES["checkout"][0], lambda: None)
    assert [excess.metric for excess in broken.excesses] == [Metric.DURATION, Metric.CPU, Metric.MEMORY]


@pytest.mark.parametrize(
    ("uri", "tree", "metric"),
    [
        ("/account", spent("PDO::query", 301), Metric.FUNCTION_TIME),
        ("/account", spent("PDO::query", 1, waits=51), Metric.FUNCTION_WAITS),
        ("/account", spent("Shop\\Repository\\Orders::find", 501), Metric.FUNCTION_TIME),
        ("/pay", spent("curl_exec", 1_001), Metric.FUNCTION_TIME),
    ],
)
def test_every_limit_of_functions_is_reached(uri: str, tree: CallTree, metric: Metric) -> None:
    (broken,) = RULES.evaluate(replace(QUICK, uri=uri), lambda: tree)
    assert [excess.metric for excess in broken.excesses] == [metric]


@pytest.mark.parametrize("uri", ["/admin/export-1.php", "/admin/a/b/export-1.php"])
def test_the_double_star_of_the_example_reaches_every_depth(uri: str) -> None:
    assert broken_by(replace(QUICK, uri=uri, memory_peak=257 * MIB)) == ["hungry-export"]


def test_the_exception_of_the_example_ends() -> None:
    request = replace(SAMPLES["search"][1], started_at=4_102_444_800 * 10**9)
    assert broken_by(replace(request, started_at=request.started_at - 1_000 * MS)) == []
    assert broken_by(request) == ["search"]


def test_what_is_far_over_the_budget_of_the_example_is_critical() -> None:
    request = SAMPLES["catalogue"][0]
    severities = [
        broken.severity
        for ms in (3_999, 4_000)
        for broken in RULES.evaluate(replace(request, duration_ns=ms * MS), lambda: None)
        if broken.rule.name == "catalogue"
    ]
    assert severities == [Severity.WARNING, Severity.CRITICAL]


def _fields(*tables: BaseModel) -> set[str]:
    return {name for table in tables for name in table.model_fields_set}


def test_the_example_shows_every_field_and_severity() -> None:
    rules = RULES.rules
    assert _fields(*rules) == set(Rule.model_fields)
    assert _fields(*(rule.match for rule in rules)) == set(Match.model_fields)
    assert _fields(*(rule.budget for rule in rules)) == set(Budget.model_fields)
    assert _fields(*(each for rule in rules for each in rule.exceptions)) == set(RuleException.model_fields)
    assert _fields(*RULES.routes) == set(Route.model_fields)
    assert {str(rule.severity) for rule in rules} == {"info", "warning", "critical"}
