"""Which rules a request has broken. Nothing here touches anything but its arguments."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from functools import cache

from compassd.breach import Breach, Excess, Metric, breach_id
from compassd.calltree import CallTree
from compassd.request import Request, host_name
from compassd.rules.functions import FunctionLimits, compile_budget
from compassd.rules.glob import compile_glob
from compassd.rules.model import Route, Rule

_PATH_END = re.compile(r"[?#]")

Tree = Callable[[], CallTree | None]
"""Gives a request's call tree, None if there is none. To decode one takes time, and most rules need none."""


@dataclass(frozen=True, slots=True)
class Floors:
    """The smallest budget of each metric over all rules; None: no rule limits it.

    A request that exceeds none of them breaks no rule, whatever the rules match and its functions did.

    Attributes:
        duration_ns: Wall time, ns: of the request, or of functions, which cannot take longer than it.
        cpu_ns: CPU time, ns.
        memory: Peak memory, bytes.
        waits: Waits: of the request, or in functions, in which there are no more than that.
    """

    duration_ns: int | None
    cpu_ns: int | None
    memory: int | None
    waits: int | None


@dataclass(frozen=True, slots=True)
class _Subject:
    """What rules look at, worked out once for a request."""

    path: str
    method: str
    host: str
    status: int | None


@dataclass(frozen=True, slots=True)
class _CompiledRule:
    """A rule in the form it is evaluated in; what is empty matches everything."""

    rule: Rule
    limits: tuple[tuple[Metric, int], ...]
    waits: int | None
    functions: tuple[FunctionLimits, ...]
    paths: tuple[re.Pattern[str], ...]
    methods: frozenset[str]
    hosts: tuple[re.Pattern[str], ...]
    statuses: frozenset[int]

    def excesses(self, actual: dict[Metric, int | None]) -> tuple[Excess, ...]:
        """Return the exceeded limits of the request itself; what is unknown exceeds none."""
        found = []
        for metric, budget in self.limits:
            value = actual[metric]
            if value is not None and value > budget:
                found.append(Excess(metric, budget, value))
        return tuple(found)

    @property
    def needs_tree(self) -> bool:
        """Whether there are limits on what is in the call tree."""
        return self.waits is not None or bool(self.functions)

    def tree_excesses(self, tree: Tree) -> tuple[Excess, ...]:
        """Return the exceeded limits on what is in the call tree; without one there are none."""
        found = tree() if self.needs_tree else None
        if found is None:
            return ()
        waits = found.attributed().waits
        own = () if self.waits is None or waits <= self.waits else (Excess(Metric.WAITS, self.waits, waits),)
        return own + tuple(excess for limits in self.functions for excess in limits.excesses(found))

    def matches(self, subject: _Subject) -> bool:
        # The cheap ones first.
        return (
            (not self.methods or subject.method in self.methods)
            and (not self.statuses or subject.status in self.statuses)
            and (not self.hosts or any(host.match(subject.host) for host in self.hosts))
            and (not self.paths or any(path.match(subject.path) for path in self.paths))
        )


@dataclass(frozen=True)
class RuleSet:
    """All the rules, compiled.

    Attributes:
        rules: In the order of the file, names unique.
        routes: What to call requests, in the order of the file.
    """

    rules: tuple[Rule, ...]
    routes: tuple[Route, ...] = ()
    _compiled: tuple[_CompiledRule, ...] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        """Compile the rules."""
        object.__setattr__(self, "_compiled", tuple(_compile(rule) for rule in self.rules))

    def evaluate(
        self, request: Request, tree: Tree, *, even_within_budget: bool = False
    ) -> list[tuple[Rule, tuple[Excess, ...]]]:
        """Return the rules that match the request and are exceeded by it, in the order of the file.

        With each come its exceeded limits, at least one, in the order of the fields of Budget. A
        late request has no CPU time: it exceeds no cpu limit.

        Args:
            request: A request.
            tree: Asked for by each matching rule that has budgets of waits or functions.
            even_within_budget: Return every rule that matches, also without an exceeded limit.
        """
        subject = _subject(request)
        actual: dict[Metric, int | None] = {
            Metric.DURATION: request.duration_ns,
            Metric.CPU: request.cpu_ns,
            Metric.MEMORY: request.memory_peak,
        }
        broken = []
        for candidate in self._candidates(subject):
            excesses = candidate.excesses(actual)
            # Comparing three numbers is cheaper than matching a path, and that is cheaper than a tree.
            if (excesses or candidate.needs_tree or even_within_budget) and candidate.matches(subject):
                excesses += candidate.tree_excesses(tree)
                if excesses or even_within_budget:
                    broken.append((candidate.rule, excesses))
        return broken

    def floors(self) -> Floors:
        """Return the smallest budget of each metric over all rules."""
        budgets = [rule.budget for rule in self.rules]
        functions = [function for budget in budgets for function in budget.function]
        return Floors(
            duration_ns=_smallest([*(b.duration for b in budgets), *(f.time for f in functions)]),
            cpu_ns=_smallest(budget.cpu for budget in budgets),
            memory=_smallest(budget.memory for budget in budgets),
            waits=_smallest([*(b.waits for b in budgets), *(f.waits for f in functions)]),
        )

    def _candidates(self, _subject: _Subject) -> Iterable[_CompiledRule]:
        """Return the rules that may match, in the order of the file.

        The place for an index, by method, host or the literal beginning of the path: it may return too many
        rules, as evaluate() asks each of them, but never too few.
        """
        return self._compiled


def breaches(  # noqa: PLR0913 - the rules, the request, and what a breach says besides
    ruleset: RuleSet,
    request: Request,
    server: str,
    default_destinations: Sequence[str],
    tree: Tree,
    *,
    even_within_budget: bool = False,
) -> list[Breach]:
    """Return a breach for every rule that the request breaks, in the order of the file.

    Args:
        ruleset: The rules.
        request: A request.
        server: Name of this machine.
        default_destinations: Names of those to tell where a rule names none.
        tree: Where the request's time went; asked once if a rule needs it or is broken, otherwise never.
        even_within_budget: Return a breach for every rule that is about the request.
    """
    tree = cache(tree)
    return [
        Breach(
            id=breach_id(server, request, rule.name),
            rule=rule.name,
            severity=rule.severity,
            destinations=tuple(default_destinations) if rule.destinations is None else rule.destinations,
            server=server,
            request=request,
            excesses=excesses,
            tree=tree(),
        )
        for rule, excesses in ruleset.evaluate(request, tree, even_within_budget=even_within_budget)
    ]


def _compile(rule: Rule) -> _CompiledRule:
    return _CompiledRule(
        rule=rule,
        limits=tuple(
            (metric, limit) for metric, limit in rule.budget.limits.items() if metric is not Metric.WAITS
        ),
        waits=rule.budget.waits,
        functions=tuple(compile_budget(budget) for budget in rule.budget.function),
        paths=tuple(compile_glob(glob) for glob in rule.match.uri),
        methods=frozenset(rule.match.method),
        hosts=tuple(compile_glob(glob) for glob in rule.match.host),
        statuses=frozenset(code for status in rule.match.status for code in _codes(status)),
    )


def _smallest(limits: Iterable[int | None]) -> int | None:
    return min((limit for limit in limits if limit is not None), default=None)


def _codes(status: int | str) -> Iterable[int]:
    """Return the status codes that 404 or "4xx" stands for."""
    if isinstance(status, int):
        return (status,)
    first = int(status[0]) * 100
    return range(first, first + 100)


def _subject(request: Request) -> _Subject:
    return _Subject(
        path=_PATH_END.split(request.uri, maxsplit=1)[0],
        method=request.method.upper(),
        host=host_name(request.host),
        status=request.status,
    )
