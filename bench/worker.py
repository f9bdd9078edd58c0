"""One worker of a PHP-FPM, and what a request takes of its CPU time."""

from __future__ import annotations

import os
import time
from pathlib import Path

from bench.errors import BenchError
from bench.process import cpu_ns
from lab import processes
from lab.fastcgi import Call
from lab.php_fpm import PhpFpm

_OK = 200
_START_S = 10.0
_REST_S = 10.0
_POLL_S = 0.001


class Worker:
    """The only worker of a PHP-FPM, pinned to a processor.

    Args:
        fpm: The running PHP-FPM.
        processor: Number of the processor.
    """

    def __init__(self, fpm: PhpFpm, processor: int) -> None:
        # FPM takes connections before it has started its workers.
        processes.wait_until(lambda: bool(fpm.worker_pids()), timeout=_START_S, what="a worker")
        (self.pid,) = fpm.worker_pids()
        self._fpm = fpm
        # A new worker has nothing to do, and the first system call that it sleeps in is accept(2).
        self._rest = ""
        processes.wait_until(self._sleeps, timeout=_START_S, what="an idle worker")
        os.sched_setaffinity(self.pid, {processor})

    def request(self, call: Call) -> int:
        """Send one request and return the CPU time it took, until the worker waits for the next one, ns."""
        before = cpu_ns(self.pid)
        response = self._fpm.request(call)
        if response.status != _OK:
            raise BenchError(f"{call.uri!r} answered {response.status}: {response.stderr[:500]!r}")
        # The answer is not the end: what the page deferred comes after it, and waits for the database, too.
        deadline = time.monotonic() + _REST_S
        while self._system_call() != self._rest:
            if time.monotonic() > deadline:
                raise BenchError(f"worker {self.pid} is busy {_REST_S:g} s after its answer to {call.uri!r}")
            time.sleep(_POLL_S)
        return cpu_ns(self.pid) - before

    def waits(self) -> int:
        """Return how often it has left the processor of its own accord so far."""
        status = Path(f"/proc/{self.pid}/status").read_text()
        return int(status.partition("\nvoluntary_ctxt_switches:")[2].split()[0])

    def _sleeps(self) -> bool:
        self._rest = self._system_call()
        return self._rest != ""

    def _system_call(self) -> str:
        """Return the number and the first argument of the system call it sleeps in, "" if in none."""
        fields = Path(f"/proc/{self.pid}/syscall").read_text().split()
        return " ".join(fields[:2]) if fields[0].isdigit() else ""
