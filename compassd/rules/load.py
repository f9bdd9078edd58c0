"""From a rules file to a RuleSet, or to everything that is wrong with the file."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from dataclasses import dataclass
from pathlib import Path

from pydantic import ValidationError

from compassd.rules.codes import Code
from compassd.rules.explain import explain
from compassd.rules.lint import lint
from compassd.rules.match import RuleSet
from compassd.rules.model import RulesFile
from compassd.rules.overrides import override_problems
from compassd.rules.positions import KeyPath, locate
from compassd.rules.problems import Finding, Problem, RulesError, in_order
from compassd.rules.source import NO_RULES_HINT, RulesSource, read_source
from compassd.rules.values import KNOWN_DESTINATIONS
from compassd.units import quoted


@dataclass(frozen=True, slots=True)
class LoadedRules:
    """A rules file without an error.

    Attributes:
        ruleset: The rules, compiled.
        content: What the file says.
        source: Where it says so.
    """

    ruleset: RuleSet
    content: RulesFile
    source: RulesSource

    def warnings(self, known_destinations: Collection[str] | None, now_ns: int) -> list[Problem]:
        """Return what is hardly meant so, in the order of the file; see lint()."""
        return in_order(
            self.source.problem(finding) for finding in lint(self.content, known_destinations, now_ns)
        )


def load_rules(
    path: Path, known_destinations: Collection[str] | None = None, *, sampling: bool = True
) -> RuleSet:
    """Read, check and compile a rules file; see load_file()."""
    return load_file(path, known_destinations, sampling=sampling).ruleset


def load_file(
    path: Path, known_destinations: Collection[str] | None = None, *, sampling: bool = True
) -> LoadedRules:
    """Read, check and compile a rules file, and keep where everything stands in it.

    Args:
        path: The file.
        known_destinations: Names that rules may send to; None leaves the names unchecked.
        sampling: Whether requests have call trees. Without them there may be no budget of waits or functions.

    Raises:
        RulesError: The file cannot be used; carries all the problems found, in the order of the file.
    """
    source = read_source(path)
    findings = list(_names_twice(source))
    for where, message in override_problems(source.rules):
        findings.append(Finding(Code.OVERRIDES, where, at_key=False, message=f"overrides: {message}"))
    if not sampling:
        findings += _unmeasured(source)
    try:
        content = RulesFile.model_validate(source.document, context={KNOWN_DESTINATIONS: known_destinations})
    except ValidationError as error:
        findings += explain(error)
    if findings:
        raise RulesError(in_order(source.problem(finding) for finding in findings))
    if not content.rule:
        problem = Problem(code=Code.NO_RULES, file=source.file, message="no rules", hint=NO_RULES_HINT)
        raise RulesError([problem])
    return LoadedRules(RuleSet(content.rule, content.route), content, source)


def _names_twice(source: RulesSource) -> Iterator[Finding]:
    """Yield every name used before; from the raw document, so that other problems hide none."""
    first: dict[str, int] = {}
    for number, rule in enumerate(source.rules):
        name = rule.get("name")
        if not isinstance(name, str):
            continue
        path = ("rule", number, "name")
        if name in first:
            message = f"name: {quoted(name)} is already the name of the rule at line {first[name]}"
            yield Finding(Code.NAME_TWICE, path, at_key=False, message=message)
        else:
            position = locate(source.positions, path)
            first[name] = position.value.line if position else 1


def _unmeasured(source: RulesSource) -> Iterator[Finding]:
    """Yield every budget of waits or functions, which without sampling nothing would ever exceed."""
    for number, rule in enumerate(source.rules):
        budget = rule.get("budget")
        for key, what in (("waits", "waits"), ("function", "functions")):
            if isinstance(budget, dict) and key in budget:
                path: KeyPath = ("rule", number, "budget", key)
                message = (
                    f"budget.{key}: the settings have sampling = false, which leaves {what} unmeasured; "
                    "set sampling = true and restart, or take this budget out"
                )
                yield Finding(Code.NO_SAMPLING, path, at_key=True, message=message)
