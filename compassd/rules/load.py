"""From a rules file to a RuleSet, or to everything that is wrong with the file."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from pathlib import Path

from pydantic import ValidationError

from compassd.rules.explain import explain
from compassd.rules.match import RuleSet
from compassd.rules.model import RulesFile
from compassd.rules.overrides import override_problems
from compassd.rules.positions import KeyPath, Place, Position, locate
from compassd.rules.problems import Problem, RulesError
from compassd.rules.source import Source, read_source
from compassd.rules.values import KNOWN_DESTINATIONS
from compassd.units import quoted

_HINT = "rules.example.toml shows every kind of rule"


def load_rules(
    path: Path, known_destinations: Collection[str] | None = None, *, sampling: bool = True
) -> RuleSet:
    """Read, check and compile a rules file.

    Args:
        path: The file.
        known_destinations: Names that rules may send to; None leaves the names unchecked.
        sampling: Whether requests have call trees. Without them there may be no budget of waits or functions.

    Raises:
        RulesError: The file cannot be used; carries all the problems found, in the order of the file.
    """
    source = read_source(path, "a rules file", _HINT)
    document, positions = source.parse()
    problems = _name_problems(source, document, positions)
    problems += _override_problems(source, document, positions)
    if not sampling:
        problems += _sampling_problems(source, document, positions)
    try:
        rules_file = RulesFile.model_validate(document, context={KNOWN_DESTINATIONS: known_destinations})
    except ValidationError as error:
        for finding in explain(error):
            position = locate(positions, finding.path)
            place = None if position is None else position.key if finding.at_key else position.value
            problems.append(source.problem(finding.message, place, rule=_rule_label(document, finding.path)))
        raise RulesError(_in_order(problems)) from None
    if problems:
        raise RulesError(_in_order(problems))
    if not rules_file.rule:
        raise RulesError([source.problem("no rules")], hint=_HINT)
    return RuleSet(rules_file.rule, rules_file.route)


def _raw_rules(document: Mapping[str, object]) -> list[Mapping[str, object]]:
    rules = document.get("rule")
    return [rule if isinstance(rule, dict) else {} for rule in rules] if isinstance(rules, list) else []


def _rule_label(document: Mapping[str, object], path: KeyPath) -> str:
    """Return what to call the rule or route that path leads into, "" if it leads into none."""
    if len(path) < 2 or not isinstance(path[1], int):  # noqa: PLR2004 - ("rule", n)
        return ""
    if path[0] == "route":
        return f"route {path[1] + 1}"
    rules = _raw_rules(document)
    name = rules[path[1]].get("name") if path[1] < len(rules) else None
    return f"rule {quoted(name)}" if isinstance(name, str) and name else f"rule {path[1] + 1}"


def _name_problems(
    source: Source, document: Mapping[str, object], positions: Mapping[KeyPath, Position]
) -> list[Problem]:
    """Return a problem for every name used before; on the raw document, so that other problems hide none."""
    first: dict[str, int] = {}
    problems = []
    for number, rule in enumerate(_raw_rules(document)):
        name = rule.get("name")
        if not isinstance(name, str):
            continue
        position = locate(positions, ("rule", number, "name"))
        place = position.value if position else Place(1, 1)
        if name in first:
            message = f"name: {quoted(name)} is already the name of the rule at line {first[name]}"
            problems.append(source.problem(message, place, rule=f"rule {quoted(name)}"))
        else:
            first[name] = place.line
    return problems


def _override_problems(
    source: Source, document: Mapping[str, object], positions: Mapping[KeyPath, Position]
) -> list[Problem]:
    """Return a problem for every rule that overrides what it cannot."""
    problems = []
    for path, message in override_problems(_raw_rules(document)):
        position = locate(positions, path)
        place = position.value if position else None
        problems.append(source.problem(f"overrides: {message}", place, rule=_rule_label(document, path)))
    return problems


def _sampling_problems(
    source: Source, document: Mapping[str, object], positions: Mapping[KeyPath, Position]
) -> list[Problem]:
    """Return a problem for every budget of waits or functions, which nothing would ever exceed."""
    problems = []
    for number, rule in enumerate(_raw_rules(document)):
        budget = rule.get("budget")
        for key, what in (("waits", "waits"), ("function", "functions")):
            if isinstance(budget, dict) and key in budget:
                path = ("rule", number, "budget", key)
                position = locate(positions, path)
                message = (
                    f"budget.{key}: the settings have sampling = false, which leaves {what} unmeasured; "
                    "set sampling = true and restart, or take this budget out"
                )
                place = position.key if position else None
                problems.append(source.problem(message, place, rule=_rule_label(document, path)))
    return problems


def _in_order(problems: list[Problem]) -> list[Problem]:
    return sorted(problems, key=lambda problem: (problem.place or Place(0, 0), problem.message))
