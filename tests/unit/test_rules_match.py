from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from compassd.breach import Excess, Metric, Severity, breach_id
from compassd.request import Request
from compassd.rules.match import Broken, Floors, RuleSet, breaches
from compassd.rules.model import Budget, Rule

MS = 1_000_000
MIB = 1 << 20
REQUEST = Request(
    pid=7,
    start_ns=1,
    started_at=1_700_000_000_000_000_000,
    duration_ns=900 * MS,
    cpu_ns=400 * MS,
    memory_peak=32 * MIB,
    status=200,
    id="r-1",
    method="POST",
    host="shop.example.com",
    uri="/shop/cart?id=1",
    script="/var/www/index.php",
)


def rule(name: str = "r", **fields: object) -> Rule:
    return Rule.model_validate({"name": name, "budget": {"duration": "1ns"}, **fields})


def no_tree() -> None:
    pass


def place(request: Request) -> tuple[str, str]:
    return request.host, f"route of {request.path}"


def hits(match: dict[str, object], request: Request) -> bool:
    return bool(RuleSet((rule(match=match),)).evaluate(request, no_tree))


@pytest.mark.parametrize(
    ("uri", "path"),
    [
        ("/a", "/a"),
        ("/a?b=/c", "/a"),
        ("/a#b", "/a"),
        ("/a#b?c", "/a"),
        ("/a?b#c", "/a"),
        ("/a?", "/a"),
        ("/a%3Fb", "/a%3Fb"),
    ],
)
def test_the_path_is_compared_without_query_string_and_fragment(uri: str, path: str) -> None:
    assert hits({"uri": path}, replace(REQUEST, uri=uri))
    assert not hits({"uri": path + "x"}, replace(REQUEST, uri=uri))


@pytest.mark.parametrize(
    ("header", "glob", "expected"),
    [
        ("shop.example.com", "*.example.com", True),
        ("SHOP.Example.COM:8443", "shop.EXAMPLE.com", True),
        ("a.b.example.com", "*.example.com", True),
        ("example.com", "*.example.com", False),
        ("example.com.evil.net", "*example.com", False),
        ("example.com.", "example.com", True),
        ("example.com:", "example.com", True),
        ("[2001:DB8::1]:8080", "2001:db8::1", True),
        ("[::1]", "::1", True),
        ("", "*", True),
        ("", "?*", False),
        ("eu1.example.com", "eu[0-9].example.com", True),
        ("EU1.example.com", "[A-Z]u?.example.com", True),
    ],
)
def test_hosts_are_compared_without_port_and_case(header: str, glob: str, *, expected: bool) -> None:
    assert hits({"host": glob}, replace(REQUEST, host=header)) is expected


@pytest.mark.parametrize(
    ("status", "matching", "other"),
    [
        (404, [404], [403, 405]),
        ("4xx", [400, 404, 499], [399, 500]),
        (["2XX", 404], [200, 299, 404], [300, 403]),
        ([100, 599], [100, 599], [101, 598]),
    ],
)
def test_status_codes_and_classes(status: object, matching: list[int], other: list[int]) -> None:
    codes = [*matching, *other]
    assert [code for code in codes if hits({"status": status}, replace(REQUEST, status=code))] == matching


def test_methods_are_compared_in_upper_case() -> None:
    assert hits({"method": ["get", "Post"]}, REQUEST)
    assert hits({"method": "POST"}, replace(REQUEST, method="post"))
    assert not hits({"method": ["GET", "PUT"]}, REQUEST)


FIELDS: dict[str, tuple[object, object]] = {
    "uri": ("/shop/**", "/blog/**"),
    "method": ("POST", "GET"),
    "host": ("*.example.com", "*.example.net"),
    "status": ("2xx", 404),
}


@given(st.dictionaries(st.sampled_from(sorted(FIELDS)), st.lists(st.booleans(), min_size=1, max_size=3)))
def test_fields_are_anded_and_lists_are_ored(wanted: dict[str, list[bool]]) -> None:
    match: dict[str, object] = {
        name: [FIELDS[name][0 if right else 1] for right in rights] for name, rights in wanted.items()
    }
    assert hits(match, REQUEST) is all(any(rights) for rights in wanted.values())


def test_a_limit_is_exceeded_by_what_is_greater_only() -> None:
    rules = RuleSet((rule(budget={"duration": "900ms"}),))
    assert rules.evaluate(REQUEST, no_tree) == []
    assert rules.evaluate(replace(REQUEST, duration_ns=900 * MS + 1), no_tree) == [
        Broken(rules.rules[0], Severity.WARNING, (Excess(Metric.DURATION, 900 * MS, 900 * MS + 1),))
    ]


def test_the_excesses_come_in_a_fixed_order_and_only_those() -> None:
    budget = {"memory": "16MiB", "cpu": "300ms", "duration": "800ms"}
    (broken,) = RuleSet((rule(budget=budget),)).evaluate(REQUEST, no_tree)
    assert broken.excesses == (
        Excess(Metric.DURATION, 800 * MS, 900 * MS),
        Excess(Metric.CPU, 300 * MS, 400 * MS),
        Excess(Metric.MEMORY, 16 * MIB, 32 * MIB),
    )
    (broken,) = RuleSet((rule(budget=budget | {"cpu": "1s"}),)).evaluate(REQUEST, no_tree)
    assert [excess.metric for excess in broken.excesses] == [Metric.DURATION, Metric.MEMORY]


def test_without_cpu_time_no_cpu_limit_is_exceeded() -> None:
    late = replace(REQUEST, cpu_ns=None)
    assert RuleSet((rule(budget={"cpu": "1ns"}),)).evaluate(late, no_tree) == []
    (broken,) = RuleSet((rule(budget={"cpu": "1ns", "memory": "1B"}),)).evaluate(late, no_tree)
    assert [excess.metric for excess in broken.excesses] == [Metric.MEMORY]


def test_the_rules_that_are_broken_come_in_the_order_of_the_file() -> None:
    rules = RuleSet(
        (rule("c"), rule("not", match={"uri": "/blog"}), rule("a"), rule("over", budget={"cpu": "1h"}))
    )
    assert [broken.rule.name for broken in rules.evaluate(REQUEST, no_tree)] == ["c", "a"]


AMOUNTS = st.none() | st.integers(1, 9)
BUDGETS = st.fixed_dictionaries({"duration": AMOUNTS, "cpu": AMOUNTS, "memory": AMOUNTS}).filter(
    lambda budget: any(budget.values())
)


def rules_of(budgets: list[dict[str, int | None]]) -> RuleSet:
    def written(budget: dict[str, int | None]) -> dict[str, str]:
        return {k: f"{v}{'B' if k == 'memory' else 'ns'}" for k, v in budget.items() if v is not None}

    return RuleSet(tuple(rule(f"r{n}", budget=written(budget)) for n, budget in enumerate(budgets)))


@given(st.lists(BUDGETS, max_size=4))
def test_the_floors_are_the_smallest_budgets(budgets: list[dict[str, int | None]]) -> None:
    def smallest(metric: str) -> int | None:
        return min((budget[metric] or 99 for budget in budgets if budget[metric]), default=None)

    expected = Floors(
        duration_ns=smallest("duration"), cpu_ns=smallest("cpu"), memory=smallest("memory"), waits=None
    )
    assert rules_of(budgets).floors() == expected


@given(st.lists(BUDGETS, max_size=4), st.integers(0, 9), st.integers(0, 9), st.integers(0, 9))
def test_what_the_floors_let_pass_breaks_no_rule_and_the_rest_does(
    budgets: list[dict[str, int | None]], duration: int, cpu: int, memory: int
) -> None:
    rules = rules_of(budgets)
    floors = rules.floors()
    over = any(
        floor is not None and actual > floor
        for floor, actual in ((floors.duration_ns, duration), (floors.cpu_ns, cpu), (floors.memory, memory))
    )
    request = replace(REQUEST, duration_ns=duration, cpu_ns=cpu, memory_peak=memory)
    assert bool(rules.evaluate(request, no_tree)) is over


def test_breaches_carry_what_the_rule_says() -> None:
    rules = RuleSet(
        (rule("a", severity="critical", destinations=["x", "w"]), rule("b", budget={"memory": "1MiB"}))
    )
    first, second = breaches(rules, REQUEST, "web1", ["journal", "slack"], no_tree, place)
    assert (first.rule, first.severity, first.destinations) == ("a", Severity.CRITICAL, ("x", "w"))
    assert (second.rule, second.severity, second.destinations) == (
        "b",
        Severity.WARNING,
        ("journal", "slack"),
    )
    assert second.excesses == (Excess(Metric.MEMORY, MIB, 32 * MIB),)
    assert [first.id, second.id] == [breach_id("web1", REQUEST, "a"), breach_id("web1", REQUEST, "b")]
    assert (first.server, first.request) == ("web1", REQUEST)
    assert (first.host, first.route) == ("shop.example.com", "route of /shop/cart")
    assert breaches(rules, replace(REQUEST, duration_ns=0, memory_peak=0), "web1", [], no_tree, place) == []


def test_rule_sets_with_the_same_rules_are_equal_and_cannot_change() -> None:
    assert RuleSet((rule("a"),)) == RuleSet((rule("a"),)) != RuleSet((rule("b"),))
    with pytest.raises(ValidationError, match="frozen"):
        rule().name = "other"  # type: ignore[misc]  # that is the point


def test_limits_are_listed_in_the_order_of_the_metrics() -> None:
    budget = Budget.model_validate({"memory": "1B", "duration": "2ns", "cpu": "3ns"})
    assert list(budget.limits.items()) == [(Metric.DURATION, 2), (Metric.CPU, 3), (Metric.MEMORY, 1)]
