"""README.md as somebody follows it on a fresh server: every command, in its order, and what comes of it."""

from __future__ import annotations

import re
import tempfile
from collections.abc import Callable
from pathlib import Path

import pytest

from lab.build import ROOT
from lab.manual import Command, plan
from lab.processes import wait_until
from lab.receiver import Status
from tests.system import debs
from tests.system.readme import SECTIONS, Controller, Server

pytestmark = [pytest.mark.ebpf, pytest.mark.timeout(600)]

_PLAN = {section.title: commands for section, commands in plan(SECTIONS) if commands}
_SECTIONS = {section.title: section for section in SECTIONS}

_ANSIBLE = "With Ansible"
_UNINSTALL = "Uninstall"
_TROUBLE = "When nothing is told"

# Commands that go on until Ctrl-C, and when that is pressed: once there is something in a file.
_UNTIL = {
    "compassd run --dry-run": ("output", "message: opened"),
    "compassd run --config stdout.toml > breaches.jsonl": ("breaches.jsonl", '"call_tree": *{'),
}


def _installed(server: Server, _: str) -> None:
    assert server.property("ActiveState") == "active"
    assert server.machine.run("systemctl", "is-enabled", "compassd").strip() == "enabled"
    server.browse("/cart?ms=2100")
    server.wait_for_entry("slow", "/cart")


def _rules_in_force(server: Server, output: str) -> None:
    assert "2 rules" in output
    server.browse("/checkout/pay?ms=900", "--request", "POST")
    server.wait_for_entry("checkout", "/checkout/pay")


def _slack_told(server: Server, output: str) -> None:
    assert "slack: ok" in output
    assert "served" in output
    assert "COMPASS_URI=/slow.php" in output
    states = [entry["COMPASS_STATE"] for entry in server.machine.journal("COMPASS_URI=/slow.php")]
    assert states == ["running", "finished"]
    server.wait_for_slack("/slow.php")
    test, alert = server.receiver.received
    assert test.accepted
    assert alert.accepted
    assert "arrive here" in str(test.json)
    assert "srv/page.php:3" in str(alert.json)
    mode = "stat", "--format=%U %a", "/etc/credstore/compassd.destinations__slack__url"
    assert server.machine.run(*mode) == "root 600\n"


def _put_later_packages(server: Server) -> None:
    with tempfile.TemporaryDirectory() as scratch:
        server.copy(debs.next_version(server.machine.release, Path(scratch)))


def _upgraded(server: Server, _: str) -> None:
    for package in ("compassd", f"php{server.php}-compass"):
        assert server.version(package).endswith("+next")
    assert server.property("ActiveState") == "active"
    assert "checkout" in server.machine.run("cat", "/etc/compassd/rules.toml")
    assert "destinations.slack" in server.machine.run("cat", "/etc/compassd/compassd.toml")


def _disable_the_extension(server: Server) -> None:
    server.machine.run("phpdismod", "-s", "fpm", "compass")
    server.machine.run("systemctl", "restart", f"php{server.php}-fpm")
    status, output = server.machine.try_run("compassd", "doctor")
    assert status == 1
    assert "has not loaded the extension" in output


def _alerts_flow(server: Server, output: str) -> None:
    assert "checkout" in output
    assert "alerts would flow" in server.machine.run("compassd", "doctor")


def _have_slack_refuse(server: Server) -> None:
    server.receiver.misbehave(*[Status(404, {}, b"no_service")] * 100)
    server.browse("/report?ms=2100")
    dead = ("compassd", "outbox", "list", "--dead")
    wait_until(lambda: "404" in server.machine.run(*dead), timeout=30, what="a dead letter")
    server.receiver.behave()


def _delivered_after_all(server: Server, output: str) -> None:
    assert "no_service" in output
    server.wait_for_slack("/report")


def _entries_shown(_: Server, output: str) -> None:
    assert "COMPASS_RULE=slow" in output
    assert "COMPASS_FUNCTION=usleep" in output


def _rules_tried_out(server: Server, output: str) -> None:
    assert "/quick" in server.machine.run("cat", "/root/suggested.toml")
    assert "breaches by" in output
    assert "rules.test.toml: 1 test, ok" in output
    assert "message: opened, warning: slow" in output


def _breach_shown(server: Server, output: str) -> None:
    assert "ask_the_warehouse" in output
    assert server.machine.run("head", "-c", "5", "/root/breach.svg") in ("<?xml", "<svg ")


def _traced(server: Server, _: str) -> None:
    assert '"ask_the_warehouse"' in server.machine.run("cat", "/root/trace.json")


def _schemas_printed(_: Server, output: str) -> None:
    assert '"Compass rules"' in output


def _nothing_left(server: Server, _: str) -> None:
    assert server.browse("/cart") == "served\n"
    assert debs.left_behind(server.machine) == []
    assert server.machine.run("id", "--user", "--name", "compassd") == "compassd\n"
    assert server.machine.journal("COMPASS_URI=/slow.php")
    assert server.version("python3-bpfcc") == ""
    assert server.version("nginx") != ""


# What there is to be done before a section, and what has to be so after it.
_BEFORE: dict[str, Callable[[Server], None]] = {
    "Upgrade": _put_later_packages,
    _TROUBLE: _disable_the_extension,
    "What could not be delivered": _have_slack_refuse,
}
_AFTER: dict[str, Callable[[Server, str], None]] = {
    "See it": lambda *_: None,
    "Install": _installed,
    "First rule": _rules_in_force,
    "First alert": _slack_told,
    "Upgrade": _upgraded,
    _TROUBLE: _alerts_flow,
    "What could not be delivered": _delivered_after_all,
    "Whom it tells": _entries_shown,
    "Try rules out before they wake somebody up": _rules_tried_out,
    "Where the time went": _breach_shown,
    "Every function call": _traced,
    "Commands": _schemas_printed,
    _UNINSTALL: _nothing_left,
}
_WITH_VISITORS = ("Try rules out before they wake somebody up", "Where the time went", "Every function call")


def test_it_is_known_what_the_commands_of_each_section_are_to_bring_about() -> None:
    assert set(_PLAN) == {*_AFTER, _ANSIBLE}
    assert set(_AFTER) >= {*_BEFORE, *_WITH_VISITORS}
    assert {code.language for section in SECTIONS for code in section.code} == {None, "sh", "text", "yaml"}
    assert [title for title, section in _SECTIONS.items() if section.blocks("yaml")] == [_ANSIBLE]


def test_ci_runs_every_make_target_of_the_readme() -> None:
    ci = set(re.findall(r"^step .* make ([a-z-]+)$", (ROOT / ".ci/run").read_text(), re.MULTILINE))
    needed = dict(re.findall(r"^([a-z-]+):([^#\n]*)", (ROOT / "Makefile").read_text(), re.MULTILINE))
    run = ci | {word for target in ci for word in needed[target].split()}
    wanted = {
        word for commands in _PLAN.values() for one in commands if _is_make(one) for word in one.words[1:]
    }
    assert wanted
    assert wanted <= run


def test_every_command_on_a_fresh_server(fresh_server: Server) -> None:
    fresh_server.copy(debs.packages(fresh_server.machine.release))
    last = sorted(_PLAN, key=lambda title: title == _UNINSTALL)
    for title in last:
        if title == _ANSIBLE:
            continue
        if title in _BEFORE:
            _BEFORE[title](fresh_server)
        if title in _WITH_VISITORS:
            with fresh_server.visitors():
                output = _follow(fresh_server, title)
        else:
            output = _follow(fresh_server, title)
        _AFTER[title](fresh_server, output)
    assert fresh_server.receiver.violations == []


def _follow(server: Server, title: str) -> str:
    """Type the commands of a section, and return what they said: what the text says, too."""
    output = ""
    for command in _PLAN[title]:
        text = re.sub(r" +#.*", "", command.text) if "\n" not in command.text else command.text
        if _is_make(command):
            continue
        if text in _UNTIL:
            output += server.type_and_interrupt(text, *_UNTIL[text])
        else:
            output += server.type(text)
    if title != _TROUBLE:
        assert [text for text in _SECTIONS[title].quotations() if text not in output] == []
    return output


# One release is enough: it is the packages that differ.
@pytest.mark.parametrize("release", ["trixie"], indirect=True)
def test_with_ansible(fresh_server: Server, tmp_path: Path) -> None:
    server, controller = fresh_server, Controller(tmp_path, fresh_server)
    for block in _SECTIONS[_ANSIBLE].blocks("yaml"):
        controller.write(block)
    encrypt, install, apply, preview, again, remove = (command.text for command in _PLAN[_ANSIBLE])

    for command in (encrypt, install, apply):
        controller.type(command)
    assert server.property("ActiveState") == "active"
    server.browse("/ansible?ms=2100")
    server.wait_for_entry("slow", "/ansible")
    server.wait_for_slack("/ansible")

    controller.change("site.yml", "duration: 2s", "duration: 1s")
    assert '+duration = "1s"' in controller.type(preview)
    assert '"2s"' in server.machine.run("cat", "/etc/compassd/rules.toml")
    controller.type(again)
    server.browse("/changed?ms=1100")
    server.wait_for_entry("slow", "/changed")

    controller.type(remove)
    assert server.version("compassd") == ""
    assert (
        server.machine.run("sh", "-c", "ls /etc/credstore /etc/systemd/system | grep -c compass || true")
        == "0\n"
    )


def _is_make(command: Command) -> bool:
    return command.words[0] == "make"
