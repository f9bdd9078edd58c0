"""Judging requests while they run, when they have ended, and when they never do."""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import replace

import pytest

from compassd.breach import Breach, Metric, State
from compassd.calltree import Frame
from compassd.judge import Judge, plain_place
from compassd.kernel import layout
from compassd.kernel.assemble import RequestParts
from compassd.kernel.running import Snapshot
from compassd.kernel.symbols import Symbol
from compassd.kernel.texts import RawText
from compassd.kernel.tree import TreeReader
from compassd.rules.match import RuleSet
from compassd.rules.model import Rule
from lab.kernel_records import OTHER, PID, START_NS, request_record, text_record, tree_record

MS = 1_000_000
ROOT = layout.NO_PARENT
NAMES = {
    1: Symbol("", "", "/srv/index.php", 2),
    2: Symbol("prepare", "mysqli", "", 1),
    3: Symbol("execute", "mysqli_stmt", "", 1),
}
# The main script waits 60 ms in a statement that it prepared.
NODES = ((1, 0, 3, 0, 0, ROOT), (2, 1 * MS, 0, 0, 1, 1), (3, 60 * MS, 0, 0, 4, 1))
TREE = tree_record(OTHER, *NODES, last=3)
TEXTS = (text_record(b"SELECT 1", node=2),)
SNAPSHOT = Snapshot(TREE, TEXTS, 50 * MS)
RUNNING = layout.decode_request(
    request_record(kind=layout.RECORD_RUNNING, flags=layout.REQUEST_LATE), clock_offset_ns=0
).request


def _show(_scope: str, _function: str, text: RawText) -> str:
    return text.raw.decode()


def _rule(name: str, *, match: dict[str, object] | None = None, **budget: object) -> Rule:
    return Rule.model_validate({"name": name, "match": match or {}, "budget": budget})


def _judge(*rules: Rule) -> Judge:
    return Judge(RuleSet(rules), "web-1", ("ops",), TreeReader(10 * MS, NAMES.get, _show))


def _running(judge: Judge, ms: int, look: Callable[[], Snapshot] = lambda: SNAPSHOT) -> list[Breach]:
    return judge.running(replace(RUNNING, duration_ns=ms * MS), look)


def _ended(
    judge: Judge, ms: int, *, tree: bytes | None = TREE, died: bool = False, **changes: object
) -> list[Breach]:
    kind = layout.RECORD_DIED if died else layout.RECORD_REQUEST
    record = request_record(kind=kind, duration_ns=ms * MS, **changes)
    return judge.ended(RequestParts(record, died, tree, TEXTS), clock_offset_ns=0)


def _rules(found: list[Breach]) -> list[str]:
    return [breach.rule for breach in found]


def _never() -> Snapshot:
    raise AssertionError("nobody needs the tree")


A, B = _rule("a", duration="100ms"), _rule("b", duration="500ms")


def test_a_running_request_is_told_once_by_each_rule() -> None:
    judge = _judge(A, B)
    assert _rules(_running(judge, 50)) == []
    assert _rules(_running(judge, 200)) == ["a"]
    assert _running(judge, 300, _never) == []
    assert _rules(_running(judge, 600)) == ["b"]
    assert _running(judge, 700, _never) == []


def test_what_is_told_of_it_has_its_tree_so_far_and_how_long_it_waits() -> None:
    (breach,) = _running(_judge(A), 200)
    assert (breach.state, breach.waiting_ns, breach.told_running) == (State.RUNNING, 50 * MS, False)
    assert breach.request.duration_ns == 200 * MS
    (excess,) = breach.excesses
    assert (excess.metric, excess.actual) == (Metric.DURATION, 200 * MS)
    assert breach.tree is not None
    assert breach.tree.duration_ns == 200 * MS
    seen = breach.last_seen
    assert seen is not None
    assert seen.frame == Frame("mysqli_stmt::execute", "/srv/index.php", 3)
    # What was prepared in the same function.
    assert seen.waited_for == "SELECT 1"


def test_a_tree_is_looked_at_once_for_all_rules() -> None:
    looks = []

    def look() -> Snapshot:
        looks.append(1)
        return SNAPSHOT

    assert _rules(_running(_judge(A, B), 600, look)) == ["a", "b"]
    assert len(looks) == 1


def test_two_requests_of_one_worker_are_two() -> None:
    judge = _judge(A)
    assert len(_running(judge, 200)) == 1
    other = replace(RUNNING, start_ns=START_NS + 1, duration_ns=200 * MS)
    assert len(judge.running(other, lambda: SNAPSHOT)) == 1


def test_one_that_was_told_is_told_as_such_when_it_has_ended() -> None:
    judge = _judge(A, B)
    (running,) = _running(judge, 200)
    finished = _ended(judge, 600)
    assert [(each.rule, each.state, each.told_running) for each in finished] == [
        ("a", State.FINISHED, True),
        ("b", State.FINISHED, False),
    ]
    assert finished[0].id == running.id
    assert finished[0].message_id != running.message_id
    assert [(each.waiting_ns, each.last_seen) for each in finished] == [(None, None)] * 2
    # It is forgotten.
    assert not any(breach.told_running for breach in _ended(judge, 600))


def test_one_whose_end_was_lost_is_forgotten_when_it_is_gone_twice() -> None:
    judge = _judge(A)
    key = (PID, START_NS)
    assert _running(judge, 200)
    judge.forget_all_but({key})
    judge.forget_all_but(set())
    # It may just have ended, and its record be on the way.
    assert _running(judge, 300, _never) == []
    judge.forget_all_but({key})
    judge.forget_all_but(set())
    assert _running(judge, 300, _never) == []
    judge.forget_all_but(set())
    assert len(_running(judge, 300)) == 1


@pytest.mark.parametrize(
    "rule",
    [
        _rule("status", match={"status": 200}, duration="100ms"),
        _rule("cpu", cpu="1ns"),
        _rule("memory", memory="1B"),
        _rule("time", function={"name": "mysqli*::*", "time": "1ms"}),
        _rule("all-waits", waits=4),
        _rule("waits", function={"name": "mysqli*::*", "waits": 1}),
    ],
    ids=lambda rule: rule.name,
)
def test_what_is_known_only_at_the_end_is_judged_then(rule: Rule) -> None:
    judge = _judge(rule)
    assert _running(judge, 200, _never) == []
    assert _rules(_ended(judge, 200)) == [rule.name]


@pytest.mark.parametrize("tree", [None, b"too short"])
def test_a_request_is_told_without_a_tree_that_cannot_be_read(
    tree: bytes | None, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.ERROR):
        (running,) = _running(_judge(A), 200, lambda: Snapshot(tree, (), None))
        (finished,) = _ended(_judge(A), 200, tree=tree)
    assert (running.tree, running.last_seen, finished.tree) == (None, None, None)
    assert [record.message.startswith("the call tree of a request is lost") for record in caplog.records] == (
        [True, True] if tree else []
    )


def test_a_worker_that_died_is_told_by_every_rule_about_the_request() -> None:
    judge = _judge(
        A,
        B,
        _rule("here", match={"uri": "/a"}, memory="1GiB"),
        _rule("elsewhere", match={"uri": "/b"}, duration="1ns"),
        _rule("by-status", match={"status": "2xx"}, duration="1ns"),
    )
    assert _rules(_running(judge, 200)) == ["a"]
    found = _ended(judge, 300, died=True, signal=11, flags=layout.REQUEST_LATE)
    assert [(each.rule, len(each.excesses), each.told_running) for each in found] == [
        ("a", 1, True),
        ("b", 0, False),
        ("here", 0, False),
    ]
    assert {(each.state, each.signal) for each in found} == {(State.DIED, 11)}
    seen = found[0].last_seen
    assert seen is not None
    assert seen.frame.function == "mysqli_stmt::execute"


def test_what_is_left_out_by_the_end_of_a_request_is_not_told_before() -> None:
    judge = _judge(_rule("a", match={"not": {"status": 200}}, duration="100ms"))
    assert _running(judge, 200, _never) == []
    assert _ended(judge, 200) == []
    assert _rules(_ended(judge, 200, died=True, flags=layout.REQUEST_LATE)) == ["a"]


def test_breaches_say_what_they_are_counted_under() -> None:
    (running,) = _running(_judge(A), 200)
    assert (running.host, running.route) == plain_place(RUNNING)
    judge = _judge(A)
    judge.place = lambda request: ("h", request.method)
    (finished,) = _ended(judge, 200)
    assert (finished.host, finished.route) == ("h", finished.request.method)


def test_rules_that_were_replaced_do_not_tell_twice() -> None:
    judge = _judge(A)
    assert _rules(_running(judge, 200)) == ["a"]
    judge.rules = RuleSet((A, B))
    assert _rules(_running(judge, 600)) == ["b"]
