"""What is wrong with a rules file, each problem with its place."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from compassd.errors import ConfigurationError
from compassd.rules.positions import Place
from compassd.units import quoted

_WIDEST = 100
"""A source line longer than this is shown around the place only."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Problem:
    """One problem.

    Attributes:
        file: The file as the caller named it, harmless to print.
        message: What is wrong, in one line.
        place: Where, None if it concerns the file as a whole.
        rule: The rule's name as shown to people, such as 'rule "checkout"' or "rule 3"; "" outside of rules.
        source: The line of the file at place, "" if there is none.
    """

    file: str
    message: str
    place: Place | None = None
    rule: str = ""
    source: str = ""

    def __str__(self) -> str:
        """Return the problem in one line: file:line:column: rule: message."""
        where = f"{self.file}:{self.place.line}:{self.place.column}" if self.place else self.file
        return ": ".join(part for part in (where, self.rule, self.message) if part)

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
        hint: What the reader can do about it, in one line; empty if there is nothing to say.
    """

    def __init__(self, problems: Sequence[Problem], *, hint: str = "") -> None:
        super().__init__("\n".join(str(problem) for problem in problems), hint=hint)
        self.problems = tuple(problems)


def file_name(path: object) -> str:
    """Return a path for a message; names with unprintable characters are escaped and quoted."""
    name = str(path)
    return name if name.isprintable() else quoted(name, limit=len(name))
