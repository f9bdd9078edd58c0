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
        budget = self.budget
        totals = tree.inside(lambda name: self.name.match(name) is not None)
        if budget.time is not None and totals.all_ns > budget.time:
            yield Excess(Metric.FUNCTION_TIME, budget.time, totals.all_ns, budget.name)
        if budget.waits is not None and totals.waits > budget.waits:
            yield Excess(Metric.FUNCTION_WAITS, budget.waits, totals.waits, budget.name)


def compile_budget(budget: FunctionBudget) -> FunctionLimits:
    """Return the budget in the form it is evaluated in."""
    return FunctionLimits(budget, compile_function_glob(budget.name))
