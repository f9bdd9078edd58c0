"""The text of a rules file, and where in it everything stands."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from compassd.regular_file import NotRegularError, read_regular
from compassd.rules.codes import Code
from compassd.rules.positions import KeyPath, Place, Position, locate, scan
from compassd.rules.problems import Entry, Finding, Problem, RulesError, file_name

MAX_FILE_SIZE = 1 << 20
"""Bytes. More is no rules file but a mistake in its path."""
NO_RULES_HINT = "rules.example.toml shows every kind of rule"

_TOML_PLACE = re.compile(r" \(at (?:line ([0-9]+), column ([0-9]+)|end of document)\)$")


@dataclass(frozen=True)
class RulesSource:
    """A file that is TOML.

    Attributes:
        file: The name to call it in messages.
        lines: Its text.
        document: What it says, unchecked.
        positions: Where it says so.
    """

    file: str
    lines: tuple[str, ...]
    document: Mapping[str, object]
    positions: Mapping[KeyPath, Position]

    @cached_property
    def rules(self) -> list[Mapping[str, object]]:
        """The [[rule]] tables, unchecked; an empty one in place of what is no table."""
        rules = self.document.get("rule")
        return [rule if isinstance(rule, dict) else {} for rule in rules] if isinstance(rules, list) else []

    def problem(self, finding: Finding) -> Problem:
        """Return a finding with its place in the file."""
        position = locate(self.positions, finding.path)
        place = None if position is None else position.key if finding.at_key else position.value
        return Problem(
            code=finding.code,
            file=self.file,
            message=finding.message,
            place=place,
            entry=self._entry(finding.path),
            source=_line(self.lines, place),
        )

    def _entry(self, path: KeyPath) -> Entry | None:
        """Return the rule or route that path leads into, None if it leads into none."""
        match path:
            case ("route", int(index), *_):
                return Entry("route", index + 1)
            case ("rule", int(index), *_):
                rule = self.rules[index]
                name = rule.get("name")
                return Entry("rule", index + 1, name if isinstance(name, str) else "")
        return None


def read_source(path: Path, hint: str = NO_RULES_HINT) -> RulesSource:
    """Read a file and parse it.

    Args:
        path: The file.
        hint: What to do if there is none, in one line.

    Raises:
        RulesError: It cannot be read, or is no TOML.
    """
    file, text = file_name(path), _read(path, hint)
    # Not splitlines(), which also splits at characters that are no line ends in TOML.
    lines = tuple(line.removesuffix("\r") for line in text.split("\n"))

    def refusal(message: str, place: Place | None = None) -> RulesError:
        source = _line(lines, place)
        return RulesError(
            [Problem(code=Code.NOT_TOML, file=file, message=message, place=place, source=source)]
        )

    try:
        return RulesSource(file, lines, tomllib.loads(text), scan(text))
    except RecursionError:
        raise refusal("is nested too deeply") from None
    except tomllib.TOMLDecodeError as error:
        raise refusal(*_syntax_problem(str(error), lines)) from None
    except ValueError:
        # From int(), which refuses very long numbers in the words of Python's programmers.
        raise refusal("has a number of too many digits") from None


def _line(lines: tuple[str, ...], place: Place | None) -> str:
    return lines[place.line - 1] if place and place.line <= len(lines) else ""


def _syntax_problem(complaint: str, lines: tuple[str, ...]) -> tuple[str, Place | None]:
    """Return what tomllib complains of, and where."""
    found = _TOML_PLACE.search(complaint)
    if found is None:
        return f"is not TOML: {complaint}", None
    # Some of tomllib's messages quote a character as repr() does, so nothing unprintable is in them.
    message = f"is not TOML: {complaint[: found.start()]}"
    if found[1]:
        return message, Place(line=int(found[1]), column=int(found[2]))
    # "At the end" is after the last line that says something.
    line = max((number for number, text in enumerate(lines, 1) if text.strip()), default=1)
    return message, Place(line=line, column=len(lines[line - 1].rstrip()) + 1)


def _read(path: Path, missing: str) -> str:
    def refusal(code: Code, message: str, place: Place | None = None, *, hint: str = "") -> RulesError:
        return RulesError([Problem(code=code, file=file_name(path), message=message, place=place, hint=hint)])

    try:
        # One byte more shows that there is more, without reading all of it.
        raw = read_regular(path, MAX_FILE_SIZE + 1)
    except FileNotFoundError:
        raise refusal(Code.UNREADABLE, "no such file", hint=missing) from None
    except IsADirectoryError:
        raise refusal(Code.UNREADABLE, "is a directory, not a file") from None
    except NotRegularError as error:
        raise refusal(Code.UNREADABLE, f"is {error.strerror}") from None
    except (OSError, ValueError) as error:
        # ValueError: a NUL in the path.
        reason = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
        raise refusal(Code.UNREADABLE, f"cannot be read: {reason}") from None
    if len(raw) > MAX_FILE_SIZE:
        raise refusal(Code.TOO_LARGE, "is larger than 1 MiB, too large for a rules file")
    try:
        # An editor's byte order mark is no part of the text.
        return raw.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        before = raw[: error.start].decode("utf-8-sig", "replace")
        place = Place(line=before.count("\n") + 1, column=len(before) - before.rfind("\n"))
        message = f"is not UTF-8: byte 0x{raw[error.start]:02x}"
        raise refusal(Code.NOT_UTF8, message, place) from None
