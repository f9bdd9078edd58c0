"""What the hook on context switches costs everybody else: two processes pass a byte to and fro."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Self

from bench.ratios import Estimate, estimate_mean
from bench.stand import Stand
from bench.watch import QUIET, watched
from lab.fastcgi import Call, send
from lab.php_fpm import PhpFpm

SLEEPING = Path(__file__).resolve().parent / "php" / "sleeping.php"

_BATCHES = 40
_ROUND_TRIPS = 2000
# Each there and back.
_SWITCHES = 2 * _ROUND_TRIPS
_WORKERS = 50
_WORKERS_SLEEP_S = 5


@dataclass(frozen=True, slots=True)
class SwitchCost:
    """Time of a context switch between two processes that are no workers, ns.

    Attributes:
        without: Nobody attached.
        idle: How much more it is with compassd attached and no request running.
        busy: How much more it is with compassd attached and workers in requests.
        workers: How many workers those are.
    """

    without: Estimate
    idle: Estimate
    busy: Estimate
    workers: int = _WORKERS


class PingPong:
    """Two processes on one processor, this one and a child; as a context manager the child is gone on exit.

    Args:
        processor: Number of the processor.
    """

    def __init__(self, processor: int) -> None:
        self._processor = processor

    def __enter__(self) -> Self:
        """Start the child."""
        there, here = os.pipe(), os.pipe()
        self._child = os.fork()
        if self._child == 0:
            os.close(there[1])
            _echo(there[0], here[1], self._processor)
        os.close(there[0])
        os.close(here[1])
        self._read, self._write = here[0], there[1]
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """End the child: it reads the end of the file."""
        os.close(self._write)
        os.close(self._read)
        os.waitpid(self._child, 0)

    def switch_ns(self) -> float:
        """Return the time of a switch, both processes' work for it included, ns.

        Of some batches the least: whatever else the machine does can only add to it.
        """
        before = os.sched_getaffinity(0)
        os.sched_setaffinity(0, {self._processor})
        try:
            return min(self._batch() for _ in range(_BATCHES))
        finally:
            os.sched_setaffinity(0, before)

    def _batch(self) -> float:
        started = time.monotonic_ns()
        for _ in range(_ROUND_TRIPS):
            os.write(self._write, b"x")
            os.read(self._read, 1)
        return (time.monotonic_ns() - started) / _SWITCHES


def measure_switch_cost(stand: Stand) -> SwitchCost:
    """Measure without and with the daemon in turn."""
    without, idle, busy = [], [], []
    # The child first: a process that has threads is better not forked.
    with PingPong(stand.processor) as ping_pong:
        for _ in range(stand.effort.ping_pong_rounds):
            without.append(ping_pong.switch_ns())
            with PhpFpm(extension=stand.extension, workers=_WORKERS) as server, watched(stand, QUIET):
                idle.append(ping_pong.switch_ns())
                with sleeping_workers(server, _WORKERS, _WORKERS_SLEEP_S):
                    busy.append(ping_pong.switch_ns())
            stand.say(
                f"a switch: {without[-1]:.0f} ns, attached {idle[-1]:.0f} ns, "
                f"with {_WORKERS} workers in requests {busy[-1]:.0f} ns"
            )
    return SwitchCost(
        without=estimate_mean(without),
        idle=estimate_mean(_differences(idle, without)),
        busy=estimate_mean(_differences(busy, without)),
    )


@contextmanager
def sleeping_workers(server: PhpFpm, workers: int, seconds: int) -> Iterator[None]:
    """Have so many workers in a request that sleeps so many seconds, and let them finish in the end."""
    call = Call(script=SLEEPING, uri=f"/sleeping.php?seconds={seconds}")
    with ThreadPoolExecutor(workers) as pool:
        requests = [pool.submit(send, server.socket, call) for _ in range(workers)]
        time.sleep(1.0)
        yield
        for request in requests:
            request.result()


def _echo(read: int, write: int, processor: int) -> None:
    """Send back every byte until the other side has closed; never return."""
    try:
        os.sched_setaffinity(0, {processor})
        while byte := os.read(read, 1):
            os.write(write, byte)
    finally:
        os._exit(0)


def _differences(values: Sequence[float], base: Sequence[float]) -> list[float]:
    return [value - without for value, without in zip(values, base, strict=True)]
