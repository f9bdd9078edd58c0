"""What a document in Markdown tells its readers to type.

Commands are in code blocks with the language "sh", and in the text, where code begins with one of PROGRAMS.
"""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from lab.errors import LabError

PROGRAMS = frozenset(
    {
        "ansible-galaxy",
        "ansible-playbook",
        "ansible-vault",
        "apt-get",
        "compassd",
        "curl",
        "journalctl",
        "make",
        "phpenmod",
        "systemctl",
    }
)

_HEADING = re.compile(r"#+ +(.+)")
_FENCE = re.compile(r" *```(.*)")
_INDENTED = re.compile(r" {4,}\S")
_INLINE = re.compile(r"`([^`]+)`")
_HERE_DOCUMENT = re.compile(r"<<-?\s*(['\"]?)(\w+)\1")
# A word, and then others: "min_hits", "duration = 1" and "--json" are none of these.
_SEVERAL_WORDS = re.compile(r"[a-z][\w.-]* +[^=\s]")


@dataclass(frozen=True, slots=True)
class Code:
    """Some code in a document.

    Attributes:
        text: The code.
        language: What is written behind the fence of a block, "" for an indented one; None in the text.
    """

    text: str
    language: str | None = None


@dataclass(frozen=True, slots=True)
class Section:
    """What is between two headings.

    Attributes:
        title: The heading; "" before the first one.
        code: All code in it, in order.
    """

    title: str
    code: list[Code] = field(default_factory=list)

    def blocks(self, *languages: str) -> list[str]:
        """Return the code blocks in these languages."""
        return [code.text for code in self.code if code.language in languages]

    def commands(self) -> Iterator[Command]:
        """Yield the commands in it, in order."""
        for code in self.code:
            if code.language == "sh":
                yield from (Command(text) for text in split_commands(code.text))
            elif code.language is None and code.text.split()[0] in PROGRAMS and " " in code.text:
                yield Command(code.text, mentioned=True)

    def quotations(self) -> list[str]:
        """Return code in the text that is several words and no command: what a program says."""
        texts = [code.text for code in self.code if code.language is None]
        return [text for text in texts if _SEVERAL_WORDS.match(text) and text.split()[0] not in PROGRAMS]


@dataclass(frozen=True, slots=True)
class Command:
    """One command, with its here-documents.

    Attributes:
        text: As it is written.
        mentioned: Whether it is in the text, and not in a block.
    """

    text: str
    mentioned: bool = False

    @property
    def words(self) -> list[str]:
        """The words of its first line, without a comment."""
        return shlex.split(self.text.partition("\n")[0], comments=True)

    def is_short_for(self, other: Command) -> bool:
        """Whether the other one begins with it, and goes on."""
        count = len(self.words)
        return len(other.words) > count and other.words[:count] == self.words


def read(text: str) -> list[Section]:
    """Return the sections of a document, in order.

    Raises:
        LabError: Two have the same title, or a code block does not end.
    """
    found = [Section("")]
    prose: list[str] = []

    def take_prose() -> None:
        spans = _INLINE.findall("\n".join(prose))
        found[-1].code.extend(Code(" ".join(span.split())) for span in spans)
        prose.clear()

    lines = iter(text.splitlines())
    for line in lines:
        if fence := _FENCE.fullmatch(line):
            take_prose()
            found[-1].code.append(Code(_block(lines, fence[0]), fence[1].strip()))
        elif heading := _HEADING.fullmatch(line):
            take_prose()
            if any(section.title == heading[1] for section in found):
                raise LabError(f'there are two sections "{heading[1]}"')
            found.append(Section(heading[1]))
        elif _INDENTED.match(line):
            take_prose()
            found[-1].code.append(Code(line.strip(), ""))
        else:
            prose.append(line)
    take_prose()
    return found


def _block(lines: Iterator[str], opening: str) -> str:
    indent = len(opening) - len(opening.lstrip())
    taken: list[str] = []
    for line in lines:
        if line.strip() == "```":
            return "".join(f"{each[indent:]}\n" for each in taken)
        taken.append(line)
    raise LabError(f"the code block {opening.strip()} does not end")


def split_commands(script: str) -> list[str]:
    """Return the commands of a shell script: a line each, with what continues it and its here-documents.

    Raises:
        LabError: A here-document does not end.
    """
    found = []
    lines = iter(script.splitlines())
    for line in lines:
        if not line.strip() or line.lstrip().startswith("#"):
            continue
        taken = [line]
        while taken[-1].endswith("\\"):
            taken.append(next(lines, ""))
        for _, end in _HERE_DOCUMENT.findall("\n".join(taken)):
            taken += _here_document(lines, end)
        found.append("\n".join(taken))
    return found


def _here_document(lines: Iterator[str], end: str) -> list[str]:
    taken = []
    for line in lines:
        taken.append(line)
        if line == end:
            return taken
    raise LabError(f"the here-document {end} does not end")


def plan(sections: Sequence[Section]) -> list[tuple[Section, list[Command]]]:
    """Return what to run in each section, to have run everything.

    Of what the text mentions that is no command that was there before, and none that is only the beginning of
    another one.
    """
    every = [command for section in sections for command in section.commands()]
    seen: list[list[str]] = []
    found = []
    for section in sections:
        chosen = []
        for command in section.commands():
            short = any(command.is_short_for(other) for other in every)
            if not (command.mentioned and (short or command.words in seen)):
                chosen.append(command)
            seen.append(command.words)
        found.append((section, chosen))
    return found
