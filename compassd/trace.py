"""Complete function traces of requests: collate the two ring buffers. Pure functions of the records."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

from compassd.kernel.layout import FunctionRecord, RequestRecord
from compassd.request import Request

# About 300 bytes a call: a request that calls more functions than this is told as incomplete.
CALLS_MAX = 500_000

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
        calls_max: How many calls of one request are kept.
    """

    calls_max: int = CALLS_MAX
    _pending: dict[Key, _Pending] = field(default_factory=dict)

    def feed(self, calls: Iterable[FunctionRecord], requests: Iterable[RequestRecord]) -> list[Trace]:
        """Take records and return the traces that they complete.

        Args:
            calls: Finished calls; every call of the requests given here or in an earlier feed.
            requests: Finished requests. One whose start was not seen makes no trace: it lacks calls.
        """
        for call in calls:
            key = (call.pid, call.request_start_ns)
            pending = self._pending.get(key)
            if pending is None:
                self._forget_older(key)
                pending = self._pending[key] = _Pending()
            if len(pending.calls) < self.calls_max:
                pending.calls.append(call)
            else:
                pending.dropped += 1
        return [self._finish(record) for record in requests if record.start_seen]

    def _forget_older(self, key: Key) -> None:
        """Forget what an earlier request of the same worker left: its end was lost."""
        pid, start_ns = key
        for other in [k for k in self._pending if k[0] == pid and k[1] < start_ns]:
            del self._pending[other]

    def _finish(self, record: RequestRecord) -> Trace:
        request = record.request
        pending = self._pending.pop((request.pid, request.start_ns), _Pending())
        # A caller and its callee can begin within the same tick of the clock.
        calls = sorted(pending.calls, key=lambda call: (call.start_ns, call.depth))
        return Trace(request, tuple(calls), record.functions_lost + pending.dropped)
