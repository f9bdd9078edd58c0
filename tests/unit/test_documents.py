"""The documents against the program, and against each other: commands, options, messages, links."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator
from pathlib import Path

import pytest

from compassd.__main__ import command_line
from lab import manual
from lab.build import ROOT
from tools.completion.tree import read_commands

MARKDOWN = sorted(
    file for pattern in ("*.md", "[a-z]*/*.md", "ansible/*/*/*.md") for file in ROOT.glob(pattern)
)
# Those of packages, and what is in files of configuration.
OTHERS = [
    *ROOT.glob("packaging/man/*"),
    *ROOT.glob("packaging/etc/*"),
    ROOT / "packaging/deb/compassd.README.Debian",
    *ROOT.glob("rules.example*.toml"),
]
FLAGS = {
    command.path: {flag for option in command.options for flag in option.flags}
    for command in read_commands().walk()
}

# At the beginning of a line, perhaps of a comment or marked for man, or at the end of one.
LINE = re.compile(r"^(?:\.Ic |# *| *|.*(?:&&|\?) )compassd ([a-z][a-z-]+\b.*)$", re.MULTILINE)
NM = re.compile(r"^\.Nm Cm (.*)$", re.MULTILINE)
DOCTOR = "When nothing is told"


def in_markdown(file: Path) -> Iterator[str]:
    for section in manual.read(file.read_text()):
        for code in section.code:
            lines = code.text.splitlines() if code.language in (None, "", "sh") else []
            found = (re.match(r"(?:.*-m )?\s*compassd ([a-z].*)", line) for line in lines)
            yield from (match[1] for match in found if match)


def in_other(file: Path) -> Iterator[str]:
    yield from LINE.findall(file.read_text())
    yield from NM.findall(file.read_text())


def arguments(line: str) -> list[str]:
    """Return the words of a command without what is the shell's, and without the marks of a synopsis."""
    words = shlex.split(re.sub(r"[][…]", "", line), comments=True)
    operators = [index for index, word in enumerate(words) if word in (">", "|", "&&")]
    return words[: operators[0]] if operators else words


COMMANDS = sorted(
    {(str(file.relative_to(ROOT)), line.strip()) for file in MARKDOWN for line in in_markdown(file)}
    | {(str(file.relative_to(ROOT)), line.strip()) for file in OTHERS for line in in_other(file)}
)


def test_commands_are_found_everywhere() -> None:
    assert {
        "README.md",
        "docs/rule-errors.md",
        "docs/service.md",
        "docs/testing-rules.md",
        "packaging/deb/compassd.README.Debian",
        "packaging/etc/compassd.toml",
        "packaging/etc/rules.toml",
        "packaging/man/compassd-rules.5",
        "packaging/man/compassd.8",
        "rules.example.toml",
    } <= {file for file, _ in COMMANDS}


@pytest.mark.parametrize("line", [pytest.param(line, id=f"{file}: {line}") for file, line in COMMANDS])
def test_a_command_is_understood(line: str) -> None:
    words = arguments(line)
    # It may be named without what it takes.
    if tuple(words) not in FLAGS:
        parse(words)


def parse(words: list[str]) -> None:
    command_line().parse_args(words)
    # argparse would take "--out" for --output.
    path = max((path for path in FLAGS if path == tuple(words[: len(path)])), key=len)
    assert {word for word in words if word.startswith("--")} <= FLAGS[path]


def options() -> list[tuple[str, str]]:
    rows = re.findall(r"^\| `compassd ([^`]+)` \|(.*)$", (ROOT / "README.md").read_text(), re.MULTILINE)
    return [(command, option) for command, text in rows for option in re.findall(r"`(--[^`]+)`", text)]


@pytest.mark.parametrize(("command", "option"), options())
def test_an_option_in_the_table_of_commands_is_one_of_that_command(command: str, option: str) -> None:
    parse(shlex.split(f"{command} {option}"))


def test_the_table_of_commands_has_every_command() -> None:
    (table,) = (each for each in manual.read((ROOT / "README.md").read_text()) if each.title == "Commands")
    named = {command.words[1] for command in table.commands()}
    assert named == {path[0] for path in FLAGS if path}


def test_the_doctor_says_what_the_table_of_troubles_quotes() -> None:
    (table,) = (each for each in manual.read((ROOT / "README.md").read_text()) if each.title == DOCTOR)
    source = "".join(file.read_text() for file in ROOT.glob("compassd/doctor/*.py"))
    assert table.quotations()
    assert [text for text in table.quotations() if text not in source] == []


@pytest.mark.parametrize("file", MARKDOWN, ids=lambda file: str(file.relative_to(ROOT)))
def test_links_lead_somewhere(file: Path) -> None:
    for target in re.findall(r"\]\((?!https?:)([^)\s]+)\)", file.read_text()):
        path, _, anchor = target.partition("#")
        there = file.parent / path if path else file
        assert there.exists(), target
        assert not anchor or anchor in anchors(there), target


def anchors(file: Path) -> set[str]:
    titles = re.findall(r"^#+ +(.+)$", file.read_text(), re.MULTILINE)
    return {re.sub(r"[^\w -]", "", title).lower().replace(" ", "-") for title in titles}
