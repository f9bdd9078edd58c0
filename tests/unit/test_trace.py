"""Collating function calls with their requests."""

from __future__ import annotations

from compassd.kernel.layout import FunctionRecord, RequestRecord
from compassd.request import Request
from compassd.trace import Collator


def _call(pid: int, request: int, start: int, name: str = "f", depth: int = 0) -> FunctionRecord:
    return FunctionRecord(pid, request, start, 5, depth, name, "", 0)


def _end(pid: int, start: int, *, lost: int = 0, seen: bool = True) -> RequestRecord:
    request = Request(
        pid=pid,
        start_ns=start,
        started_at=0,
        duration_ns=1,
        cpu_ns=1,
        memory_peak=0,
        status=200,
        id="id",
        method="GET",
        host="",
        uri="/",
        script="",
    )
    return RequestRecord(request, lost, seen, function_probes=True)


def test_calls_come_in_the_order_they_began() -> None:
    collator = Collator()
    collator.feed([_call(1, 10, 30, "late"), _call(1, 10, 20, "early")], [])
    (trace,) = collator.feed([_call(1, 10, 20, "earlier", depth=-1)], [_end(1, 10)])
    assert [call.name for call in trace.calls] == ["earlier", "early", "late"]
    assert trace.lost == 0


def test_requests_of_different_workers_do_not_mix() -> None:
    collator = Collator()
    calls = [_call(1, 10, 11, "one"), _call(2, 10, 12, "two")]
    one, two = collator.feed(calls, [_end(1, 10), _end(2, 10)])
    assert [call.name for call in one.calls] == ["one"]
    assert [call.name for call in two.calls] == ["two"]


def test_calls_left_by_a_request_whose_end_was_lost_are_forgotten() -> None:
    collator = Collator()
    collator.feed([_call(1, 10, 11, "orphan")], [])
    (trace,) = collator.feed([_call(1, 20, 21, "own")], [_end(1, 20)])
    assert [call.name for call in trace.calls] == ["own"]
    assert not collator._pending


def test_two_requests_of_one_worker_in_one_batch_keep_their_calls() -> None:
    calls = [_call(1, 10, 11, "first"), _call(1, 20, 21, "second")]
    first, second = Collator().feed(calls, [_end(1, 10), _end(1, 20)])
    assert [call.name for call in first.calls] == ["first"]
    assert [call.name for call in second.calls] == ["second"]


def test_a_call_told_twice_is_one() -> None:
    (trace,) = Collator().feed([_call(1, 10, 11)] * 2 + [_call(1, 10, 12)] * 2, [_end(1, 10)])
    assert [call.start_ns for call in trace.calls] == [11, 12]


def test_the_bound_is_for_all_requests_together_and_room_comes_back() -> None:
    collator = Collator(calls_max=3)
    collator.feed([_call(1, 10, n) for n in range(2)], [])
    (two,) = collator.feed([_call(2, 10, n) for n in range(2)], [_end(2, 10)])
    assert (len(two.calls), two.lost) == (1, 1)
    (again,) = collator.feed([_call(2, 20, 1)], [_end(2, 20)])
    assert (len(again.calls), again.lost) == (1, 0)


def test_a_request_without_calls_makes_an_empty_trace() -> None:
    (trace,) = Collator().feed([], [_end(1, 10)])
    assert trace.calls == ()


def test_a_request_whose_start_was_not_seen_makes_none() -> None:
    assert Collator().feed([], [_end(1, 10, seen=False)]) == []


def test_calls_over_the_bound_are_counted_with_those_the_kernel_lost() -> None:
    collator = Collator(calls_max=2)
    (trace,) = collator.feed([_call(1, 10, n) for n in range(5)], [_end(1, 10, lost=4)])
    assert len(trace.calls) == 2
    assert trace.lost == 3 + 4
