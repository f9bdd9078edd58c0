"""Completion, in the shells themselves: a pseudo-terminal, a line, and the tabulator.

What is wanted has to appear on the terminal within 20 s.
"""

from __future__ import annotations

import os
import pty
import re
import select
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tools.completion.__main__ import main
from tools.completion.tree import read_commands

_ESCAPES = re.compile(r"\x1b\[[0-9;?]*[a-zA-Z]|\x1b[=>]|[\r\x07\x00]|.\x08")
_READY = "ready>"


class Shell:
    """An interactive shell on a terminal of its own."""

    def __init__(self, command: list[str], directory: Path, environment: dict[str, str]) -> None:
        self._terminal, theirs = pty.openpty()
        self._process = subprocess.Popen(
            command,
            stdin=theirs,
            stdout=theirs,
            stderr=theirs,
            cwd=directory,
            env={"PATH": os.environ["PATH"], "LC_ALL": "C.UTF-8", "HOME": str(directory), **environment},
            start_new_session=True,
        )
        os.close(theirs)

    def run(self, line: str) -> None:
        """Run a line and wait for its end."""
        os.write(self._terminal, f"{line}; echo {_READY[:3]}''{_READY[3:-1]}'>'\n".encode())
        self._read(_READY)

    def complete(self, line: str, *wanted: str) -> None:
        """Type a line and the tabulator twice, and wait until all that is wanted is on the terminal."""
        os.write(self._terminal, f"{line}\t\t".encode())
        self._read(*wanted)

    def close(self) -> None:
        """End the shell."""
        self._process.kill()
        self._process.wait()
        os.close(self._terminal)

    def _read(self, *wanted: str) -> None:
        shown, end = "", time.monotonic() + 20
        while missing := [text for text in wanted if text not in shown]:
            left = end - time.monotonic()
            assert left > 0, f"no {missing} in {shown!r}"
            if select.select([self._terminal], [], [], left)[0]:
                shown = _ESCAPES.sub("", shown + os.read(self._terminal, 65536).decode(errors="replace"))


@pytest.fixture(scope="module")
def scripts(tmp_path_factory: pytest.TempPathFactory) -> Path:
    directory = tmp_path_factory.mktemp("completion")
    main(directory)
    return directory


@pytest.fixture(params=["bash", "zsh"])
def shell(request: pytest.FixtureRequest, scripts: Path, tmp_path: Path) -> Iterator[Shell]:
    (tmp_path / "my rules.toml").touch()
    (tmp_path / "state").mkdir()
    if request.param == "bash":
        shell = Shell(["bash", "--norc", "--noprofile", "-i"], tmp_path, {"TERM": "dumb"})
        shell.run("bind 'set completion-query-items 0'; bind 'set page-completions off'")
        shell.run(f"source {scripts}/compassd")
    else:
        shell = Shell(["zsh", "-f", "-i"], tmp_path, {"TERM": "vt100"})
        shell.run("unsetopt zle_bracketed_paste prompt_sp; LISTMAX=1000; stty cols 200")
        shell.run(f"fpath=({scripts} $fpath); autoload -Uz compinit; compinit -u -d {tmp_path}/dump")
    yield shell
    shell.close()


@pytest.mark.parametrize(
    ("line", "completed"),
    [
        ("compassd doc", "compassd doctor "),
        ("compassd outbox pu", "compassd outbox purge "),
        ("compassd check --str", "compassd check --strict "),
        ("compassd schema dig", "compassd schema digest"),
        ("compassd run --dry-run j", "compassd run --dry-run json"),
        ("compassd check --rules my", "compassd check --rules my\\ rules.toml"),
        ("compassd show my", "compassd show my\\ rules.toml"),
        ("compassd outbox list --state st", "compassd outbox list --state state/"),
        ("compassd check --config x --rules my", "compassd check --config x --rules my\\ rules.toml"),
    ],
)
def test_completes(shell: Shell, line: str, completed: str) -> None:
    shell.complete(line, completed)


def test_lists_the_commands(shell: Shell) -> None:
    shell.complete("compassd ", *(command.path[-1] for command in read_commands().commands))


def test_bash_completes_a_value_behind_an_equals_sign(scripts: Path, tmp_path: Path) -> None:
    (tmp_path / "mine.toml").touch()
    words = "COMP_WORDS=(compassd check --rules = mi); COMP_CWORD=4; compopt() { :; }"
    result = subprocess.run(
        ["bash", "-c", f'source {scripts}/compassd; {words}; _compassd; echo "${{COMPREPLY[@]}}"'],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=True,
    )
    assert result.stdout == "mine.toml\n"


def test_every_option_and_command_is_known_to_both(scripts: Path) -> None:
    bash, zsh = (scripts / "compassd").read_text(), (scripts / "_compassd").read_text()
    for command in read_commands().walk():
        for word in (*command.path, *(flag for option in command.options for flag in option.flags)):
            assert word in bash, word
            assert word in zsh, word


@pytest.mark.parametrize(("shell_name", "script"), [("bash", "compassd"), ("zsh", "_compassd")])
def test_the_scripts_are_well_formed(shell_name: str, script: str, scripts: Path) -> None:
    subprocess.run([shell_name, "-n", scripts / script], check=True)
