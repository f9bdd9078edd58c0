"""Watch the budgets of requests while they run."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from functools import partial

from compassd.breach import Breach
from compassd.judge import Judge, Key
from compassd.kernel.layout import decode_request
from compassd.kernel.running import RunningRequests
from compassd.request import Request


@dataclass(slots=True)
class RunningWatch:
    """Scans the in-flight table.

    Most requests are over before anybody looks, so what is known of one is read only once it has exceeded the
    smallest budget of all rules, and its call tree only when there is something to tell.

    Args:
        requests: The kernel's tables.
        judge: Judges what is found.
    """

    requests: RunningRequests
    judge: Judge
    _known: dict[Key, Request] = field(default_factory=dict)

    def scan(self, clock_offset_ns: int) -> Iterator[Breach]:
        """Yield the breaches of running requests that were not told before.

        Args:
            clock_offset_ns: Unix time minus CLOCK_MONOTONIC, ns.
        """
        floor_ns = self.judge.rules.floors().duration_ns
        if floor_ns is None:
            return
        now_ns = time.monotonic_ns()
        keys = self.requests.keys()
        for pid, start_ns in keys:
            duration_ns = now_ns - start_ns
            if duration_ns <= floor_ns:
                continue
            request = self._request(pid, start_ns, clock_offset_ns)
            if request is None:
                continue
            look = partial(self.requests.snapshot, pid, start_ns, now_ns)
            yield from self.judge.running(replace(request, duration_ns=duration_ns), look)
        running = set(keys)
        self.judge.forget_all_but(running)
        for key in self._known.keys() - running:
            del self._known[key]

    def _request(self, pid: int, start_ns: int, clock_offset_ns: int) -> Request | None:
        if (pid, start_ns) not in self._known:
            record = self.requests.start(pid, start_ns)
            if record is None:
                return None
            self._known[pid, start_ns] = decode_request(record, clock_offset_ns).request
        return self._known[pid, start_ns]
