"""Looking at the requests that run."""

from __future__ import annotations

import time

from compassd.breach import Breach
from compassd.judge import Judge
from compassd.kernel.running import RunningRequests
from compassd.kernel.symbols import Symbol
from compassd.kernel.texts import RawText
from compassd.kernel.tree import TreeReader
from compassd.rules.match import RuleSet
from compassd.rules.model import Rule
from compassd.running_watch import RunningWatch
from lab.kernel_records import OTHER, Maps, text_record, tree_record

MS = 1_000_000
NODE = (1, 0, 3, 0, 0, 0xFFFF_FFFF)


def _show(_scope: str, _function: str, text: RawText) -> str:
    return text.raw.decode()


def _judge(**budget: str) -> Judge:
    rule = Rule.model_validate({"name": "slow", "budget": budget or {"duration": "100ms"}})
    names = {1: Symbol("query", "PDO", "", 1)}
    return Judge(RuleSet((rule,)), "web-1", ("ops",), TreeReader(10 * MS, names.get, _show))


def _watch(maps: Maps, **budget: str) -> RunningWatch:
    return RunningWatch(RunningRequests(maps), _judge(**budget))


def _scan(watch: RunningWatch) -> list[Breach]:
    return list(watch.scan(clock_offset_ns=7))


def _begin(maps: Maps, pid: int, ms_ago: int) -> int:
    start_ns = time.monotonic_ns() - ms_ago * MS
    maps.begin(pid, start_ns)
    maps.keep_tree(pid, tree_record(OTHER, NODE, pid=pid, start_ns=start_ns, last=1))
    return start_ns


def test_a_request_over_budget_is_told_with_what_it_waits_for_now() -> None:
    maps = Maps()
    start_ns = _begin(maps, 42, ms_ago=3_000)
    maps.leave(42, start_ns + 2_000 * MS, node=1, has_text=True)
    maps.keep_texts(42, text_record(b"SELECT 1", start_ns=start_ns, node=1))
    (breach,) = _scan(_watch(maps))
    assert 3_000 * MS <= breach.request.duration_ns < 60_000 * MS
    assert breach.request.started_at == start_ns + 7
    assert breach.waiting_ns == breach.request.duration_ns - 2_000 * MS
    seen = breach.last_seen
    assert seen is not None
    assert (seen.frame.function, seen.waited_for, seen.totals.waits) == ("PDO::query", "SELECT 1", 1)
    assert seen.totals.off_ns == breach.waiting_ns


def test_what_is_within_the_smallest_budget_is_not_read() -> None:
    maps = Maps()
    _begin(maps, 42, ms_ago=0)
    assert _scan(_watch(maps, duration="1h")) == []
    assert (maps.starts.looked_up, maps.workers.looked_up) == (0, 0)


def test_without_a_budget_of_time_nothing_is_read() -> None:
    maps = Maps()
    _begin(maps, 42, ms_ago=3_000)
    assert _scan(_watch(maps, memory="1B")) == []
    assert maps.starts.looked_up == 0


def test_a_request_is_told_once_and_its_start_is_read_once() -> None:
    maps = Maps()
    _begin(maps, 42, ms_ago=3_000)
    watch = _watch(maps)
    assert [len(_scan(watch)) for _ in range(3)] == [1, 0, 0]
    assert (maps.starts.looked_up, maps.workers.looked_up) == (1, 1)


def test_the_next_request_of_a_worker_is_another_one() -> None:
    maps = Maps()
    _begin(maps, 42, ms_ago=3_000)
    watch = _watch(maps)
    first, *_ = _scan(watch)
    _begin(maps, 42, ms_ago=1_000)
    second, *_ = _scan(watch)
    assert first.id != second.id
    assert second.request.duration_ns < first.request.duration_ns


def test_one_that_ended_between_two_looks_does_not_hide_the_others() -> None:
    maps = Maps()
    _begin(maps, 42, ms_ago=3_000)
    replaced = _begin(maps, 43, ms_ago=3_000)
    _begin(maps, 44, ms_ago=3_000)
    del maps.starts.entries[42]
    # Its worker has begun another one since the list was made.
    maps.begin(43, replaced + 1)
    maps.requests.entries[43].start_ns = replaced
    assert [breach.request.pid for breach in _scan(_watch(maps))] == [44]


def test_requests_that_have_ended_are_forgotten() -> None:
    maps = Maps()
    start_ns = _begin(maps, 42, ms_ago=3_000)
    watch = _watch(maps)
    assert len(_scan(watch)) == 1
    maps.end(42)
    assert [_scan(watch) for _ in range(2)] == [[], []]
    # The same one again, as only a lost record could bring it back.
    maps.begin(42, start_ns)
    assert len(_scan(watch)) == 1
    assert maps.starts.looked_up == 2
