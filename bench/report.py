"""Sections of docs/benchmarks.md: what was measured, on what and how."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from bench.bpf_cost import BpfCost
from bench.configurations import PLAIN
from bench.machine import Machine
from bench.many_workers import ManyWorkers
from bench.paired import Overhead
from bench.ping_pong import SwitchCost
from bench.tables import interval, kib, ms, ns, paragraph, percent, table, us, verdict
from bench.watch import EVERY_REQUEST_OVER, QUIET, WITHOUT_SAMPLING

BPF_GOAL = 0.005

_WATCHES = {
    WITHOUT_SAMPLING: "sampling off",
    QUIET: "with call trees",
    EVERY_REQUEST_OVER: "with call trees, every request over budget",
}
# Maps that are smaller and do not grow are not worth a line.
_SHOWN_BYTES = 2**20


def introduction(machine: Machine) -> str:
    """Return what is said of the machine and its software."""
    rows = [
        ("processor", machine.processor),
        ("memory", machine.memory),
        ("virtual machine", machine.virtualization),
        ("kernel", machine.kernel),
        ("distribution", machine.distribution),
        ("PHP", machine.php),
        ("MariaDB", machine.database),
    ]
    return "\n".join(
        (
            "# What Compass costs\n",
            paragraph(
                "Written by `make bench`, as a whole or part by part; change nothing by hand. All parts were"
                " measured on this machine:"
            ),
            table(("where", ""), rows, texts=2),
        )
    )


def stamp(machine: Machine) -> str:
    """Return what is said of when something was measured, and of which Compass."""
    return paragraph(
        f"Measured on {machine.date}, Compass {machine.compass}. Load of the machine before: {machine.load}."
    )


def overheads_section(overheads: Sequence[Overhead], mediawiki: str) -> Iterator[str]:
    """Yield the section on CPU time, by configuration, plain PHP among them."""
    yield "## CPU time of a request, as a ratio to plain PHP\n"
    yield paragraph(f"""
        The application is MediaWiki {mediawiki}.
        Two PHP-FPMs stand side by side, plain PHP and what is measured, each with opcache and one worker,
        both workers pinned to one processor. Every request goes to both, one right after the other, in random
        order; what it took is read from the worker's CPU clock before and after. Pages: an article, its
        history, the recent changes, an old revision (which is parsed anew) and a search. In every round both
        servers are new. Means leave out the greatest and the least tenth: of the times of a page, of the
        ratios of the rounds. The interval (95 %) is bootstrapped over rounds and pairs. The first row is the
        noise floor.
    """)
    noise = next(overhead.ratio for overhead in overheads if overhead.configuration == PLAIN)
    rows = []
    for overhead in overheads:
        goal = overhead.configuration.goal
        decimals = 4 if overhead.configuration.is_near_one else 2
        rows.append(
            (
                overhead.configuration.name,
                f"{overhead.ratio.value:.{decimals}f}",
                interval(overhead.ratio, decimals),
                f"{sum(map(len, overhead.rounds))}",
                f"{len(overhead.rounds)}",
                f"<= {goal}: {verdict(overhead.ratio, goal, noise)}" if goal else "",
            )
        )
    yield table(("configuration", "ratio", "interval", "pairs", "rounds", "goal"), rows)
    yield paragraph("""
        What the worker's clock does not show: the kernel closes a worker's account before it tells of the
        switch away from it, so looking where a worker begins to wait is charged to whoever runs next. The
        next section has everything.
    """)


def bpf_section(costs: Sequence[BpfCost], mediawiki: str) -> Iterator[str]:
    """Yield the section on the eBPF programs, by way of watching."""
    yield "## Run time of the eBPF programs\n"
    yield paragraph(f"""
        The application is MediaWiki {mediawiki}.
        The kernel's own count (`kernel.bpf_stats_enabled`) of all runs of all programs of compassd, on all
        processors, whomever they interrupted, over the CPU time of the requests. The clock that is read for
        the count is in the figures. What is not: the traps of two probes a request, and the timer's
        interrupts.
    """)
    rows = []
    for cost in costs:
        total = cost.total
        reached = "reached" if total.share <= BPF_GOAL else "missed"
        rows.append(
            (
                _WATCHES[cost.watch],
                ms(total.cpu_ns / total.requests),
                us(total.bpf_ns / total.requests),
                percent(total.share),
                f"<= {percent(BPF_GOAL)}: {reached}" if cost.watch == QUIET else "",
            )
        )
    yield table(("attached", "a request", "programs", "share", "goal"), rows)
    for cost in costs:
        if cost.watch == QUIET:
            yield from _pages(cost)
            yield from _programs(cost)
        if cost.walks:
            walks = cost.walks
            yield paragraph(f"""
                Of requests over budget compassd tells how it looked: {walks.count:.1f} walks of the stack a
                request, {us(walks.mean_ns)} each, and {walks.nodes:.0f} nodes in the call tree.
            """)


def _pages(cost: BpfCost) -> Iterator[str]:
    yield "With call trees, by page:\n"
    rows = [
        (
            page.page,
            ms(page.cpu_ns / page.requests),
            f"{page.waits / page.requests:.1f}",
            us(page.bpf_ns / page.requests),
            percent(page.share),
        )
        for page in (*cost.pages, cost.total)
    ]
    yield table(("page", "a request", "waits", "programs", "share"), rows)


def _programs(cost: BpfCost) -> Iterator[str]:
    yield "By program; a run includes the stages that it calls:\n"
    total = cost.total
    rows = [
        (
            f"`{name}`",
            f"{runs.count / total.requests:.1f}",
            us(runs.time_ns / runs.count),
            us(runs.time_ns / total.requests),
            percent(runs.time_ns / total.cpu_ns),
        )
        for name, runs in sorted(total.programs.items(), key=lambda each: -each[1].time_ns)
        if runs.count
    ]
    yield table(("program", "runs a request", "a run", "a request", "share"), rows)


def switch_section(cost: SwitchCost) -> Iterator[str]:
    """Yield the section on context switches."""
    yield "## The rest of the machine: context switches\n"
    yield paragraph("""
        Two processes that have nothing to do with PHP pass a byte to and fro through pipes, on one processor,
        without compassd and with it in turn.
    """)
    rows = [
        (what, ns(estimate.value), f"{interval(estimate, 0)} ns")
        for what, estimate in (
            ("a switch, nobody attached", cost.without),
            ("attached, no request running: more", cost.idle),
            (f"attached, {cost.workers} workers in requests: more", cost.busy),
        )
    ]
    yield table(("", "time", "interval"), rows)


def many_section(many: ManyWorkers) -> Iterator[str]:
    """Yield the section on many workers."""
    yield f"## {many.workers} workers\n"
    yield paragraph(f"""
        Kernel memory of compassd's maps, before any worker had a request and with all {many.workers} in one.
        A worker keeps its tree until it ends.
    """)
    rows = [
        (f"`{name}`", kib(many.idle.maps[name]), kib(size), kib(size - many.idle.maps[name]))
        for name, size in sorted(many.in_requests.maps.items(), key=lambda each: -each[1])
        if size >= _SHOWN_BYTES
    ]
    idle, in_requests = (sum(footprint.maps.values()) for footprint in (many.idle, many.in_requests))
    rows.append(("all, smaller ones too", kib(idle), kib(in_requests), kib(in_requests - idle)))
    yield table(("map", "idle", "in requests", "more"), rows)
    yield paragraph(f"""
        That is {kib((in_requests - idle) / many.workers)} a worker. compassd itself has
        {kib(many.idle.anonymous)} of anonymous memory when idle and {kib(many.in_requests.anonymous)} with
        all workers in requests, and takes {percent(many.idle.cpu_share)} and
        {percent(many.in_requests.cpu_share)} of a processor.
    """)
    yield paragraph(f"""
        A request of a small page that waits 21 times, the workers serving in turn: the eBPF programs take
        {us(many.few_ns)} among {many.few} workers, {us(many.many_ns)} among {many.workers}.
    """)
