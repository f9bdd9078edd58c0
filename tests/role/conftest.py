"""The collection, built and installed as from Galaxy, and a machine to apply its role to."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from lab.ansible_controller import Controller, Outcome, reach
from lab.php_fpm import default_version
from lab.scratch_machine import ScratchMachine

VERSION = "1.0.0-1"
SECRET = "https://hooks.slack.example/TOPSECRET0123456789"  # noqa: S105 - it must not appear


@dataclass(frozen=True)
class Role:
    """The role, applied to one machine."""

    controller: Controller
    machine: ScratchMachine

    def __call__(self, *arguments: str, **variables: Any) -> Outcome:  # noqa: ANN401 - whatever the role takes
        """Apply the role with these variables, compassd_… without the prefix."""
        hosts = {"machine": reach(self.machine.pid)}
        return self.controller.apply(hosts, variables, *arguments)["machine"]


@pytest.fixture(scope="session")
def controller(tmp_path_factory: pytest.TempPathFactory) -> Controller:
    """Ansible with the collection."""
    return Controller.install(tmp_path_factory.mktemp("controller"))


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
def role(controller: Controller, machine: ScratchMachine) -> Role:
    """The role, and a machine without Compass."""
    return Role(controller, machine)


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
