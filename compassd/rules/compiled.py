"""A rule in the form it is evaluated in."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from compassd.breach import Excess, Metric, Severity
from compassd.calltree import CallTree
from compassd.rules.functions import FunctionLimits, compile_budget
from compassd.rules.matcher import Matcher, compile_match
from compassd.rules.model import Rule, RuleException
from compassd.rules.subject import Subject

Tree = Callable[[], CallTree | None]
"""Gives a request's call tree, None if there is none. To decode one takes time, and most rules need none."""

_WORSE = {Severity.INFO: Severity.WARNING, Severity.WARNING: Severity.CRITICAL}


@dataclass(frozen=True, slots=True)
class CompiledException:
    """An exception in the form it is evaluated in."""

    exception: RuleException
    match: Matcher

    def holds(self, subject: Subject, *, unknown: bool) -> bool:
        """Return whether it excepts a request; unknown is the answer if that is not known yet."""
        expires = self.exception.expires
        return (expires is None or subject.until < expires) and self.match.matches(subject, unknown=unknown)


@dataclass(frozen=True, slots=True)
class CompiledRule:
    """A rule in the form it is evaluated in.

    Attributes:
        rule: As written.
        match: Which requests it is about.
        exceptions: In the order of the file.
        overridden_by: Names of the rules that override it.
        limits: Those that can be compared without the call tree.
        waits: The limit of waits, None without one.
        functions: The limits of functions.
    """

    rule: Rule
    match: Matcher
    exceptions: tuple[CompiledException, ...]
    overridden_by: frozenset[str]
    limits: tuple[tuple[Metric, int], ...]
    waits: int | None
    functions: tuple[FunctionLimits, ...]

    @property
    def needs_tree(self) -> bool:
        """Whether there are limits on what is in the call tree."""
        return self.waits is not None or bool(self.functions)

    def excesses(self, actual: Mapping[Metric, int | None]) -> tuple[Excess, ...]:
        """Return the exceeded limits that need no call tree; what is unknown exceeds none."""
        found = []
        for metric, budget in self.limits:
            value = actual[metric]
            if value is not None and value > budget:
                found.append(Excess(metric, budget, value))
        return tuple(found)

    def tree_excesses(self, tree: CallTree | None) -> tuple[Excess, ...]:
        """Return the exceeded limits on what is in the call tree; without one there are none."""
        if tree is None:
            return ()
        waits = tree.attributed().waits
        own = () if self.waits is None or waits <= self.waits else (Excess(Metric.WAITS, self.waits, waits),)
        return own + tuple(excess for limits in self.functions for excess in limits.excesses(tree))

    def excepted(self, subject: Subject, *, unknown: bool) -> RuleException | None:
        """Return the first exception that holds, or, if unknown is true, that may turn out to."""
        for each in self.exceptions:
            if each.holds(subject, unknown=unknown):
                return each.exception
        return None

    def severity(self, excesses: tuple[Excess, ...]) -> Severity:
        """Return how bad these excesses are."""
        ratio, severity = self.rule.escalate_ratio, self.rule.severity
        if ratio is None or not any(excess.actual >= ratio * excess.budget for excess in excesses):
            return severity
        return _WORSE.get(severity, severity)


def compile_rule(rule: Rule, overridden_by: frozenset[str]) -> CompiledRule:
    """Return a rule in the form it is evaluated in."""
    limits = rule.budget.limits
    return CompiledRule(
        rule=rule,
        match=compile_match(rule.match),
        exceptions=tuple(CompiledException(each, compile_match(each.match)) for each in rule.exceptions),
        overridden_by=overridden_by,
        limits=tuple((metric, limit) for metric, limit in limits.items() if metric is not Metric.WAITS),
        waits=limits.get(Metric.WAITS),
        functions=tuple(compile_budget(budget) for budget in rule.budget.function),
    )
