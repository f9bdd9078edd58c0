"""Completion for bash, which needs nothing but bash itself."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from tools.completion.tree import Command, Value

_HEAD = """\
# Completion of compassd for bash. Made by tools/completion.

_compassd()
{
    local cur=${COMP_WORDS[COMP_CWORD]} prev=${COMP_WORDS[COMP_CWORD - 1]} path="" i
    COMPREPLY=()
    # bash takes --option=value apart.
    if [[ $cur == "=" ]]; then
        cur=""
    elif [[ $prev == "=" ]]; then
        prev=${COMP_WORDS[COMP_CWORD - 2]}
    fi
    for ((i = 1; i < COMP_CWORD; i++)); do
        case "$path ${COMP_WORDS[i]}" in
"""

_TAIL = """\
    esac
}

_compassd_words()
{
    mapfile -t COMPREPLY < <(compgen -W "$2" -- "$1")
}

_compassd_files()
{
    compopt -o filenames
    mapfile -t COMPREPLY < <(compgen "$2" -- "$1")
}

complete -F _compassd compassd
"""


def script(root: Command) -> str:
    """Return what bash reads."""
    return "".join(_script(list(root.walk())))


def _script(commands: list[Command]) -> Iterator[str]:
    yield _HEAD
    yield from _case(12, (_quoted(each) for each in commands if each.path), ['path+=" ${COMP_WORDS[i]}"'])
    yield "        esac\n    done\n"
    yield '    case "$path $prev" in\n'
    same: dict[tuple[str, ...], list[str]] = {}
    for command in commands:
        for option in command.options:
            if option.value:
                flags = [_quoted(command, flag) for flag in option.flags]
                same.setdefault(tuple(_option_value(option.value)), []).extend(flags)
    for body, patterns in same.items():
        yield from _case(8, patterns, body)
    yield "    esac\n"
    yield '    case "$path" in\n'
    for command in commands:
        yield from _case(8, [_quoted(command)], _words_of(command))
    yield _TAIL


def _case(indent: int, patterns: Iterable[str], body: Iterable[str]) -> Iterator[str]:
    margin = " " * indent
    yield f"{margin}{' | '.join(patterns)})\n"
    yield from (f"{margin}    {line}\n" for line in body)
    yield f"{margin}    ;;\n"


def _quoted(command: Command, *more: str) -> str:
    """Return the words that lead to a command as $path holds them: each behind a space."""
    return '"' + "".join(f" {word}" for word in (*command.path, *more)) + '"'


def _option_value(value: Value) -> list[str]:
    lines = [*_complete(value), "return"]
    if value.optional:  # what begins like an option is the next one
        return ["if [[ $cur != -* ]]; then", *(f"    {line}" for line in lines), "fi"]
    return lines


def _words_of(command: Command) -> Iterator[str]:
    flags = " ".join(flag for option in command.options for flag in option.flags)
    yield "if [[ $cur == -* ]]; then"
    yield f'    _compassd_words "$cur" "{flags}"'
    if command.commands:
        yield "else"
        yield f'    _compassd_words "$cur" "{" ".join(each.path[-1] for each in command.commands)}"'
    elif command.arguments and (lines := _complete(command.arguments[0])):
        yield "else"
        yield from (f"    {line}" for line in lines)
    yield "fi"


def _complete(value: Value) -> list[str]:
    if value.files or value.directories:
        return [f'_compassd_files "$cur" {"-f" if value.files else "-d"}']
    return [f'_compassd_words "$cur" "{" ".join(value.words)}"'] if value.words else []
