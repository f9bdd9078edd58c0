"""The exact figure: how long the eBPF programs run, by the kernel's own count."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from bench.bpf_objects import Runs, counted_runs, program_runs
from bench.stand import Stand
from bench.watch import Watch, check_seen, watched
from bench.worker import Worker
from lab.compassd import Compassd


@dataclass(frozen=True, slots=True)
class PageCost:
    """What all requests of one page took.

    Attributes:
        page: Which.
        requests: How many.
        cpu_ns: Their CPU time, ns.
        waits: How often the worker left the processor of its own accord.
        programs: What the programs did on the whole machine in the meantime, by their names.
    """

    page: str
    requests: int
    cpu_ns: int
    waits: int
    programs: Mapping[str, Runs]

    @property
    def bpf_ns(self) -> int:
        """How long the programs ran, ns."""
        return sum(runs.time_ns for runs in self.programs.values())

    @property
    def share(self) -> float:
        """The programs' time over the requests' CPU time."""
        return self.bpf_ns / self.cpu_ns


@dataclass(frozen=True, slots=True)
class Walks:
    """How stacks were walked, by what compassd tells of requests over budget.

    Attributes:
        count: Walks of a request, on average.
        mean_ns: What one took, ns.
        nodes: Nodes of a request's tree, on average.
    """

    count: float
    mean_ns: float
    nodes: float


@dataclass(frozen=True, slots=True)
class BpfCost:
    """What the programs cost under one way of watching.

    Attributes:
        watch: How.
        pages: By page.
        walks: If compassd told of the requests.
    """

    watch: Watch
    pages: Sequence[PageCost]
    walks: Walks | None

    @property
    def total(self) -> PageCost:
        """All pages together."""
        programs: defaultdict[str, Runs] = defaultdict(Runs)
        for page in self.pages:
            for name, runs in page.programs.items():
                programs[name] += runs
        return PageCost(
            "all pages",
            requests=sum(page.requests for page in self.pages),
            cpu_ns=sum(page.cpu_ns for page in self.pages),
            waits=sum(page.waits for page in self.pages),
            programs=programs,
        )


def measure_bpf_cost(stand: Stand, watch: Watch) -> BpfCost:
    """Let a worker serve every page, one page after the other, while the kernel counts."""
    with watched(stand, watch) as daemon, stand.server(extension=stand.extension) as server:
        worker = Worker(server, stand.processor)
        stand.warm_up(worker)
        with counted_runs():
            pages = [_page(stand, daemon, worker, page) for page in stand.wiki.pages]
        requests = sum(page.requests for page in pages)
        check_seen(daemon, watch, requests)
        walks = _walks(_trees(stand, daemon)[-requests:]) if watch.is_exceeded else None
    cost = BpfCost(watch, pages, walks)
    stand.say(f"eBPF programs, budget {watch.budget}: {cost.total.share:.2%} of the requests' CPU time")
    return cost


def _page(stand: Stand, daemon: Compassd, worker: Worker, page: str) -> PageCost:
    waits_before, before = worker.waits(), program_runs(daemon.pid)
    cpu_ns = sum(worker.request(stand.wiki.pages[page]) for _ in range(stand.effort.bpf_requests))
    after = program_runs(daemon.pid)
    return PageCost(
        page,
        requests=stand.effort.bpf_requests,
        cpu_ns=cpu_ns,
        waits=worker.waits() - waits_before,
        programs={name: runs - before.get(name, Runs()) for name, runs in after.items()},
    )


def _trees(stand: Stand, daemon: Compassd) -> list[dict[str, Any]]:
    """Return the call trees that the daemon told of the wiki's requests, in their order."""
    scripts = {str(call.script) for call in stand.wiki.pages.values()}
    return [breach["call_tree"] for breach in daemon.breaches() if breach["request"]["script"] in scripts]


def _walks(trees: Sequence[dict[str, Any]]) -> Walks:
    walks = sum(tree["walks"] for tree in trees)
    return Walks(
        count=walks / len(trees),
        mean_ns=sum(tree["walk_ns"] for tree in trees) / walks,
        nodes=sum(len(tree["nodes"]) for tree in trees) / len(trees),
    )
