"""What is wrong with a rules file, each problem with its place."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from compassd.errors import ConfigurationError
from compassd.rules.codes import Code, ProblemSeverity
from compassd.rules.positions import KeyPath, Place
from compassd.units import quoted

_WIDEST = 100
"""A source line longer than this is shown around the place only."""


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing wrong with a document, before it is known where that stands in the file.

    Attributes:
        code: The kind of problem.
        path: Of the value concerned, or of the table around it; it may go deeper than the document does.
        at_key: Whether to point to the key rather than to its value.
        message: What is wrong, in one line, beginning with the key inside of its rule.
    """

    code: Code
    path: KeyPath
    at_key: bool
    message: str


@dataclass(frozen=True, slots=True)
class Entry:
    """One of the tables that a rules file consists of, as people know it.

    Attributes:
        kind: The table's name, such as "rule".
        number: The how manieth of its kind it is, from 1.
        name: What it says its name is, as written; "" if it says none.
    """

    kind: str
    number: int
    name: str = ""

    def __str__(self) -> str:
        """Return 'rule "checkout"', or "rule 3" for one without a name."""
        return f"{self.kind} {quoted(self.name) if self.name else self.number}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Problem:
    """One problem.

    Attributes:
        code: Its kind.
        file: The file as the caller named it, harmless to print.
        message: What is wrong, in one line.
        place: Where, None if it concerns the file as a whole.
        entry: The rule it is in, None outside of rules.
        source: The line of the file at place, "" if there is none.
        hint: What to do about it if the message does not say so, in one line.
    """

    code: Code
    file: str
    message: str
    place: Place | None = None
    entry: Entry | None = None
    source: str = ""
    hint: str = ""

    def __str__(self) -> str:
        """Return the problem in one line: file:line:column: rule: message [code]."""
        where = f"{self.file}:{self.place.line}:{self.place.column}" if self.place else self.file
        kind = "warning" if self.code.severity is ProblemSeverity.WARNING else ""
        entry = str(self.entry) if self.entry else ""
        return ": ".join(part for part in (where, kind, entry, self.message) if part) + f" [{self.code}]"

    def document(self) -> dict[str, str | int | None]:
        """Return the problem for programs: what is not known is None, and the hint is left out."""
        document: dict[str, str | int | None] = {
            "code": self.code,
            "severity": self.code.severity,
            "file": self.file,
            "line": self.place.line if self.place else None,
            "column": self.place.column if self.place else None,
            "rule": (self.entry.name or None) if self.entry and self.entry.kind == "rule" else None,
            "message": self.message,
        }
        return document | {"hint": self.hint} if self.hint else document

    @property
    def excerpt(self) -> str:
        """The line of the file with a caret under the place, two lines; "" if there is none to show."""
        if self.place is None or not self.source.strip():
            return ""
        column = min(self.place.column - 1, len(self.source))
        start = max(0, column - _WIDEST // 2) if len(self.source) > _WIDEST else 0
        before = _one_column_each(self.source[start:column])
        line = before + _one_column_each(self.source[column : start + _WIDEST])
        return f"    {line.rstrip()}\n    {' ' * len(before)}^"


def _one_column_each(text: str) -> str:
    """Replace what does not print as one column, such as a tab, so that a caret below it stays in place."""
    return "".join(c if c.isprintable() else " " if c == "\t" else "\N{REPLACEMENT CHARACTER}" for c in text)


class RulesError(ConfigurationError):
    """A rules file that cannot be used.

    Its text holds all the problems, one a line, so that nobody who prints it hides any.

    Args:
        problems: At least one, in the order of the file.
    """

    def __init__(self, problems: Sequence[Problem]) -> None:
        hint = next((problem.hint for problem in problems if problem.hint), "")
        super().__init__("\n".join(str(problem) for problem in problems), hint=hint)
        self.problems = tuple(problems)


def in_order(problems: Iterable[Problem]) -> list[Problem]:
    """Return problems in the order of the file, those of the file as a whole first."""
    return sorted(problems, key=lambda problem: (problem.place or Place(0, 0), problem.message))


def file_name(path: object) -> str:
    """Return a path for a message; names with unprintable characters are escaped and quoted."""
    name = str(path)
    return name if name.isprintable() else quoted(name, limit=len(name))
