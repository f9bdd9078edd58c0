"""Budgets of waits and functions: what they count, when the tree is asked for, and the floors that follow."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from compassd.breach import Excess, Metric
from compassd.calltree import NO_PARENT, CallTree, Frame, Node, Totals
from compassd.judge import plain_place
from compassd.rules.function_glob import compile_function_glob
from compassd.rules.match import Floors, RuleSet, breaches
from compassd.rules.model import Rule
from lab.breaches import make_request
from lab.call_trees import call_trees

MS = 1_000_000


def _node(function: str, parent: int, on: int = 0, off: int = 0, waits: int = 0) -> Node:
    return Node(Frame(function, "", 0), parent, on * MS, off * MS, waits)


TREE = CallTree(
    duration_ns=1_000 * MS,
    nodes=(
        _node("{main}", NO_PARENT, on=10),
        _node(r"Shop\Repo::find", 0, on=20),
        _node("PDO::query", 1, on=30, off=300, waits=40),
        _node("PDOStatement::execute", 2, off=100, waits=10),
        _node(r"Shop\Walk::down", 0, on=1),
        _node(r"Shop\Walk::down", 4, on=2),
        _node("PDO::query", 5, on=4, off=50, waits=5),
        _node(r"Shop\Walk::down", 5, on=8),
        _node("usleep", 0, off=200, waits=1),
    ),
    other=Totals(100 * MS, 100 * MS, 100),
)
REQUEST = make_request(duration_ns=1_000 * MS, uri="/shop/cart")


def _rule(*functions: dict[str, object], **fields: object) -> Rule:
    return Rule.model_validate({"name": "r", "budget": {"function": list(functions)}, **fields})


def _excesses(*functions: dict[str, object], tree: CallTree | None = TREE) -> list[Excess]:
    broken = RuleSet((_rule(*functions),)).evaluate(REQUEST, lambda: tree)
    return [excess for each in broken for excess in each.excesses]


class Trees:
    """Gives a tree and counts how often it is asked to."""

    def __init__(self, tree: CallTree | None = TREE) -> None:
        self.tree = tree
        self.asked = 0

    def __call__(self) -> CallTree | None:
        self.asked += 1
        return self.tree


@pytest.mark.parametrize(
    ("glob", "time_ms", "waits"),
    [
        ("usleep", 200, 1),
        # With what it called, and over all the paths to it.
        ("PDO::query", 484, 55),
        # One of them inside of another counts once.
        ("PDO*::*", 484, 55),
        ("pdostatement::EXECUTE", 100, 10),
        # A recursion counts once.
        (r"Shop\Walk::down", 65, 5),
        (r"Shop\*", 515, 55),
        # All but what found no room in the tree.
        ("*", 725, 56),
        ("{main}", 725, 56),
    ],
)
def test_time_and_waits_are_those_of_the_functions_and_all_they_called(
    glob: str, time_ms: int, waits: int
) -> None:
    over = {"name": glob, "time": f"{time_ms - 1}ms", "waits": waits - 1}
    assert _excesses(over) == [
        Excess(Metric.FUNCTION_TIME, (time_ms - 1) * MS, time_ms * MS, glob),
        Excess(Metric.FUNCTION_WAITS, waits - 1, waits, glob),
    ]
    assert _excesses({"name": glob, "time": f"{time_ms}ms", "waits": waits}) == []
    assert [excess.metric for excess in _excesses({"name": glob, "waits": 0})] == [Metric.FUNCTION_WAITS]


def test_a_function_that_was_not_called_is_within_every_budget() -> None:
    assert _excesses({"name": "curl_exec", "time": "1ns", "waits": 0}) == []


def test_functions_come_in_the_order_of_the_rule_after_the_requests_own_limits() -> None:
    budget = {
        "function": [{"name": "usleep", "waits": 0}, {"name": "PDO::*", "time": "1ms", "waits": 0}],
        "duration": "1s",
        "memory": "1B",
    }
    rule = Rule.model_validate({"name": "r", "budget": budget})
    (broken,) = RuleSet((rule,)).evaluate(REQUEST, lambda: TREE)
    assert [(excess.metric, excess.function) for excess in broken.excesses] == [
        (Metric.MEMORY, ""),
        (Metric.FUNCTION_WAITS, "usleep"),
        (Metric.FUNCTION_TIME, "PDO::*"),
        (Metric.FUNCTION_WAITS, "PDO::*"),
    ]


def test_without_a_tree_no_budget_of_functions_is_exceeded() -> None:
    assert _excesses({"name": "*", "time": "1ns", "waits": 0}, tree=None) == []


def test_the_waits_of_a_request_are_all_there_were() -> None:
    def excesses(waits: int, tree: CallTree | None = TREE) -> list[Excess]:
        rule = Rule.model_validate(
            {"name": "r", "budget": {"waits": waits, "function": {"name": "f", "waits": 0}}}
        )
        return [
            excess for each in RuleSet((rule,)).evaluate(REQUEST, lambda: tree) for excess in each.excesses
        ]

    # With those that found no room in the tree.
    assert excesses(155) == [Excess(Metric.WAITS, 155, 156)]
    assert excesses(156) == []
    assert excesses(0, tree=None) == []


FUNCTION = _rule({"name": "usleep", "waits": 0}, name="function")
WAITS = Rule.model_validate({"name": "waits", "budget": {"waits": 0}})
WITHIN = _rule({"name": "usleep", "waits": 1}, name="within")
ELSEWHERE = _rule({"name": "usleep", "waits": 0}, name="elsewhere", match={"uri": "/blog"})
SLOW = Rule.model_validate({"name": "slow", "budget": {"duration": "1ms"}})
QUICK = Rule.model_validate({"name": "quick", "budget": {"duration": "1h"}})


@pytest.mark.parametrize(
    ("rules", "asked", "broken"),
    [
        # Nobody needs it.
        ((QUICK, ELSEWHERE), 0, []),
        # To judge.
        ((QUICK, WITHIN), 1, []),
        ((QUICK, WAITS), 1, ["waits"]),
        ((FUNCTION, WITHIN, SLOW), 1, ["function", "slow"]),
        # To tell.
        ((SLOW, QUICK, ELSEWHERE), 1, ["slow"]),
    ],
)
def test_the_tree_is_asked_for_once_and_only_if_it_is_needed(
    rules: tuple[Rule, ...], asked: int, broken: list[str]
) -> None:
    trees = Trees()
    found = breaches(RuleSet(rules), REQUEST, "web1", ["journal"], trees, plain_place)
    assert [breach.rule for breach in found] == broken
    assert all(breach.tree is TREE for breach in found)
    assert trees.asked == asked


def test_a_tree_that_is_missing_is_asked_for_once_too() -> None:
    trees = Trees(None)
    (breach,) = breaches(RuleSet((FUNCTION, SLOW, WITHIN)), REQUEST, "web1", [], trees, plain_place)
    assert (breach.rule, breach.tree, trees.asked) == ("slow", None, 1)


@given(call_trees())
def test_all_functions_together_take_what_is_accounted_for(tree: CallTree) -> None:
    found = tree.inside(lambda name: compile_function_glob("*").match(name) is not None)
    assert found == Totals(
        sum(node.on_ns for node in tree.nodes),
        sum(node.off_ns for node in tree.nodes),
        sum(node.waits for node in tree.nodes),
    )
    attributed = tree.attributed()
    assert found.all_ns + tree.other.all_ns == attributed.all_ns
    assert found.waits + tree.other.waits == attributed.waits


@given(call_trees(), st.sets(st.sampled_from(["{main}", "a", r"App\Cart::load", "PDOStatement::execute"])))
def test_what_is_inside_is_what_has_a_meant_function_above_it_or_is_one(
    tree: CallTree, meant: set[str]
) -> None:
    def path(index: int) -> list[str]:
        node = tree.nodes[index]
        return [node.frame.function, *([] if node.parent == NO_PARENT else path(node.parent))]

    counted = [node for index, node in enumerate(tree.nodes) if meant.intersection(path(index))]
    assert tree.inside(meant.__contains__) == Totals(
        sum(node.on_ns for node in counted),
        sum(node.off_ns for node in counted),
        sum(node.waits for node in counted),
    )


def test_the_floors_let_nothing_pass_that_a_function_could_have_broken() -> None:
    rules = (
        Rule.model_validate({"name": "a", "budget": {"duration": "500ms", "cpu": "1s"}}),
        _rule({"name": "f", "time": "300ms"}, {"name": "g", "waits": 70}, name="b"),
        _rule({"name": "h", "time": "2s", "waits": 50}, name="c"),
    )
    floors = Floors(duration_ns=300 * MS, cpu_ns=1_000 * MS, memory=None, waits=50)
    assert RuleSet(rules).floors() == floors
    assert RuleSet(rules[:1]).floors() == replace(floors, duration_ns=500 * MS, waits=None)
    nothing = Floors(duration_ns=None, cpu_ns=None, memory=None, waits=0)
    assert RuleSet((_rule({"name": "f", "waits": 0}),)).floors() == nothing
    assert RuleSet((*rules, WAITS)).floors() == replace(floors, waits=0)


@given(call_trees(), st.integers(0, 100))
def test_what_the_floor_of_waits_lets_pass_exceeds_no_budget_and_the_rest_does(
    tree: CallTree, waits: int
) -> None:
    rules = RuleSet((Rule.model_validate({"name": "r", "budget": {"waits": waits}}),))
    over = tree.attributed().waits > (rules.floors().waits or 0)
    assert bool(rules.evaluate(REQUEST, lambda: tree)) is over


@given(call_trees(), st.integers(1, 10**10), st.integers(0, 10**10))
def test_what_the_floors_let_pass_exceeds_no_budget_of_functions_and_the_rest_can(
    tree: CallTree, time: int, waits: int
) -> None:
    rules = RuleSet((_rule({"name": "*", "time": f"{time}ns", "waits": waits % 2**32}),))
    floors = rules.floors()
    # What everything takes, where all of it found room in the tree, is what the kernel compares.
    tree = replace(tree, other=Totals())
    spent = tree.attributed()
    request = replace(REQUEST, duration_ns=spent.all_ns)
    assert floors.duration_ns is not None
    assert floors.waits is not None
    over = spent.all_ns > floors.duration_ns or spent.waits > floors.waits
    assert bool(rules.evaluate(request, lambda: tree)) is over
