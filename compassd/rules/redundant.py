"""Whether a rule tells anything that another does not tell."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from compassd.rules.cover import MAX_COMPARISONS, covers
from compassd.rules.model import Budget, FunctionBudget, Match, Rule, RuleException


def redundant_rules(rules: Sequence[Rule]) -> Iterator[tuple[int, int, bool]]:
    """Yield the rules that tell nothing new.

    Each as its number, the number of a rule that tells all of it, and whether they tell the same. Of two that
    tell the same, the later is yielded. Where that took more than MAX_COMPARISONS, none is looked for.
    """
    if len(rules) * sum(_size(rule.match) for rule in rules) > MAX_COMPARISONS:
        return
    # What overrides this rule may be asked instead of it, and tell something else.
    overridden = {name for rule in rules for name in rule.overrides}
    for number, rule in enumerate(rules):
        for other_number, other in enumerate(rules):
            if other is rule or other.name in overridden or not tells_all_of(other, rule):
                continue
            same = rule.name not in overridden and tells_all_of(rule, other)
            if not same or other_number < number:
                yield number, other_number, same
                break


def _size(match: Match) -> int:
    """Return how many values there are to compare, at least one."""
    return 1 + sum(max(0, len(getattr(match, field)) - 1) for field in Match.model_fields)


def tells_all_of(strict: Rule, lax: Rule) -> bool:
    """Return whether whatever lax tells, strict tells the same people, at least as severely.

    It must not be overridden itself.
    """
    return (
        _is_within(strict.budget, lax.budget)
        and strict.severity.rank >= lax.severity.rank
        and _escalates_as_soon(strict, lax)
        and _tells_whom(strict, lax)
        and set(lax.overrides) <= set(strict.overrides)
        and (strict.gate == lax.gate or _tells_at_once(strict))
        and covers(strict.match, lax.match)
        and all(
            any(_excepts_all_of(own, exception) for own in lax.exceptions) for exception in strict.exceptions
        )
    )


def _escalates_as_soon(strict: Rule, lax: Rule) -> bool:
    """Return whether strict escalates where lax does; its limits are no greater."""
    if lax.escalate_ratio is None:
        return True
    return strict.escalate_ratio is not None and strict.escalate_ratio <= lax.escalate_ratio


def _is_within(strict: Budget, lax: Budget) -> bool:
    """Return whether what exceeds a limit of lax exceeds one of strict."""
    limits = strict.limits
    return all(metric in limits and limits[metric] <= limit for metric, limit in lax.limits.items()) and all(
        any(_function_is_within(own, each) for own in strict.function) for each in lax.function
    )


def _function_is_within(strict: FunctionBudget, lax: FunctionBudget) -> bool:
    return (
        strict.name == lax.name
        and (lax.time is None or (strict.time is not None and strict.time <= lax.time))
        and (lax.waits is None or (strict.waits is not None and strict.waits <= lax.waits))
    )


def _tells_whom(strict: Rule, lax: Rule) -> bool:
    if strict.destinations is None:
        return True
    return lax.destinations is not None and set(lax.destinations) <= set(strict.destinations)


def _tells_at_once(rule: Rule) -> bool:
    return rule.min_hits == 1 and rule.min_rate is None


def _excepts_all_of(wide: RuleException, narrow: RuleException) -> bool:
    until = wide.expires is None or (narrow.expires is not None and narrow.expires <= wide.expires)
    return until and covers(wide.match, narrow.match)
