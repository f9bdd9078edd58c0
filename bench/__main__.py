"""Measure everything, or parts, and write docs/benchmarks.md. As root: make bench."""

from __future__ import annotations

import argparse
import os
import signal
import sys
from collections.abc import Callable, Iterable, Mapping, Sequence
from types import FrameType

from bench.bpf_cost import measure_bpf_cost
from bench.configurations import configurations
from bench.delivery import delivery_section, measure_delivery
from bench.document import compose, replaced, section
from bench.errors import BenchError
from bench.machine import describe_machine
from bench.many_workers import measure_many_workers
from bench.paired import measure_overhead
from bench.ping_pong import measure_switch_cost
from bench.report import bpf_section, introduction, many_section, overheads_section, stamp, switch_section
from bench.rule_cost import measure_rule_cost, rule_section
from bench.stand import QUICK, Effort, Ground, Stand, built_ground, built_stand
from bench.watch import WATCHES
from lab.build import ROOT
from lab.errors import LabError

_REPORT = ROOT / "docs" / "benchmarks.md"


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the benchmark and return its exit status."""
    parser = argparse.ArgumentParser(prog="python -m bench", description="Measure what Compass costs.")
    parser.add_argument(
        "--quick", action="store_true", help="only show whether it runs; the figures say nothing"
    )
    parser.add_argument(
        "--only", type=_names, metavar="SECTION,…", help=f"measure only these: {', '.join(_SECTIONS)}"
    )
    options = parser.parse_args(arguments)
    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, _end)
    try:
        old = _REPORT.read_text() if options.only and not options.quick else None
        text = _document(options.only or _SECTIONS, QUICK if options.quick else Effort(), old)
    except (BenchError, LabError) as error:
        sys.stderr.write(f"benchmark failed: {error}\n")
        return 1
    if options.quick:
        print(text)
        return 0
    _REPORT.parent.mkdir(exist_ok=True)
    _REPORT.write_text(text)
    print(f"written to {_REPORT}")
    return 0


def _document(only: Sequence[str], effort: Effort, old: str | None) -> str:
    """Measure, and return the document with what was measured.

    Args:
        only: Names of the sections to measure.
        effort: How much to measure.
        old: The document with the other sections, None for none.
    """
    if os.geteuid() != 0:
        raise BenchError("eBPF takes root; run it as root")
    machine = describe_machine()
    head = introduction(machine)
    # Whether it can be taken over, before minutes are spent.
    old = compose(head, {}) if old is None else replaced(old, head, _SECTIONS, {})
    lines: dict[str, Iterable[str]] = {}
    with built_ground(effort) as ground:
        lines |= {name: measure(ground) for name, measure in _ON_GROUND.items() if name in only}
        if any(name in only for name in _ON_STAND):
            with built_stand(ground) as stand:
                lines |= {name: measure(stand) for name, measure in _ON_STAND.items() if name in only}
    new = {name: section(each, stamp(machine)) for name, each in lines.items()}
    return replaced(old, head, _SECTIONS, new)


def _rules(ground: Ground) -> Iterable[str]:
    return rule_section(measure_rule_cost(ground.effort.rule_rounds, ground.say))


def _delivery(ground: Ground) -> Iterable[str]:
    return delivery_section(measure_delivery(ground))


def _requests(stand: Stand) -> Iterable[str]:
    overheads = [measure_overhead(stand, configuration) for configuration in configurations()]
    return overheads_section(overheads, stand.wiki.version)


def _programs(stand: Stand) -> Iterable[str]:
    return bpf_section([measure_bpf_cost(stand, watch) for watch in WATCHES], stand.wiki.version)


def _switches(stand: Stand) -> Iterable[str]:
    return switch_section(measure_switch_cost(stand))


def _workers(stand: Stand) -> Iterable[str]:
    return many_section(measure_many_workers(stand))


# By the names of their sections, in the order in which they are measured.
_ON_GROUND: Mapping[str, Callable[[Ground], Iterable[str]]] = {"rules": _rules, "delivery": _delivery}
_ON_STAND: Mapping[str, Callable[[Stand], Iterable[str]]] = {
    "switches": _switches,
    "programs": _programs,
    "workers": _workers,
    "requests": _requests,
}
# In the order of the document.
_SECTIONS = ("requests", "programs", "switches", "workers", "delivery", "rules")


def _names(text: str) -> list[str]:
    names = text.split(",")
    if unknown := [name for name in names if name not in _SECTIONS]:
        raise argparse.ArgumentTypeError(f"there is no section {unknown[0]!r}: {', '.join(_SECTIONS)}")
    return names


def _end(number: int, _frame: FrameType | None) -> None:
    # Unwinds the stack, so that everything started is stopped.
    raise SystemExit(128 + number)


if __name__ == "__main__":
    sys.exit(main())
