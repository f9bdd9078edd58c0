"""The manual pages against the program: neither says what the other does not."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Mapping
from pathlib import Path

import pytest
from pydantic import BaseModel

from compassd.rules.model import Budget, FunctionBudget, Match, Route, Rule, RuleException
from compassd.settings import IncidentSettings, Settings
from compassd.settings_destinations import (
    AlertmanagerSettings,
    JournaldSettings,
    SlackSettings,
    StdoutSettings,
    WebhookSettings,
)
from tools.completion.tree import Command, Option, Value, read_commands

MAN = Path(__file__).parents[2] / "packaging" / "man"
PAGES = sorted(MAN.iterdir())
COMMANDS = [command for command in read_commands().walk() if not command.commands]
# Told once, for all commands.
COMMON = {"--config", "--rules"}
RULES = {
    "RULES": Rule,
    "MATCH": Match,
    "BUDGET": Budget,
    "Functions": FunctionBudget,
    "EXCEPTIONS": RuleException,
    "ROUTES": Route,
}
SETTINGS = {
    "SETTINGS": Settings,
    "INCIDENTS": IncidentSettings,
    "journald": JournaldSettings,
    "stdout": StdoutSettings,
    "slack": SlackSettings,
    "webhook": WebhookSettings,
    "alertmanager": AlertmanagerSettings,
}


def sections(page: str) -> dict[str, str]:
    """Return the text of each section and subsection, the latter taken out of the former."""
    parts = re.split(r"^\.S[hs] (.*)\n", (MAN / page).read_text(), flags=re.MULTILINE)
    return dict(zip(parts[1::2], parts[2::2], strict=True))


def synopses() -> dict[str, tuple[str, str]]:
    """Return of each command how it is called, and the text about it."""
    parts = re.split(
        r"^\.It Xo\n\.Cm (.*)\n((?:.*\n)*?)\.Xc\n", sections("compassd.8")["COMMANDS"], flags=re.MULTILINE
    )
    return {name: (call, text) for name, call, text in zip(*(parts[n::3] for n in (1, 2, 3)), strict=True)}


def shown(value: Value | None) -> str:
    return "" if value is None else f"Op Ar {value.name}" if value.optional else f"Ar {value.name}"


def described(option: Option) -> str:
    # mdoc's Fl writes the first dash.
    return f"{option.flags[-1][1:]} {shown(option.value)}".strip()


def own_options(command: Command) -> list[Option]:
    return [option for option in command.options if "--help" not in option.flags]


def test_there_is_a_text_about_every_command_and_no_other() -> None:
    assert sorted(synopses()) == sorted(" ".join(command.path) for command in COMMANDS)


@pytest.mark.parametrize("command", COMMANDS, ids=lambda command: " ".join(command.path))
def test_a_command_is_called_as_it_is_shown(command: Command) -> None:
    call, _ = synopses()[" ".join(command.path)]
    # Options that exclude each other stand together: "Op Fl -dead | -all".
    options = re.findall(r"^\.Op Fl (.*)$", call, re.MULTILINE)
    assert sorted(word for option in options for word in option.split(" | ")) == sorted(
        map(described, own_options(command))
    )
    arguments = re.findall(r"^\.(?:Op )?Ar (.*)$", call, re.MULTILINE)
    assert arguments == [value.name + " ..." * value.many for value in command.arguments]


@pytest.mark.parametrize("command", COMMANDS, ids=lambda command: " ".join(command.path))
def test_every_option_of_a_command_is_explained(command: Command) -> None:
    _, text = synopses()[" ".join(command.path)]
    explained = re.findall(r"^\.It Fl (.*)$", text, re.MULTILINE)
    wanted = [option for option in own_options(command) if not COMMON & set(option.flags)]
    assert sorted(explained) == sorted(map(described, wanted))


@pytest.mark.parametrize(
    ("page", "models"),
    [("compassd-rules.5", RULES), ("compassd.toml.5", SETTINGS)],
    ids=["rules", "settings"],
)
def test_every_key_is_explained_and_no_other(page: str, models: Mapping[str, type[BaseModel]]) -> None:
    found = {
        section: sorted(re.findall(r"^\.It Va (.*)$", text, re.MULTILINE))
        for section, text in sections(page).items()
        if section in models
    }
    assert found == {
        section: sorted(field.alias or name for name, field in model.model_fields.items() if name != "type")
        for section, model in models.items()
    }


def test_defaults_are_those_of_the_settings() -> None:
    text = sections("compassd.toml.5")["SETTINGS"]
    told = dict(
        re.findall(r"^\.It Va (\w+)\n(?:(?!\.It).*\n)*?Default: ([0-9]+|true|false)\.$", text, re.MULTILINE)
    )
    assert told == {
        name: str(field.default).lower()
        for name, field in Settings.model_fields.items()
        if isinstance(field.default, bool) or (type(field.default) is int and name in told)
    }


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_formats_without_a_warning(page: Path) -> None:
    command = ["man", "--warnings", "--local-file", str(page)]
    environment = {"PATH": "/usr/bin:/bin", "LC_ALL": "C.UTF-8", "MANWIDTH": "80"}
    result = subprocess.run(command, env=environment, capture_output=True, text=True, check=True)
    assert result.stderr == ""
    assert "DESCRIPTION" in result.stdout
