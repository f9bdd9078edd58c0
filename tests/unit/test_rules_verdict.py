from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from compassd.breach import Metric, Severity, State
from compassd.calltree import NO_PARENT, CallTree, Frame, Node
from compassd.rules.match import RuleSet
from compassd.rules.model import Rule
from compassd.rules.verdict import LimitVerdict, Mismatch, Outcome, Verdict, explain
from lab.breaches import make_request

MS = 1_000_000
REQUEST = make_request(uri="/shop/cart?x=1", pool="www", transaction="cart", tags={"tenant": "acme"})
STARTED = replace(REQUEST, status=None, cpu_ns=None, memory_peak=None, transaction="", tags={})
TREE = CallTree(
    duration_ns=1_240 * MS, nodes=(Node(Frame("PDO::query", "/a.php", 1), NO_PARENT, 0, 300 * MS, 60),)
)


def rule(name: str = "r", **fields: object) -> Rule:
    return Rule.model_validate({"name": name, "budget": {"duration": "1s"}, **fields})


def verdict(*rules: Rule, state: State = State.FINISHED) -> Verdict:
    """What the first of the rules says."""
    request = REQUEST if state is State.FINISHED else STARTED
    return explain(RuleSet(rules), request, lambda: TREE, state)[0]


def test_a_rule_that_is_not_about_the_request_says_in_which_fields() -> None:
    found = verdict(
        rule(
            match={
                "uri": ["/blog/**", "/"],
                "uri_regex": "/.*",
                "host": "*.example.org",
                "method": "GET",
                "status": [404, "5xx"],
                "pool": "api",
                "tags": {"tenant": "acme", "plan": "free"},
            }
        )
    )
    assert found.outcome is Outcome.NO_MATCH
    assert set(found.mismatches) == {
        Mismatch("uri", "/shop/cart", ("/blog/**", "/")),
        Mismatch("host", "shop.example", ("*.example.org",)),
        Mismatch("method", "POST", ("GET",)),
        Mismatch("status", "200", ("404", "5xx")),
        Mismatch("pool", "www", ("api",)),
        Mismatch("tags.plan", None, ("free",)),
    }
    assert found.limits == ()


def test_what_is_left_out_is_said_by_the_fields_that_match() -> None:
    found = verdict(rule(match={"not": [{"pool": "api"}, {"uri": "/shop/*", "method": "POST"}]}))
    assert found.outcome is Outcome.NO_MATCH
    assert set(found.mismatches) == {
        Mismatch("not.uri", "/shop/cart", ("/shop/*",)),
        Mismatch("not.method", "POST", ("POST",)),
    }


def test_limits_are_told_whether_exceeded_or_not() -> None:
    budget = {
        "duration": "1s",
        "cpu": "1s",
        "memory": "1MiB",
        "waits": 60,
        "function": {"name": "PDO::*", "time": "200ms", "waits": 70},
    }
    found = verdict(rule(budget=budget, escalate_ratio=5))
    assert (found.outcome, found.severity) == (Outcome.BROKEN, Severity.CRITICAL)
    assert found.limits == (
        LimitVerdict(Metric.DURATION, 1_000 * MS, 1_240 * MS),
        LimitVerdict(Metric.CPU, 1_000 * MS, 310 * MS),
        LimitVerdict(Metric.MEMORY, 2**20, 12 * 2**20),
        LimitVerdict(Metric.WAITS, 60, 60),
        LimitVerdict(Metric.FUNCTION_TIME, 200 * MS, 300 * MS, "PDO::*"),
        LimitVerdict(Metric.FUNCTION_WAITS, 70, 60, "PDO::*"),
    )
    assert [limit.is_exceeded for limit in found.limits] == [True, False, True, False, True, False]
    within = verdict(rule(budget={"duration": "2s"}))
    assert (within.outcome, within.limits) == (
        Outcome.WITHIN,
        (LimitVerdict(Metric.DURATION, 2_000 * MS, 1_240 * MS),),
    )


def test_an_exception_and_an_overriding_rule_are_named() -> None:
    excepted = rule(
        exception=[
            {"match": {"uri": "/blog"}, "reason": "not this"},
            {"name": "cart", "match": {"uri": "/shop/*"}, "reason": "slow by design"},
        ]
    )
    found = verdict(excepted)
    assert found.outcome is Outcome.EXCEPTED
    assert found.exception is excepted.exceptions[1]
    assert found.limits
    overridden = verdict(
        excepted,
        rule("other", overrides="r"),
        rule("elsewhere", match={"uri": "/blog"}, overrides="r"),
        rule("shop", match={"uri": "/shop/**"}, overrides="r"),
    )
    assert (overridden.outcome, overridden.overridden_by) == (Outcome.OVERRIDDEN, ("other", "shop"))


@pytest.mark.parametrize(
    "rules",
    [
        (rule(match={"status": 200}),),
        (rule(match={"not": {"transaction": "x*"}}),),
        (rule(exception={"match": {"tags": {"tenant": "x"}}, "reason": "r"}),),
        (rule(), rule("o", match={"transaction": "x"}, overrides="r")),
    ],
)
def test_what_is_decided_at_the_end_is_said_to_be(rules: tuple[Rule, ...]) -> None:
    assert verdict(*rules, state=State.RUNNING).outcome is Outcome.LATER
    assert verdict(*rules).outcome is Outcome.BROKEN


def test_of_a_running_request_the_call_tree_is_judged_at_its_end() -> None:
    found = verdict(rule(budget={"waits": 1}), state=State.RUNNING)
    assert (found.outcome, found.limits) == (Outcome.WITHIN, (LimitVerdict(Metric.WAITS, 1, None),))


MATCHES = st.fixed_dictionaries(
    {},
    optional={
        "uri": st.sampled_from(["/shop/**", "/blog"]),
        "status": st.sampled_from([200, 404]),
        "transaction": st.sampled_from(["cart", "x"]),
        "not": st.sampled_from([{"uri": "/shop/cart"}, {"tags": {"tenant": "acme"}}, {"pool": "api"}]),
    },
)
RULES = st.fixed_dictionaries(
    {"match": MATCHES, "budget": st.sampled_from([{"duration": "1s"}, {"duration": "1h"}, {"waits": 10}])},
    optional={
        "exception": MATCHES.filter(bool).map(lambda match: {"match": match, "reason": "r"}),
        "overrides": st.integers(0, 4).map(lambda number: f"r{number}"),
    },
)


@settings(max_examples=500)
@given(st.lists(RULES, max_size=5), st.sampled_from(State))
def test_the_rules_that_say_broken_are_those_that_are(written: list[dict[str, object]], state: State) -> None:
    rules = RuleSet(tuple(rule(f"r{number}", **fields) for number, fields in enumerate(written)))
    request = REQUEST if state is State.FINISHED else STARTED
    broken = rules.evaluate(request, lambda: TREE, state)
    verdicts = explain(rules, request, lambda: TREE, state)
    assert [each.rule for each in verdicts] == list(rules.rules)
    said = [each for each in verdicts if each.outcome is Outcome.BROKEN]
    assert [(each.rule, each.severity) for each in said] == [(each.rule, each.severity) for each in broken]
    for one, other in zip(said, broken, strict=True):
        exceeded = [(limit.metric, limit.actual) for limit in one.limits if limit.is_exceeded]
        assert exceeded == [(excess.metric, excess.actual) for excess in other.excesses]
    for each in verdicts:
        assert bool(each.mismatches) is (each.outcome is Outcome.NO_MATCH) or each.outcome is Outcome.LATER
