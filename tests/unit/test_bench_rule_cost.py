from __future__ import annotations

import pytest

from bench.ratios import Estimate
from bench.rule_cost import COUNTS, RuleCost, make_request, make_rules, rule_section


@pytest.mark.parametrize("place", range(8))
def test_a_request_breaks_a_general_rule_and_that_of_its_place(place: int) -> None:
    broken = make_rules(100).evaluate(make_request(place), lambda: None)
    assert [each.rule.name for each in broken] == ["rule-0", f"rule-{place + 3}"]


def test_there_are_as_many_rules_as_asked_for() -> None:
    assert [len(make_rules(count).rules) for count in COUNTS] == list(COUNTS)


def test_the_section_has_a_row_for_each_number_of_rules() -> None:
    estimates = {count: Estimate(2_500.0, 2_400.0, 2_600.0) for count in COUNTS}
    ratios = {count: Estimate(1.25, 1.2, 1.3) for count in COUNTS}
    there = {1_000: Estimate(3_000.0, 2_900.0, 3_100.0)}
    text = "\n".join(rule_section(RuleCost(estimates, there, ratios, Estimate(1.0, 0.99, 1.01))))
    assert "| 100 | 2.5 us | 2.4 to 2.6 us | 1.25 |  |  |" in text
    assert "| 1,000 | 2.5 us | 2.4 to 2.6 us | 1.25 | 3.0 us | 2.9 to 3.1 us |" in text
    assert "0.990 to 1.010" in " ".join(text.split())
