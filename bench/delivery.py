"""How breaches are told, and what the daemon takes meanwhile."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from bench.delivery_flood import Flood, flood_section, measure_flood
from bench.delivery_latency import Latency, latency_section, measure_latency
from bench.spread import Spread, spread
from bench.stand import Ground
from bench.tables import at_most, mb, ms, paragraph, percent, table
from bench.watch import QUIET, watched

_READY_GOAL_NS = 1_500_000_000
_CORE_GOAL, _IDLE_GOAL, _MEMORY_GOAL = 1.0, 0.002, 80 * 10**6


@dataclass(frozen=True, slots=True)
class Delivery:
    """How breaches are told.

    Attributes:
        latency: How long it takes.
        flood: What becomes of many.
        ready: How long the daemon takes to be ready, ns.
    """

    latency: Latency
    flood: Flood
    ready: Spread


def measure_delivery(ground: Ground) -> Delivery:
    """Measure everything."""
    return Delivery(measure_latency(ground), measure_flood(ground), _measure_ready(ground))


def _measure_ready(ground: Ground) -> Spread:
    """Start the daemon some times, and return how long it takes until it says that it is ready, ns."""
    taken = []
    for _ in range(ground.effort.starts):
        began = time.monotonic_ns()
        with watched(ground, QUIET):
            taken.append(time.monotonic_ns() - began)
    ready = spread(taken)
    ground.say(f"the daemon is ready after {ms(ready.p50)}, {ms(ready.greatest)} at most")
    return ready


def delivery_section(delivery: Delivery) -> Iterator[str]:
    """Yield the section of the report."""
    yield "## How breaches are told\n"
    yield from latency_section(delivery.latency)
    yield from flood_section(delivery.flood)
    yield from _daemon(delivery.flood, delivery.ready)


def _daemon(flood: Flood, ready: Spread) -> Iterator[str]:
    yield "### The daemon\n"
    yield paragraph(f"""
        Its own CPU time, of all its threads, and memory that is no file's, before, in and after the flood;
        and how long it takes from its start until it watches, the longest of {ready.count} times.
    """)
    yield table(("", "", "goal"), _daemon_rows(flood, ready))


def _daemon_rows(flood: Flood, ready: Spread) -> Sequence[Sequence[str]]:
    return [
        (
            "ready after its start",
            ms(ready.greatest),
            at_most(ready.greatest, _READY_GOAL_NS, ms(_READY_GOAL_NS)),
        ),
        (
            "idle, with all destinations, of a processor",
            percent(flood.idle),
            at_most(flood.idle, _IDLE_GOAL, percent(_IDLE_GOAL)),
        ),
        (
            "in the flood, of a processor",
            percent(flood.core),
            at_most(flood.core, _CORE_GOAL, percent(_CORE_GOAL)),
        ),
        ("memory, at most", mb(flood.most), ""),
        ("memory after the flood", mb(flood.after), at_most(flood.after, _MEMORY_GOAL, mb(_MEMORY_GOAL))),
    ]
