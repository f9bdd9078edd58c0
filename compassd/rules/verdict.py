"""What each rule says of a request, and why."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum
from functools import cache

from compassd.breach import Metric, Severity, State
from compassd.calltree import CallTree
from compassd.request import Request
from compassd.rules.compiled import CompiledRule, Tree
from compassd.rules.match import RuleSet, amounts, overriders
from compassd.rules.matcher import FieldTest, Matcher
from compassd.rules.model import Rule, RuleException
from compassd.rules.subject import Subject, subject_of


class Outcome(StrEnum):
    """What a rule says of a request."""

    BROKEN = "broken"
    """It exceeds the budget, or its worker died in it."""
    WITHIN = "within"
    """The rule is about it, and it is within the budget."""
    NO_MATCH = "no match"
    """The rule is not about it."""
    EXCEPTED = "excepted"
    """The rule is about it, and an exception holds."""
    OVERRIDDEN = "overridden"
    """The rule is about it, and so is one that overrides it."""
    LATER = "later"
    """It still runs, and only at its end is known whether the rule is to be asked."""


@dataclass(frozen=True, slots=True)
class Mismatch:
    """One reason why a rule is not about a request.

    Attributes:
        field: The key in the rules file, such as "host", "tags.tenant", "not.uri" for what is left out.
        seen: What the request has, as it was compared; None if it has none, or if it is not known yet.
        wanted: What the rule wants one of, as written; with "not." it is the request that matches.
    """

    field: str
    seen: str | None
    wanted: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class LimitVerdict:
    """One limit of a rule that is about a request.

    Attributes:
        metric: What is limited.
        budget: The limit, in the metric's unit.
        actual: What the request took; None if it is not known.
        function: Of a limit of functions the glob for their names; otherwise "".
    """

    metric: Metric
    budget: int
    actual: int | None
    function: str = ""

    @property
    def is_exceeded(self) -> bool:
        """Whether the request took more."""
        return self.actual is not None and self.actual > self.budget


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """What one rule says of one request.

    Attributes:
        rule: The rule.
        outcome: In one word.
        severity: Of the breach, if it is broken: one step above the rule's where it escalates.
        mismatches: Why the rule is not about the request; empty if it is.
        exception: The first exception that holds, or, if the outcome is "later", that may turn out to.
        overridden_by: Names of the rules that are asked instead, likewise; in the order of the file.
        limits: Its limits, if the rule is about the request, whether or not it is asked.
    """

    rule: Rule
    outcome: Outcome
    severity: Severity
    mismatches: tuple[Mismatch, ...] = ()
    exception: RuleException | None = None
    overridden_by: tuple[str, ...] = ()
    limits: tuple[LimitVerdict, ...] = ()


def explain(ruleset: RuleSet, request: Request, tree: Tree, state: State = State.FINISHED) -> list[Verdict]:
    """Return what each rule says of a request, in the order of the file.

    The rules that it breaks are those that RuleSet.evaluate() returns.

    Args:
        ruleset: The rules.
        request: A request.
        tree: Its call tree; asked for once if a rule needs it.
        state: What has become of the request.
    """
    subject = subject_of(request, state)
    tree = cache(tree)
    candidates = ruleset.candidates(subject)
    return [_verdict(rule, candidates, request, subject, tree, state) for rule in ruleset.compiled]


def _verdict(  # noqa: PLR0913 - what explain() has, and one rule
    rule: CompiledRule,
    candidates: Sequence[CompiledRule],
    request: Request,
    subject: Subject,
    tree: Tree,
    state: State,
) -> Verdict:
    if not rule.match.matches(subject):
        later = rule.match.matches(subject, unknown=True)
        outcome = Outcome.LATER if later else Outcome.NO_MATCH
        mismatches = tuple(_mismatches(rule.match, subject))
        return Verdict(rule=rule.rule, outcome=outcome, severity=rule.rule.severity, mismatches=mismatches)
    found = tree() if rule.needs_tree and state is not State.RUNNING else None
    limits = tuple(_limits(rule, request, found))
    excesses = rule.excesses(amounts(request)) + rule.tree_excesses(found)
    exception = rule.excepted(subject, unknown=True)
    names = tuple(overriders(rule, candidates, subject, unknown=True))
    if overriders(rule, candidates, subject, unknown=False):
        outcome = Outcome.OVERRIDDEN
    elif rule.excepted(subject, unknown=False):
        outcome = Outcome.EXCEPTED
    elif exception or names:
        outcome = Outcome.LATER
    elif excesses or state is State.DIED:
        outcome = Outcome.BROKEN
    else:
        outcome = Outcome.WITHIN
    return Verdict(
        rule=rule.rule,
        outcome=outcome,
        severity=rule.severity(excesses),
        exception=exception,
        overridden_by=names,
        limits=limits,
    )


def _mismatches(match: Matcher, subject: Subject) -> Iterator[Mismatch]:
    for test in match.fields:
        if not test.holds(subject, unknown=False):
            yield Mismatch(test.field, _seen(test, subject), test.wanted)
    for exclusion in match.exclusions:
        if all(test.holds(subject, unknown=True) for test in exclusion):
            for test in exclusion:
                yield Mismatch(f"not.{test.field}", _seen(test, subject), test.wanted)


def _seen(test: FieldTest, subject: Subject) -> str | None:
    return None if test.is_late and subject.is_running else test.seen(subject)


def _limits(rule: CompiledRule, request: Request, tree: CallTree | None) -> Iterator[LimitVerdict]:
    actual = amounts(request)
    for metric, budget in rule.limits:
        yield LimitVerdict(metric, budget, actual[metric])
    if rule.waits is not None:
        yield LimitVerdict(Metric.WAITS, rule.waits, tree.attributed().waits if tree else None)
    for limits in rule.functions:
        for metric, budget, took in limits.amounts(tree):
            yield LimitVerdict(metric, budget, took, limits.budget.name)
