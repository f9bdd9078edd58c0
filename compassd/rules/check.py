"""compassd check: is this rules file fit for use?"""

from __future__ import annotations

from collections.abc import Collection
from pathlib import Path
from typing import TextIO

from compassd.rules.load import load_rules
from compassd.rules.problems import RulesError, file_name


def check(
    path: Path,
    known_destinations: Collection[str] | None,
    out: TextIO,
    err: TextIO,
    *,
    sampling: bool = True,
) -> int:
    """Say on out that the rules file is fine, or on err everything that is wrong with it and where.

    Args:
        path: The rules file.
        known_destinations: Names that rules may send to; None leaves the names unchecked.
        out: Gets one line if the file is fine.
        err: Gets each problem, with its line of the file, then their count.
        sampling: Whether requests have call trees, which budgets of waits and functions need.

    Returns:
        The exit status: 0 if the file is fine, 1 if not.
    """
    try:
        ruleset = load_rules(path, known_destinations, sampling=sampling)
    except RulesError as error:
        for problem in error.problems:
            print(problem, file=err)
            if problem.excerpt:
                print(problem.excerpt, file=err)
        if error.hint:
            print(f"hint: {error.hint}", file=err)
        print(f"{file_name(path)}: {_count(len(error.problems), 'problem')}", file=err)
        return 1
    print(f"{file_name(path)}: {_count(len(ruleset.rules), 'rule')}, ok", file=out)
    return 0


def _count(number: int, thing: str) -> str:
    return f"{number} {thing}" if number == 1 else f"{number} {thing}s"
