"""The text of a TOML file that a person writes, read so that every problem can be shown in its place."""

from __future__ import annotations

import re
import tomllib
from dataclasses import dataclass, field
from pathlib import Path

from compassd.regular_file import NotRegularError, read_regular
from compassd.rules.positions import KeyPath, Place, Position, scan
from compassd.rules.problems import Problem, RulesError, file_name

MAX_FILE_SIZE = 1 << 20
"""Bytes. More is no file that a person writes but a mistake in its path."""

_TOML_PLACE = re.compile(r" \(at (?:line ([0-9]+), column ([0-9]+)|end of document)\)$")


@dataclass(frozen=True, slots=True)
class Source:
    """The text of a file.

    Attributes:
        file: What to call it in messages.
        text: All of it.
        lines: Its lines.
    """

    file: str
    text: str
    lines: list[str] = field(init=False)

    def __post_init__(self) -> None:
        """Split the text."""
        # Not splitlines(), which also splits at characters that are no line ends in TOML.
        object.__setattr__(self, "lines", [line.removesuffix("\r") for line in self.text.split("\n")])

    def problem(self, message: str, place: Place | None = None, *, rule: str = "") -> Problem:
        """Return a problem with the line that it is in."""
        line = self.lines[place.line - 1] if place and place.line <= len(self.lines) else ""
        return Problem(file=self.file, message=message, place=place, rule=rule, source=line)

    def parse(self) -> tuple[dict[str, object], dict[KeyPath, Position]]:
        """Return the document, and where everything in it stands.

        Raises:
            RulesError: It is not TOML.
        """
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


def read_source(path: Path, what: str, hint: str) -> Source:
    """Return the text of a file.

    Args:
        path: The file.
        what: What it is, such as "a rules file".
        hint: What to do if there is no such file, in one line.

    Raises:
        RulesError: It cannot be read, or is no text.
    """
    file = file_name(path)
    try:
        # One byte more shows that there is more, without reading all of it.
        raw = read_regular(path, MAX_FILE_SIZE + 1)
    except FileNotFoundError:
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
        raise RulesError([Problem(file=file, message=f"is larger than 1 MiB, too large for {what}")])
    try:
        # An editor's byte order mark is no part of the text.
        return Source(file, raw.decode("utf-8-sig"))
    except UnicodeDecodeError as error:
        before = raw[: error.start].decode("utf-8-sig", "replace")
        place = Place(line=before.count("\n") + 1, column=len(before) - before.rfind("\n"))
        message = f"is not UTF-8: byte 0x{raw[error.start]:02x}"
        raise RulesError([Problem(file=file, message=message, place=place)]) from None
