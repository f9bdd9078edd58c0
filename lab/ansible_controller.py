"""An Ansible of our own that has the collection of this checkout, installed as from Galaxy, and nothing else.

It is no part of the machines that it manages: it enters them from outside, by lab/connection/nsenter.py.
That takes no sshd, no keys and no network, only a Python there.
"""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

import yaml

from lab.build import ROOT
from lab.errors import LabError

COLLECTION = ROOT / "ansible"

_RECAP = re.compile(r"^(\S+) +: ok=\d+ +changed=(\d+) +unreachable=0 +failed=(\d+)", re.MULTILINE)
_PLAY = [{"hosts": "all", "gather_facts": False, "roles": ["compass.compassd.compassd"]}]

Hosts = Mapping[str, Mapping[str, Any]]
"""Variables of each host by its name."""


@dataclass(frozen=True)
class Outcome:
    """How a play ended on one host.

    Attributes:
        output: All that Ansible printed, about other hosts, too.
        changed: How many tasks changed something.
        failed: Whether one failed.
    """

    output: str
    changed: int
    failed: bool


@dataclass(frozen=True)
class Controller:
    """Ansible's programs.

    Attributes:
        home: The directory of all that they read and keep.
    """

    home: Path

    @classmethod
    def install(cls, home: Path) -> Self:
        """Build the collection and install it in the directory home.

        Raises:
            LabError: One of the two failed.
        """
        controller = cls(home)
        (home / "ansible.cfg").touch()
        controller._galaxy("build", COLLECTION, "--output-path", home)
        (archive,) = home.glob("compass-compassd-*.tar.gz")
        controller._galaxy("install", "--offline", archive)
        return controller

    @property
    def environment(self) -> dict[str, str]:
        """The environment of the programs."""
        return {
            "ANSIBLE_COLLECTIONS_PATH": str(self.home),
            "ANSIBLE_CONFIG": str(self.home / "ansible.cfg"),
            "ANSIBLE_CONNECTION_PLUGINS": str(ROOT / "lab/connection"),
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

    def play(
        self, playbook: Path, hosts: Hosts, variables: Mapping[str, Any], *arguments: str | Path
    ) -> dict[str, Outcome]:
        """Run a playbook, and return how it ended on each host.

        Args:
            playbook: The playbook.
            hosts: The hosts, with what reach() says of each; an inventory in the arguments may say more.
            variables: What is stronger than all other variables.
            arguments: More for ansible-playbook.

        Raises:
            LabError: It did not reach all hosts, or it uses what Ansible will no longer have.
        """
        inventory, extra = self.home / "inventory.json", self.home / "variables.yml"
        inventory.write_text(json.dumps({"all": {"hosts": hosts}}))
        # Unlike JSON it has dates.
        extra.write_text(yaml.safe_dump(dict(variables)))
        done = self.run(
            "ansible-playbook", *arguments, "--inventory", inventory, "--extra-vars", f"@{extra}", playbook
        )
        outcomes = {
            name: Outcome(done.stdout, int(changed), failed=failed != "0")
            for name, changed, failed in _RECAP.findall(done.stdout)
        }
        if set(outcomes) != set(hosts) or "[DEPRECATION WARNING]" in done.stdout:
            raise LabError(done.stdout)
        return outcomes

    def apply(self, hosts: Hosts, variables: Mapping[str, Any], *arguments: str) -> dict[str, Outcome]:
        """Apply the role compassd to hosts as play() does, with variables without the prefix compassd_."""
        playbook = self.home / "play.json"
        playbook.write_text(json.dumps(_PLAY))
        prefixed = {f"compassd_{name}": value for name, value in variables.items()}
        return self.play(playbook, hosts, prefixed, *arguments)

    def _galaxy(self, *arguments: str | Path) -> None:
        done = self.run("ansible-galaxy", "collection", *arguments)
        if done.returncode:
            raise LabError(done.stdout)


def reach(pid: int) -> dict[str, Any]:
    """Return the variables of a host whose namespaces are those of a process of this machine."""
    return {
        "ansible_connection": "nsenter",
        "ansible_nsenter_pid": pid,
        # So that become has nothing to do, for which the machine would need sudo.
        "ansible_user": "root",
        # What is found by looking comes with a warning.
        "ansible_python_interpreter": "/usr/bin/python3",
    }
