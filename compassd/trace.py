"""Complete function traces of requests: collate the two ring buffers. Pure functions of the records."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

from compassd.kernel.layout import FunctionRecord, RequestRecord
from compassd.request import Request

# About 300 bytes a call. What is over the bound is counted as lost, for the request that it belongs to.
CALLS_MAX = 1_000_000

Key = tuple[int, int]


@dataclass(frozen=True, slots=True)
class Trace:
    """One request with its function calls.

    Attributes:
        request: The request.
        calls: Its calls, in the order in which they began.
        lost: Calls that are missing because a buffer was full.
    """

    request: Request
    calls: tuple[FunctionRecord, ...]
    lost: int


@dataclass(slots=True)
class _Pending:
    calls: list[FunctionRecord] = field(default_factory=list)
    dropped: int = 0


@dataclass(slots=True)
class Collator:
    """Puts the calls of a request together until the request ends.

    Args:
        calls_max: How many calls are kept, of all requests together.
    """

    calls_max: int = CALLS_MAX
    _pending: dict[Key, _Pending] = field(default_factory=dict)
    _kept: int = 0

    def feed(self, calls: Iterable[FunctionRecord], requests: Iterable[RequestRecord]) -> list[Trace]:
        """Take records and return the traces that they complete.

        Args:
            calls: Finished calls; every call of the requests given here or in an earlier feed.
            requests: Finished requests. One whose start was not seen makes no trace: it lacks calls.
        """
        for call in calls:
            self._keep(call)
        traces = [self._finish(record) for record in requests if record.start_seen]
        self._forget_stale(traces)
        return traces

    def _keep(self, call: FunctionRecord) -> None:
        key = (call.pid, call.request_start_ns)
        pending = self._pending.get(key)
        if pending is None:
            pending = self._pending[key] = _Pending()
        if pending.calls and pending.calls[-1] == call:
            return  # attached twice to one file, as containers that share a layer can make it look like two
        if self._kept < self.calls_max:
            self._kept += 1
            pending.calls.append(call)
        else:
            pending.dropped += 1

    def _forget_stale(self, finished: Iterable[Trace]) -> None:
        """Forget what requests left whose end was lost: their worker has begun another one since."""
        newest: dict[int, int] = {}
        for pid, start_ns in (*self._pending, *((t.request.pid, t.request.start_ns) for t in finished)):
            newest[pid] = max(start_ns, newest.get(pid, 0))
        for pid, start_ns in [k for k in self._pending if k[1] < newest[k[0]]]:
            self._kept -= len(self._pending.pop((pid, start_ns)).calls)

    def _finish(self, record: RequestRecord) -> Trace:
        request = record.request
        pending = self._pending.pop((request.pid, request.start_ns), _Pending())
        self._kept -= len(pending.calls)
        # A caller and its callee can begin within the same tick of the clock.
        calls = sorted(pending.calls, key=lambda call: (call.start_ns, call.depth))
        return Trace(request, tuple(calls), record.functions_lost + pending.dropped)
