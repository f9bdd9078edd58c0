"""Measure everything and write docs/benchmarks.md. As root: make bench."""

from __future__ import annotations

import argparse
import os
import signal
import sys
from collections.abc import Sequence
from types import FrameType

from bench.bpf_cost import measure_bpf_cost
from bench.configurations import configurations
from bench.errors import BenchError
from bench.machine import describe_machine
from bench.many_workers import measure_many_workers
from bench.paired import measure_overhead
from bench.ping_pong import measure_switch_cost
from bench.report import Results, report
from bench.rule_cost import measure_rule_cost
from bench.stand import QUICK, Effort, built_stand
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
    options = parser.parse_args(arguments)
    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, _end)
    try:
        text = _measure(QUICK if options.quick else Effort())
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


def _measure(effort: Effort) -> str:
    if os.geteuid() != 0:
        raise BenchError("eBPF takes root; run it as root")
    machine = describe_machine()
    rules = measure_rule_cost(effort.rule_rounds, print)
    with built_stand(effort) as stand:
        stand.say(f"MediaWiki {stand.wiki.version} is installed")
        switch = measure_switch_cost(stand)
        bpf_costs = [measure_bpf_cost(stand, watch) for watch in WATCHES]
        many = measure_many_workers(stand)
        overheads = [measure_overhead(stand, configuration) for configuration in configurations()]
        return report(
            Results(
                machine=machine,
                mediawiki=stand.wiki.version,
                overheads=overheads,
                bpf_costs=bpf_costs,
                switch=switch,
                many=many,
                rules=rules,
            )
        )


def _end(number: int, _frame: FrameType | None) -> None:
    # Unwinds the stack, so that everything started is stopped.
    raise SystemExit(128 + number)


if __name__ == "__main__":
    sys.exit(main())
