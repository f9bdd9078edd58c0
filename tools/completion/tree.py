"""The command line as a tree of commands with their options, read from argparse.

argparse keeps what it was told in attributes without public names; this module alone looks there.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from compassd.__main__ import command_line

_SCHEMAS = Path(__file__).parents[2] / "compassd" / "schemas"


@dataclass(frozen=True, slots=True)
class Value:
    """What an option or an argument takes.

    Attributes:
        name: What it is called in help texts.
        words: What it may be; empty if there are too many.
        files: Whether it is a file.
        directories: Whether it is a directory.
        optional: Whether it may be left out.
        many: Whether there may be several.
    """

    name: str
    words: tuple[str, ...] = ()
    files: bool = False
    directories: bool = False
    optional: bool = False
    many: bool = False


@dataclass(frozen=True, slots=True)
class Option:
    """One option.

    Attributes:
        flags: How it is written, such as ("-h", "--help").
        text: What it is for, in a line.
        value: What it takes, None if it takes nothing.
        excludes: Flags that it does not go with.
        repeats: Whether it may be given several times.
    """

    flags: tuple[str, ...]
    text: str
    value: Value | None
    excludes: tuple[str, ...]
    repeats: bool


@dataclass(frozen=True, slots=True)
class Command:
    """One command, or the program itself.

    Attributes:
        path: The words that lead to it, none for the program itself.
        text: What it is for, in a line.
        options: Its options.
        arguments: What it takes besides them, in order.
        commands: Its own commands.
    """

    path: tuple[str, ...]
    text: str
    options: tuple[Option, ...]
    arguments: tuple[Value, ...]
    commands: tuple[Command, ...]

    def walk(self) -> Iterator[Command]:
        """Yield this command and all below."""
        yield self
        for command in self.commands:
            yield from command.walk()


def read_commands() -> Command:
    """Return the command line of compassd."""
    return _command(command_line(), (), "")


def _command(parser: argparse.ArgumentParser, path: tuple[str, ...], text: str) -> Command:
    options, arguments, commands = [], [], []
    for action in parser._actions:  # noqa: SLF001
        if isinstance(action, argparse._SubParsersAction):  # noqa: SLF001
            texts = {choice.dest: choice.help or "" for choice in action._choices_actions}  # noqa: SLF001
            commands += [_command(each, (*path, name), texts[name]) for name, each in action.choices.items()]
        elif action.option_strings:
            options.append(_option(action, parser))
        else:
            arguments.append(_value(action, path))
    return Command(path, text, tuple(options), tuple(arguments), tuple(commands))


def _option(action: argparse.Action, parser: argparse.ArgumentParser) -> Option:
    flags = tuple(action.option_strings)
    excludes = tuple(
        flag
        for group in parser._mutually_exclusive_groups  # noqa: SLF001
        if action in group._group_actions  # noqa: SLF001
        for other in group._group_actions  # noqa: SLF001
        for flag in other.option_strings
        if other is not action
    )
    value = None if action.nargs == 0 else _value(action, ())
    repeats = isinstance(action, argparse._AppendAction)  # noqa: SLF001
    return Option(flags, action.help or "", value, excludes, repeats)


def _value(action: argparse.Action, path: tuple[str, ...]) -> Value:
    name = action.metavar if isinstance(action.metavar, str) else action.dest.upper()
    words = tuple(map(str, action.choices or ()))
    if path == ("schema",):
        words = tuple(sorted(file.name.removesuffix(".schema.json") for file in _SCHEMAS.iterdir()))
    return Value(
        name=name,
        words=words,
        files=name in ("FILE", "CAPTURE"),
        directories=name == "DIR",
        optional=action.nargs in ("?", "*"),
        many=action.nargs in ("*", "+"),
    )
