"""Budgets of functions, held against a call tree."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

from compassd.breach import Excess, Metric
from compassd.calltree import CallTree
from compassd.rules.function_glob import compile_function_glob
from compassd.rules.model import FunctionBudget


@dataclass(frozen=True, slots=True)
class FunctionLimits:
    """A budget of functions in the form it is evaluated in."""

    budget: FunctionBudget
    name: re.Pattern[str]

    def excesses(self, tree: CallTree) -> Iterator[Excess]:
        """Yield the exceeded limits, the time before the waits."""
        for metric, limit, actual in self.amounts(tree):
            if actual is not None and actual > limit:
                yield Excess(metric, limit, actual, self.budget.name)

    def amounts(self, tree: CallTree | None) -> Iterator[tuple[Metric, int, int | None]]:
        """Yield each limit with what the request took of it, the time before the waits."""
        budget = self.budget
        totals = tree.inside(lambda name: self.name.match(name) is not None) if tree else None
        if budget.time is not None:
            yield Metric.FUNCTION_TIME, budget.time, totals.all_ns if totals else None
        if budget.waits is not None:
            yield Metric.FUNCTION_WAITS, budget.waits, totals.waits if totals else None


def compile_budget(budget: FunctionBudget) -> FunctionLimits:
    """Return the budget in the form it is evaluated in."""
    return FunctionLimits(budget, compile_function_glob(budget.name))
