"""Completion for zsh, by its own _arguments."""

from __future__ import annotations

from collections.abc import Iterator

from tools.completion.tree import Command, Option, Value


def script(root: Command) -> str:
    """Return what zsh reads."""
    lines = ["#compdef compassd", "", "# Completion of compassd for zsh. Made by tools/completion.", ""]
    for command in root.walk():
        lines += [*_function(command), ""]
    lines.append('_compassd "$@"')
    return "\n".join(lines) + "\n"


def _function(command: Command) -> Iterator[str]:
    yield f"{_name(command)}() {{"
    specs = [_option(option) for option in command.options]
    if command.commands:
        yield "    local curcontext=$curcontext state line ret=1"
        yield "    local -a commands=("
        yield from (f"        {_quote(f'{_escape(each.path[-1])}:{each.text}')}" for each in command.commands)
        yield "    )"
        specs += ["'1: :->command'", "'*:: :->arguments'"]
        yield from _arguments(specs, "-C", " && ret=0")
        yield "    case $state in"
        yield "        command) _describe -t commands command commands && ret=0 ;;"
        yield "        arguments)"
        yield "            case $words[1] in"
        for each in command.commands:
            yield f"                {each.path[-1]}) {_name(each)} && ret=0 ;;"
        yield "            esac"
        yield "            ;;"
        yield "    esac"
        yield "    return ret"
    else:
        specs += [_argument(position, value) for position, value in enumerate(command.arguments, 1)]
        yield from _arguments(specs, "-s", "")
    yield "}"


def _arguments(specs: list[str], flag: str, end: str) -> Iterator[str]:
    yield f"    _arguments {flag} \\"
    yield from (f"        {spec} \\" for spec in specs[:-1])
    yield f"        {specs[-1]}{end}"


def _name(command: Command) -> str:
    return "_".join(("_compassd", *command.path))


def _option(option: Option) -> str:
    # Help and version end the command line: nothing goes with them.
    alone = {"--help", "--version"} & set(option.flags)
    others = ["-", "*"] if alone else [*option.excludes, *(option.flags if len(option.flags) > 1 else ())]
    before = f"({' '.join(others)})" if others else ""
    repeats = "*" if option.repeats else ""
    after = f"[{_escape(option.text, '[]')}]"
    equals = "=" if option.value else ""
    if option.value:
        after += _action(option.value)
    flags = option.flags[0] + equals if len(option.flags) == 1 else f"{{{','.join(option.flags)}}}"
    return f"{_quote(before + repeats) if before + repeats else ''}{flags}{_quote(after)}"


def _argument(position: int, value: Value) -> str:
    return _quote(("*" if value.many else str(position)) + _action(value))


def _action(value: Value) -> str:
    if value.files:
        action = "_files"
    elif value.directories:
        action = "_files -/"
    elif value.words:
        action = f"({' '.join(value.words)})"
    else:
        action = ""
    colons = "::" if value.optional and not value.many else ":"
    return f"{colons}{_escape(value.name)}:{action}"


def _escape(text: str, special: str = ":") -> str:
    for character in ("\\", *special):
        text = text.replace(character, f"\\{character}")
    return text


def _quote(text: str) -> str:
    return "'" + text.replace("'", "'\\''") + "'"
