"""Which rules are asked: what is left out, exceptions, overrides, and what is known only at the end."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, date, datetime

import pytest

from compassd.breach import Gate, Severity, State
from compassd.judge import plain_place
from compassd.request import Request
from compassd.rules.match import RuleSet, breaches
from compassd.rules.model import Rule
from lab.breaches import make_request

REQUEST = make_request(
    uri="/shop/cart?x=1", pool="www", transaction="GET /shop/{page}", tags={"tenant": "acme"}
)
# As it is known before its end.
STARTED = replace(REQUEST, status=None, transaction="", tags={})
RUNNING, DIED, FINISHED = State.RUNNING, State.DIED, State.FINISHED


def rule(name: str = "r", **fields: object) -> Rule:
    return Rule.model_validate({"name": name, "budget": {"duration": "1ns"}, **fields})


def asked(*rules: Rule, request: Request = REQUEST, state: State = FINISHED) -> list[str]:
    return [broken.rule.name for broken in RuleSet(rules).evaluate(request, lambda: None, state)]


def hits(match: dict[str, object], request: Request = REQUEST, state: State = FINISHED) -> bool:
    return bool(asked(rule(match=match), request=request, state=state))


@pytest.mark.parametrize(
    ("match", "expected"),
    [
        ({"uri_regex": "/shop/[a-z]+"}, True),
        ({"uri_regex": ["/blog", "/shop/c.*"]}, True),
        ({"uri_regex": "/shop"}, False),
        ({"uri": "/shop/*", "uri_regex": "/.*/cart"}, True),
        ({"uri": "/blog/*", "uri_regex": "/.*/cart"}, False),
        ({"pool": "w*"}, True),
        ({"pool": ["api", "www"]}, True),
        ({"pool": "WWW"}, False),
        ({"transaction": "GET /shop/*"}, True),
        ({"transaction": "get /shop/*"}, False),
        ({"tags": {"tenant": "a*"}}, True),
        ({"tags": {"tenant": ["x", "acme"]}}, True),
        ({"tags": {"tenant": "ACME"}}, False),
        ({"tags": {"tenant": "acme", "plan": "*"}}, False),
        ({"not": {"uri": "/shop/**"}}, False),
        ({"not": {"uri": "/blog/**"}}, True),
        # All fields of it must match, and one of several suffices.
        ({"not": {"uri": "/shop/**", "pool": "api"}}, True),
        ({"not": [{"pool": "api"}, {"uri": "/shop/**"}]}, False),
        ({"not": {"tags": {"plan": "free"}}}, True),
        ({"uri": "/shop/**", "not": {"uri_regex": "/shop/(cart|pay)"}}, False),
    ],
)
def test_what_a_match_can_say(match: dict[str, object], *, expected: bool) -> None:
    assert hits(match) is expected


@pytest.mark.parametrize("match", [{"pool": "*"}, {"transaction": "*"}, {"tags": {"tenant": "*"}}])
def test_what_a_request_does_not_have_matches_nothing(match: dict[str, object]) -> None:
    without = replace(REQUEST, pool="", transaction="", tags={})
    assert hits(match)
    assert not hits(match, without)
    assert hits({"not": match}, without)


LATE = [{"transaction": "GET *"}, {"tags": {"tenant": "acme"}}, {"status": 200}]


@pytest.mark.parametrize("late", LATE)
def test_a_rule_about_what_is_known_at_the_end_is_asked_then(late: dict[str, object]) -> None:
    assert hits(late)
    assert not hits(late, STARTED, RUNNING)
    assert not hits(late, STARTED, DIED)


@pytest.mark.parametrize("late", LATE)
def test_a_rule_that_leaves_out_what_is_known_at_the_end_waits_for_it(late: dict[str, object]) -> None:
    for fields in ({"match": {"not": late}}, {"exception": {"match": late, "reason": "known"}}):
        subject = rule(**fields)
        assert not asked(subject)
        assert not asked(subject, request=STARTED, state=RUNNING)
        # It will never be known: better told than not.
        assert asked(subject, request=STARTED, state=DIED)


def test_a_rule_waits_only_if_what_is_known_by_then_does_not_decide() -> None:
    elsewhere = {"uri": "/blog/**", "transaction": "*"}
    assert hits({"not": elsewhere}, STARTED, RUNNING)
    assert asked(rule(exception={"match": elsewhere, "reason": "r"}), request=STARTED, state=RUNNING)
    # Left out of what the exception is about: in doubt the exception holds.
    unclear = {"match": {"uri": "/shop/**", "not": {"transaction": "POST *"}}, "reason": "r"}
    assert not asked(rule(exception=unclear), request=STARTED, state=RUNNING)


def test_an_exception_holds_for_what_it_matches() -> None:
    exceptions = [
        {"match": {"uri": "/blog/**"}, "reason": "a"},
        {"name": "cart", "match": {"uri": "/shop/cart", "method": "POST"}, "reason": "b"},
    ]
    assert not asked(rule(exception=exceptions))
    assert asked(rule(exception=exceptions), request=replace(REQUEST, method="GET"))


def _ns(moment: str) -> int:
    return int(datetime.fromisoformat(moment).timestamp()) * 10**9


@pytest.mark.parametrize(
    ("expires", "end"),
    [
        (date(2026, 10, 1), _ns("2026-10-02T00:00:00Z")),
        (datetime(2026, 10, 1, 12, 30, tzinfo=UTC), _ns("2026-10-01T12:30:00Z")),
        (datetime.fromisoformat("2026-10-01T12:30:00+02:00"), _ns("2026-10-01T10:30:00Z")),
    ],
)
def test_an_exception_holds_until_it_expires(expires: object, end: int) -> None:
    excepted = rule(exception={"match": {"uri": "/**"}, "reason": "r", "expires": expires})
    for until, holds in ((end - 1, True), (end, False), (end + 1, False)):
        request = replace(REQUEST, started_at=until - REQUEST.duration_ns)
        assert bool(asked(excepted, request=request)) is not holds


def test_a_rule_is_not_asked_about_what_one_that_overrides_it_is_about() -> None:
    shop = rule("shop", match={"uri": "/shop/**"}, overrides=["all", "cart"])
    everything, cart = rule("all"), rule("cart", match={"uri": "/shop/cart"})
    assert asked(everything, cart, shop) == ["shop"]
    assert asked(everything, cart, shop, request=replace(REQUEST, uri="/blog")) == ["all"]
    # Whether or not that one is exceeded, or excepted, or overridden itself.
    within = rule("shop", match=shop.match, overrides="all", budget={"duration": "1h"})
    assert asked(everything, within) == []
    excepted = rule("shop", overrides="all", exception={"match": {"uri": "/**"}, "reason": "r"})
    assert asked(everything, excepted) == []
    assert asked(everything, rule("b", overrides="all"), rule("c", overrides="b")) == ["c"]


def test_a_rule_waits_for_whether_it_is_overridden() -> None:
    everything, report = rule("all"), rule("report", match={"transaction": "GET *"}, overrides="all")
    assert asked(everything, report) == ["report"]
    assert asked(everything, report, request=STARTED, state=RUNNING) == []
    assert asked(everything, report, request=STARTED, state=DIED) == ["all"]
    elsewhere = rule("report", match={"transaction": "GET *", "uri": "/blog"}, overrides="all")
    assert asked(everything, elsewhere, request=STARTED, state=RUNNING) == ["all"]


@pytest.mark.parametrize(
    ("severity", "ratio", "expected"),
    [
        ("info", 3, Severity.WARNING),
        ("warning", 3, Severity.CRITICAL),
        ("critical", 3, Severity.CRITICAL),
        ("info", 3.1, Severity.INFO),
        ("warning", 1.0001, Severity.CRITICAL),
    ],
)
def test_from_a_multiple_of_a_limit_on_it_is_a_step_worse(
    severity: str, ratio: float, expected: Severity
) -> None:
    # Three times the one, and a little more than the other.
    budget = {"duration": "400ms", "cpu": "309ms"}
    written = rule(severity=severity, escalate_ratio=ratio, budget=budget)
    request = replace(REQUEST, duration_ns=1_200_000_000)
    (broken,) = RuleSet((written,)).evaluate(request, lambda: None)
    assert broken.severity is expected


def test_a_dead_worker_within_the_budget_is_no_worse_than_the_rule_says() -> None:
    written = rule(escalate_ratio=2, budget={"duration": "1h"})
    (broken,) = RuleSet((written,)).evaluate(STARTED, lambda: None, DIED)
    assert (broken.severity, broken.excesses) == (Severity.WARNING, ())


@pytest.mark.parametrize(
    ("fields", "gate"),
    [
        ({}, Gate()),
        ({"min_hits": 5}, Gate(5, 60_000_000_000)),
        ({"min_hits": 5, "within": "10m"}, Gate(5, 600_000_000_000)),
        ({"min_rate": 0.05, "within": "5s"}, Gate(1, 5_000_000_000, 0.05)),
    ],
)
def test_a_breach_carries_severity_and_gate(fields: dict[str, object], gate: Gate) -> None:
    written = {"name": "r", "budget": {"duration": "1ns"}, "severity": "info", "escalate_ratio": 2, **fields}
    rules = RuleSet((Rule.model_validate(written),))
    (breach,) = breaches(rules, REQUEST, "web1", (), lambda: None, plain_place)
    assert (breach.severity, breach.gate, breach.state) == (Severity.WARNING, gate, FINISHED)
    assert (breach.host, breach.route) == ("shop.example", "GET /shop/{page}")


def test_nobody_asks_for_the_place_of_a_request_that_breaks_no_rule() -> None:
    def never(_request: Request) -> tuple[str, str]:
        raise AssertionError("its place would be counted")

    rules = RuleSet((rule(budget={"duration": "1h"}),))
    assert breaches(rules, REQUEST, "web1", (), lambda: None, never) == []
