"""What each rule says of a request, and why."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from compassd.breach import Metric, Severity
from compassd.rules.model import Rule, RuleException


class Outcome(StrEnum):
    """What a rule says of a request."""

    BROKEN = "broken"
    """It exceeds the budget."""
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
        field: The key in the rules file, such as "host", "tags.tenant", or "not" for what is left out.
        seen: What the request has, as it was compared; None if it has none, or if it is not known yet.
        wanted: What the rule wants one of, as written; of "not" the fields that all matched.
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
        exception: The first exception that holds, None if none does.
        overridden_by: Names of the rules that are asked instead, in the order of the file.
        limits: Its limits, if the rule is about the request, whether or not it is asked.
    """

    rule: Rule
    outcome: Outcome
    severity: Severity
    mismatches: tuple[Mismatch, ...] = ()
    exception: RuleException | None = None
    overridden_by: tuple[str, ...] = ()
    limits: tuple[LimitVerdict, ...] = ()
