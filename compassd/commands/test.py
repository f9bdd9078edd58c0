"""`compassd test`: do rules tell what they should, and keep silent where they should?"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TextIO

from compassd.commands.trial_rules import EVERY_DESTINATION
from compassd.errors import CompassError
from compassd.rules.load import load_rules
from compassd.rules.problems import RulesError, file_name
from compassd.trial.load_cases import load_cases
from compassd.trial.run_cases import Failure, run_case
from compassd.units import quoted


def test(files: Sequence[Path], rules: Path | None, out: TextIO, err: TextIO) -> int:
    """Run the tests in files, and return the exit status: 0 if all of them passed.

    Args:
        files: Files of tests; one that is broken keeps none of the others from running.
        rules: The rules to test, None for those that each file names.
        out: Gets a line for each file that passed, and each failure.
        err: Gets what is wrong with files.
    """
    passed = [_run_file(path, rules, out, err) for path in files]
    return 0 if all(passed) else 1


def _run_file(path: Path, rules: Path | None, out: TextIO, err: TextIO) -> bool:
    try:
        loaded = load_cases(path)
        destinations = loaded.cases.destinations
        ruleset = load_rules(rules or path.parent / loaded.cases.rules, destinations)
        results = [
            run_case(loaded, number, ruleset, destinations or EVERY_DESTINATION)
            for number in range(len(loaded.cases.tests))
        ]
    except CompassError as error:
        _print_error(error, err)
        return False
    for failures in results:
        out.writelines(map(_text, failures))
    failed = sum(bool(failures) for failures in results)
    count = f"{len(results)} {'test' if len(results) == 1 else 'tests'}"
    out.write(f"{file_name(path)}: {count}, {f'{failed} failed' if failed else 'ok'}\n")
    return not failed


def _text(failure: Failure) -> str:
    got = "\n              ".join(failure.got)
    return (
        f"{failure.place}: test {quoted(failure.test)} failed\n"
        f"    expected  {failure.expected}\n"
        f"    got       {got}\n"
    )


def _print_error(error: CompassError, err: TextIO) -> None:
    problems = error.problems if isinstance(error, RulesError) else ()
    for problem in problems:
        print(problem, file=err)
        if problem.excerpt:
            print(problem.excerpt, file=err)
    if not problems:
        print(error, file=err)
    if error.hint:
        print(f"hint: {error.hint}", file=err)
