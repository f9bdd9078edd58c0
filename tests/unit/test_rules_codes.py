"""docs/rule-errors.md: every code, each with an example that provokes it and nothing else."""

from __future__ import annotations

import re
import time
from pathlib import Path
from typing import Any

import pytest

from compassd.rules.check import check
from compassd.rules.codes import Code, ProblemSeverity
from compassd.rules.schema import rules_schema
from compassd.rules.source import MAX_FILE_SIZE

DOCUMENT = (Path(__file__).parents[2] / "docs/rule-errors.md").read_text()
_SECTION = re.compile(r"^### (R[0-9]{3}): [^\n]+\n(.*?)(?=^##|\Z)", re.MULTILINE | re.DOTALL)
_EXAMPLE = re.compile(r"^```toml\n(.*?)^```$", re.MULTILINE | re.DOTALL)
SECTIONS = dict(_SECTION.findall(DOCUMENT))
EXAMPLES = {code: found[1] for code, text in SECTIONS.items() if (found := _EXAMPLE.search(text))}
# What no TOML provokes. The last is of the settings: see test_main.
WITHOUT_EXAMPLE = {Code.UNREADABLE, Code.TOO_LARGE, Code.NOT_UTF8, Code.SETTINGS}


def codes(path: Path, *, sampling: bool = True) -> list[str]:
    report = check(path, {"slack", "ops"}, now_ns=time.time_ns(), sampling=sampling)
    return [problem.code for problem in report.problems]


def test_every_code_is_documented_once_and_in_order() -> None:
    assert [code for code, _ in _SECTION.findall(DOCUMENT)] == sorted(Code)
    assert set(EXAMPLES) == set(Code) - WITHOUT_EXAMPLE


@pytest.mark.parametrize("code", EXAMPLES)
def test_the_example_of_a_code_provokes_it_and_nothing_else(code: str, tmp_path: Path) -> None:
    path = tmp_path / "rules.toml"
    path.write_text(EXAMPLES[code])
    assert codes(path, sampling=code != Code.NO_SAMPLING) == [code]


@pytest.mark.parametrize(
    ("content", "code"),
    [(b"#" * (MAX_FILE_SIZE + 1), Code.TOO_LARGE), (b"\xff", Code.NOT_UTF8), (None, Code.UNREADABLE)],
    ids=["large", "no text", "missing"],
)
def test_a_file_that_is_no_text_has_a_code(content: bytes | None, code: Code, tmp_path: Path) -> None:
    path = tmp_path / "rules.toml"
    if content is not None:
        path.write_bytes(content)
    assert codes(path) == [code]


def test_warnings_are_told_from_errors_by_their_codes() -> None:
    warnings = {code for code in Code if code.severity is ProblemSeverity.WARNING}
    assert warnings == {
        Code.NEVER,
        Code.DUPLICATE,
        Code.SHADOWED,
        Code.UNUSED,
        Code.EXPIRED,
        Code.ROUTE_COVERED,
    }


# Where each key is, after a rule that is fine but for it.
_PREFIXES = {
    "Rule": "",
    "Match": "match.",
    "Exclusion": "match.not.",
    "Budget": "budget.",
    "FunctionBudget": "budget.function.",
    "RuleException": "exception.",
}
_TABLES: dict[str, Any] = rules_schema()["$defs"]
_KEYS = [
    *(f"{prefix}{key}" for name, prefix in _PREFIXES.items() for key in _TABLES[name]["properties"]),
    "match.tags.name",
]
_VALUES = [
    "3",
    "-1",
    "2.5",
    "nan",
    "true",
    '""',
    '"\\u0000"',
    "[]",
    "{}",
    "[[]]",
    "[3]",
    "{ x = 1 }",
    "1979-05-27",
]


@pytest.mark.parametrize("value", _VALUES)
@pytest.mark.parametrize("key", _KEYS)
def test_whatever_is_written_for_a_key_is_read_or_refused_in_plain_words(
    key: str, value: str, tmp_path: Path
) -> None:
    path = tmp_path / "rules.toml"
    path.write_text(f"[[rule]]\n{key} = {value}\n[[route]]\n{key.removeprefix('match.')} = {value}\n")
    report = check(path, now_ns=0)
    assert report.problems
    for problem in report.problems:
        assert "nput should be" not in problem.message
        assert problem.place is not None
