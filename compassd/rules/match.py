"""Which rules a request has broken. Nothing here touches anything but its arguments."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from functools import cache

from compassd.breach import Breach, Excess, Metric, Severity, State, breach_id
from compassd.request import Request
from compassd.rules.compiled import CompiledRule, Tree, compile_rule
from compassd.rules.index import RuleIndex
from compassd.rules.model import Route, Rule
from compassd.rules.subject import Subject, subject_of

PlaceName = Callable[[Request], tuple[str, str]]
"""Gives the host and the route that a request is counted under."""


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
class Broken:
    """A rule that a request has broken.

    Attributes:
        rule: The rule.
        severity: How bad that is.
        excesses: The exceeded limits, in the order of the fields of Budget.
    """

    rule: Rule
    severity: Severity
    excesses: tuple[Excess, ...]


@dataclass(frozen=True)
class RuleSet:
    """All the rules, compiled.

    Attributes:
        rules: In the order of the file, names unique.
        routes: What to call requests, in the order of the file.
        compiled: The rules in the form they are evaluated in, in the same order.
    """

    rules: tuple[Rule, ...]
    routes: tuple[Route, ...] = ()
    compiled: tuple[CompiledRule, ...] = field(init=False, repr=False, compare=False)
    _index: RuleIndex = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        """Compile the rules."""
        overriding: dict[str, set[str]] = {}
        for rule in self.rules:
            for name in rule.overrides:
                overriding.setdefault(name, set()).add(rule.name)
        compiled = tuple(compile_rule(rule, frozenset(overriding.get(rule.name, ()))) for rule in self.rules)
        object.__setattr__(self, "compiled", compiled)
        object.__setattr__(self, "_index", RuleIndex([rule.match for rule in self.rules]))

    def evaluate(self, request: Request, tree: Tree, state: State = State.FINISHED) -> list[Broken]:
        """Return the rules that the request breaks, in the order of the file.

        A late request has no CPU time: it exceeds no cpu limit. One whose worker died breaks every rule that
        is about it, also without an exceeded limit. One that still runs breaks no rule of which is known only
        at its end whether it is to be asked, and exceeds no limit on what is in the call tree.

        Args:
            request: A request.
            tree: Asked for by each matching rule that has budgets of waits or functions.
            state: What has become of the request.
        """
        subject = subject_of(request, state)
        actual = amounts(request)
        candidates = self.candidates(subject)
        broken = []
        for candidate in candidates:
            excesses = candidate.excesses(actual)
            # Comparing three numbers is cheaper than matching a path, and that is cheaper than a tree.
            needs_tree = candidate.needs_tree and state is not State.RUNNING
            if not (excesses or needs_tree or state is State.DIED):
                continue
            if not candidate.match.matches(subject) or _is_excused(candidate, candidates, subject):
                continue
            if needs_tree:
                excesses += candidate.tree_excesses(tree())
            if excesses or state is State.DIED:
                broken.append(Broken(candidate.rule, candidate.severity(excesses), excesses))
        return broken

    def candidates(self, subject: Subject) -> list[CompiledRule]:
        """Return the rules that may be about a request, in the order of the file: too many, never too few."""
        return [self.compiled[number] for number in self._index.lookup(subject)]

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


def amounts(request: Request) -> dict[Metric, int | None]:
    """Return what a request took of what is known without its call tree."""
    return {
        Metric.DURATION: request.duration_ns,
        Metric.CPU: request.cpu_ns,
        Metric.MEMORY: request.memory_peak,
    }


def overriders(
    rule: CompiledRule, candidates: Iterable[CompiledRule], subject: Subject, *, unknown: bool
) -> list[str]:
    """Return the names of the rules that are asked instead of one that is about the request.

    Args:
        rule: The rule.
        candidates: All rules that may be about the request.
        subject: The request.
        unknown: The answer of a match that depends on what is not known yet.
    """
    return [
        other.rule.name
        for other in candidates
        if other.rule.name in rule.overridden_by and other.match.matches(subject, unknown=unknown)
    ]


def breaches(  # noqa: PLR0913 - the rules, the request, and what a breach says besides
    ruleset: RuleSet,
    request: Request,
    server: str,
    default_destinations: Sequence[str],
    tree: Tree,
    place: PlaceName,
    state: State = State.FINISHED,
) -> list[Breach]:
    """Return a breach for every rule that the request breaks, in the order of the file.

    Args:
        ruleset: The rules.
        request: A request.
        server: Name of this machine.
        default_destinations: Names of those to tell where a rule names none.
        tree: Where the request's time went; asked once if a rule needs it or is broken, otherwise never.
        place: What the request is counted under; asked once if a rule is broken, otherwise never.
        state: What has become of the request.
    """
    tree = cache(tree)
    broken = ruleset.evaluate(request, tree, state)
    if not broken:
        return []
    host, route = place(request)
    return [
        Breach(
            id=breach_id(server, request, each.rule.name),
            rule=each.rule.name,
            severity=each.severity,
            destinations=(
                tuple(default_destinations) if each.rule.destinations is None else each.rule.destinations
            ),
            server=server,
            request=request,
            excesses=each.excesses,
            tree=tree(),
            state=state,
            host=host,
            route=route,
            gate=each.rule.gate,
        )
        for each in broken
    ]


def _is_excused(rule: CompiledRule, candidates: Iterable[CompiledRule], subject: Subject) -> bool:
    """Return whether a rule that is about a request is not asked, or may turn out not to be."""
    if rule.excepted(subject, unknown=True):
        return True
    return bool(rule.overridden_by) and bool(overriders(rule, candidates, subject, unknown=True))


def _smallest(limits: Iterable[int | None]) -> int | None:
    return min((limit for limit in limits if limit is not None), default=None)
