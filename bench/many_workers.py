"""What many workers take: kernel memory, the daemon's own, and whether a request costs more among them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from bench.bpf_objects import counted_runs, map_bytes, program_runs
from bench.ping_pong import SLEEPING, sleeping_workers
from bench.process import anonymous_bytes, cpu_share
from bench.stand import Stand
from bench.watch import QUIET, watched
from lab.compassd import Compassd
from lab.fastcgi import Call, drive
from lab.php_fpm import PhpFpm

_WAITING = SLEEPING.with_name("waiting.php")
_SLEEP_S = 12
_OBSERVED_S = 5.0
_FEW = 2
_REQUESTS = 2000


@dataclass(frozen=True, slots=True)
class Footprint:
    """What the daemon and its maps take at one moment.

    Attributes:
        maps: Kernel memory of each map, bytes.
        anonymous: The daemon's own memory, bytes.
        cpu_share: The daemon's CPU time over the time observed.
    """

    maps: Mapping[str, int]
    anonymous: int
    cpu_share: float


@dataclass(frozen=True, slots=True)
class ManyWorkers:
    """What many workers take.

    Attributes:
        workers: How many they are.
        idle: Before any of them had a request.
        in_requests: With all of them in a request.
        few: How few they are compared with.
        few_ns: What the eBPF programs took of a request among few workers, ns.
        many_ns: Likewise among many, each of which serves in turn.
    """

    workers: int
    idle: Footprint
    in_requests: Footprint
    few: int
    few_ns: float
    many_ns: float


def measure_many_workers(stand: Stand) -> ManyWorkers:
    """Measure first the memory, then the time."""
    workers = stand.effort.workers
    with PhpFpm(extension=stand.extension, workers=workers) as server, watched(stand, QUIET) as daemon:
        idle = _footprint(daemon)
        with sleeping_workers(server, workers, _SLEEP_S):
            in_requests = _footprint(daemon)
    result = ManyWorkers(
        workers,
        idle,
        in_requests,
        few=_FEW,
        few_ns=_request_ns(stand, _FEW),
        many_ns=_request_ns(stand, workers),
    )
    stand.say(
        f"{workers} workers: a request's eBPF programs took "
        f"{result.few_ns / 1000:.0f} us among {_FEW}, {result.many_ns / 1000:.0f} us among {workers}"
    )
    return result


def _footprint(daemon: Compassd) -> Footprint:
    share = cpu_share(daemon.pid, _OBSERVED_S)
    return Footprint(map_bytes(daemon.pid), anonymous_bytes(daemon.pid), share)


def _request_ns(stand: Stand, workers: int) -> float:
    """Return the run time of the eBPF programs for one request of a small page, ns."""
    calls = [Call(script=_WAITING)] * _REQUESTS
    with PhpFpm(extension=stand.extension, workers=workers) as server, watched(stand, QUIET) as daemon:
        # FPM's workers take turns, so that each has served some.
        drive(server.socket, calls, concurrency=_FEW)
        with counted_runs():
            before = sum(runs.time_ns for runs in program_runs(daemon.pid).values())
            drive(server.socket, calls, concurrency=_FEW)
            after = sum(runs.time_ns for runs in program_runs(daemon.pid).values())
    return (after - before) / len(calls)
