"""The collection, built and installed as from Galaxy, and a machine to apply its role to."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import yaml

from lab.build import ROOT
from lab.php_fpm import default_version
from lab.scratch_machine import ScratchMachine

COLLECTION = ROOT / "ansible"
VERSION = "1.0.0-1"
SECRET = "https://hooks.slack.example/TOPSECRET0123456789"  # noqa: S105 - it must not appear

_RECAP = re.compile(r"^machine +: ok=\d+ +changed=(\d+) +unreachable=0 +failed=(\d+)", re.MULTILINE)
_PLAY = [
    {
        "hosts": "all",
        "gather_facts": False,
        "roles": ["compass.compassd.compassd"],
    }
]


@dataclass(frozen=True)
class Outcome:
    """How a play ended.

    Attributes:
        output: All that Ansible printed.
        changed: How many tasks changed something.
        failed: Whether one failed.
    """

    output: str
    changed: int
    failed: bool


@dataclass(frozen=True)
class Controller:
    """Ansible, with nothing but this collection."""

    home: Path

    @property
    def environment(self) -> dict[str, str]:
        """The environment of its programs."""
        return {
            "ANSIBLE_COLLECTIONS_PATH": str(self.home),
            "ANSIBLE_CONFIG": str(self.home / "ansible.cfg"),
            "ANSIBLE_CONNECTION_PLUGINS": str(ROOT / "tests/system/connection"),
            "ANSIBLE_DEPRECATION_WARNINGS": "1",
            "ANSIBLE_HOME": str(self.home / "home"),
            "ANSIBLE_NOCOLOR": "1",
            "ANSIBLE_PIPELINING": "1",
            "ANSIBLE_REMOTE_TMP": "/run/ansible",
            "HOME": str(self.home),
            "LC_ALL": "C.UTF-8",
            "PATH": os.environ["PATH"],
        }

    def run(self, program: str, *arguments: str | Path) -> subprocess.CompletedProcess[str]:
        """Run one of Ansible's programs."""
        command = [str(Path(sys.executable).parent / program), *map(str, arguments)]
        return subprocess.run(
            command,
            env=self.environment,
            cwd=self.home,
            text=True,
            check=False,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
        )


@dataclass(frozen=True)
class Role:
    """The role, applied to one machine."""

    controller: Controller
    machine: ScratchMachine
    directory: Path

    def __call__(self, *arguments: str, **variables: Any) -> Outcome:  # noqa: ANN401 - whatever the role takes
        """Apply the role with these variables, compassd_… without the prefix."""
        play = self.directory / "play.json"
        play.write_text(json.dumps(_PLAY))
        inventory = self.directory / "inventory.json"
        host = {
            "ansible_connection": "nsenter",
            "ansible_nsenter_pid": self.machine.pid,
            "ansible_python_interpreter": "/usr/bin/python3",
        }
        inventory.write_text(json.dumps({"all": {"hosts": {"machine": host}}}))
        values = self.directory / "variables.yml"
        values.write_text(yaml.safe_dump({f"compassd_{name}": value for name, value in variables.items()}))
        done = self.controller.run(
            "ansible-playbook", "--inventory", inventory, "--extra-vars", f"@{values}", *arguments, play
        )
        recap = _RECAP.search(done.stdout)
        assert recap, done.stdout
        assert "[DEPRECATION WARNING]" not in done.stdout, done.stdout
        return Outcome(done.stdout, int(recap[1]), failed=recap[2] != "0")


@pytest.fixture(scope="session")
def controller(tmp_path_factory: pytest.TempPathFactory) -> Controller:
    """Ansible with the collection."""
    controller = Controller(tmp_path_factory.mktemp("controller"))
    (controller.home / "ansible.cfg").touch()
    built = controller.run(
        "ansible-galaxy", "collection", "build", COLLECTION, "--output-path", controller.home
    )
    assert built.returncode == 0, built.stdout
    (archive,) = controller.home.glob("compass-compassd-*.tar.gz")
    installed = controller.run("ansible-galaxy", "collection", "install", "--offline", archive)
    assert installed.returncode == 0, installed.stdout
    return controller


@pytest.fixture(scope="session")
def debs(tmp_path_factory: pytest.TempPathFactory) -> list[str]:
    """Packages with this checkout's compassd, a unit, and nothing else, also for PHP versions nobody has."""
    directory = tmp_path_factory.mktemp("debs")
    versions = sorted({default_version(), "9.8", "9.9"})
    return [str(build_deb(directory, name)) for name in ["compassd", *map("php{}-compass".format, versions)]]


def build_deb(directory: Path, name: str, version: str = VERSION) -> Path:
    """Make a package that stands in for one of Compass's."""
    tree = directory / f"{name}-{version}"
    (tree / "DEBIAN").mkdir(parents=True)
    (tree / "DEBIAN/control").write_text(
        f"Package: {name}\nVersion: {version}\nArchitecture: all\nMaintainer: Test <test@compass.example>\n"
        "Description: stands in for Compass's own package\n"
    )
    if name == "compassd":
        program = tree / "usr/bin/compassd"
        program.parent.mkdir(parents=True)
        program.write_text(f'#!/bin/sh\nexec {sys.executable} -m compassd "$@"\n')
        program.chmod(0o755)
        unit = tree / "usr/lib/systemd/system/compassd.service"
        unit.parent.mkdir(parents=True)
        unit.write_text("[Service]\nExecStart=compassd run\n")
        (tree / "etc/compassd").mkdir(parents=True)
    path = directory / f"{name}_{version}_all.deb"
    subprocess.run(["dpkg-deb", "--build", "--root-owner-group", tree, path], check=True, capture_output=True)
    return path


@pytest.fixture
def machine() -> Iterator[ScratchMachine]:
    """A machine without Compass."""
    with ScratchMachine() as scratch:
        yield scratch


@pytest.fixture
def role(controller: Controller, machine: ScratchMachine, tmp_path: Path) -> Role:
    """The role, and a machine without Compass."""
    return Role(controller, machine, tmp_path)


@pytest.fixture
def installed(role: Role, debs: list[str]) -> Role:
    """The role, and a machine where the packages are installed and nothing is configured."""
    role.machine.run(
        "dpkg", "--install", debs[0], *(deb for deb in debs if f"php{default_version()}-" in deb)
    )
    role.machine.run("systemctl", "enable", "compassd")
    role.machine.run("systemctl", "start", "compassd")
    role.machine.systemctl_calls()
    return role
