"""From a rules file to a RuleSet, or to everything that is wrong with the file."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from pydantic import ValidationError

from compassd.regular_file import NotRegularError, read_regular
from compassd.rules.explain import explain
from compassd.rules.match import RuleSet
from compassd.rules.model import RulesFile
from compassd.rules.overrides import override_problems
from compassd.rules.positions import KeyPath, Place, Position, locate, scan
from compassd.rules.problems import Problem, RulesError, file_name
from compassd.rules.values import KNOWN_DESTINATIONS
from compassd.units import quoted

MAX_FILE_SIZE = 1 << 20
"""Bytes. More is no rules file but a mistake in its path."""

_TOML_PLACE = re.compile(r" \(at (?:line ([0-9]+), column ([0-9]+)|end of document)\)$")


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
    source = _Source(file_name(path), _read(path))
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
        raise RulesError([source.problem("no rules")], hint="rules.example.toml shows every kind of rule")
    return RuleSet(rules_file.rule, rules_file.route)


def _read(path: Path) -> str:
    file = file_name(path)
    try:
        # One byte more shows that there is more, without reading all of it.
        raw = read_regular(path, MAX_FILE_SIZE + 1)
    except FileNotFoundError:
        hint = "rules.example.toml shows every kind of rule"
        raise RulesError([Problem(file=file, message="no such file")], hint=hint) from None
    except IsADirectoryError:
        raise RulesError([Problem(file=file, message="is a directory, not a file")]) from None
    except NotRegularError as error:
        raise RulesError([Problem(file=file, message=f"is {error.strerror}")]) from None
    except (OSError, ValueError) as error:
        # ValueError: a NUL in the path.
        reason = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
        raise RulesError([Problem(file=file, message=f"cannot be read: {reason}")]) from None
    if len(raw) > MAX_FILE_SIZE:
        raise RulesError([Problem(file=file, message="is larger than 1 MiB, too large for a rules file")])
    try:
        # An editor's byte order mark is no part of the text.
        return raw.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        before = raw[: error.start].decode("utf-8-sig", "replace")
        place = Place(line=before.count("\n") + 1, column=len(before) - before.rfind("\n"))
        message = f"is not UTF-8: byte 0x{raw[error.start]:02x}"
        raise RulesError([Problem(file=file, message=message, place=place)]) from None


@dataclass(frozen=True, slots=True)
class _Source:
    """The text of a file, and the name to call the file in messages."""

    file: str
    text: str
    lines: list[str] = field(init=False)

    def __post_init__(self) -> None:
        # Not splitlines(), which also splits at characters that are no line ends in TOML.
        object.__setattr__(self, "lines", [line.removesuffix("\r") for line in self.text.split("\n")])

    def problem(self, message: str, place: Place | None = None, *, rule: str = "") -> Problem:
        line = self.lines[place.line - 1] if place and place.line <= len(self.lines) else ""
        return Problem(file=self.file, message=message, place=place, rule=rule, source=line)

    def parse(self) -> tuple[dict[str, object], dict[KeyPath, Position]]:
        try:
            return tomllib.loads(self.text), scan(self.text)
        except RecursionError:
            raise RulesError([self.problem("is nested too deeply")]) from None
        except tomllib.TOMLDecodeError as error:
            raise RulesError([self._syntax_problem(str(error))]) from None
        except ValueError:
            # From int(), which refuses very long numbers in the words of Python's programmers.
            raise RulesError([self.problem("has a number of too many digits")]) from None

    def _syntax_problem(self, complaint: str) -> Problem:
        found = _TOML_PLACE.search(complaint)
        if found is None:
            return self.problem(f"is not TOML: {complaint}")
        # Some of tomllib's messages quote a character as repr() does, so nothing unprintable is in them.
        message = f"is not TOML: {complaint[: found.start()]}"
        if found[1]:
            return self.problem(message, Place(line=int(found[1]), column=int(found[2])))
        # "At the end" is after the last line that says something.
        line = max((number for number, text in enumerate(self.lines, 1) if text.strip()), default=1)
        return self.problem(message, Place(line=line, column=len(self.lines[line - 1].rstrip()) + 1))


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
    source: _Source, document: Mapping[str, object], positions: Mapping[KeyPath, Position]
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
    source: _Source, document: Mapping[str, object], positions: Mapping[KeyPath, Position]
) -> list[Problem]:
    """Return a problem for every rule that overrides what it cannot."""
    problems = []
    for path, message in override_problems(_raw_rules(document)):
        position = locate(positions, path)
        place = position.value if position else None
        problems.append(source.problem(f"overrides: {message}", place, rule=_rule_label(document, path)))
    return problems


def _sampling_problems(
    source: _Source, document: Mapping[str, object], positions: Mapping[KeyPath, Position]
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
