"""compassd check: is this rules file fit for use?"""

from __future__ import annotations

import json
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TextIO

from compassd.rules.codes import ProblemSeverity
from compassd.rules.load import load_file
from compassd.rules.problems import Problem, RulesError, file_name


@dataclass(frozen=True, slots=True)
class Report:
    """What is to be said of a rules file.

    Attributes:
        file: Its name for messages.
        rules: How many rules it has, 0 if it has errors.
        problems: In the order of the file: errors, or warnings only.
        strict: Whether a warning is as bad as an error.
    """

    file: str
    rules: int
    problems: Sequence[Problem]
    strict: bool = False

    @property
    def ok(self) -> bool:
        """Whether the file is fit for use."""
        return all(
            problem.code.severity is ProblemSeverity.WARNING and not self.strict for problem in self.problems
        )

    def print(self, out: TextIO, err: TextIO) -> None:
        """Write one line on out if the file is fine; on err each problem, with its line of the file."""
        for problem in self.problems:
            print(problem, file=err)
            if problem.excerpt:
                print(problem.excerpt, file=err)
            if problem.hint:
                print(f"hint: {problem.hint}", file=err)
        warnings = sum(problem.code.severity is ProblemSeverity.WARNING for problem in self.problems)
        errors = len(self.problems) - warnings
        counts = [_count(errors, "problem")] if errors else []
        counts += [_count(warnings, "warning")] if warnings else []
        if self.ok:
            print(f"{self.file}: {', '.join([_count(self.rules, 'rule'), *counts, 'ok'])}", file=out)
        else:
            print(f"{self.file}: {', '.join(counts)}", file=err)

    def print_json(self, out: TextIO) -> None:
        """Write the report as one JSON document."""
        document = {
            "ok": self.ok,
            "rules": self.rules,
            "problems": [problem.document() for problem in self.problems],
        }
        json.dump(document, out, indent=2)
        out.write("\n")


def check(
    path: Path,
    known_destinations: Collection[str] | None = None,
    *,
    now_ns: int,
    sampling: bool = True,
    strict: bool = False,
) -> Report:
    """Return what is to be said of a rules file.

    Args:
        path: The rules file.
        known_destinations: Names that rules may send to; None leaves the names unchecked.
        now_ns: When exceptions are compared with their date, Unix time in ns.
        sampling: Whether requests have call trees, which budgets of waits and functions need.
        strict: Whether a warning is as bad as an error.
    """
    try:
        loaded = load_file(path, known_destinations, sampling=sampling)
    except RulesError as error:
        return Report(file_name(path), 0, error.problems, strict)
    warnings = loaded.warnings(known_destinations, now_ns)
    return Report(file_name(path), len(loaded.content.rule), warnings, strict)


def _count(number: int, thing: str) -> str:
    return f"{number} {thing}" if number == 1 else f"{number} {thing}s"
