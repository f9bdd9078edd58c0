"""Machines that Ansible manages, one of each release: two of the hosts of the collection's example."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

from lab.ansible_controller import Controller, Hosts, Outcome, reach
from lab.processes import wait_until
from lab.receiver import Received, Receiver
from tests.system import debs, site
from tests.system.host import PACKAGES, Host

HOSTS = {"shop-1.example": "bookworm", "office-1.example": "trixie"}
"""The releases of the hosts."""

_ARCHIVES = "/var/cache/apt/archives"
_LATER = "/opt/later"
# What systemd writes whenever a service has become ready.
_STARTED = "MESSAGE_ID=39f53479d3a045ac8e11786248231fbf"

Result = TypeVar("Result")


@dataclass(repr=False)
class Managed(Host):
    """One of the machines.

    Attributes:
        name: Its name in the inventory, and for itself.
        receiver: Slack's stand-in and a webhook, for this machine alone.
    """

    name: str = field(kw_only=True)
    receiver: Receiver = field(kw_only=True)

    def prepare(self) -> None:
        """Make it a web server that has a repository with the packages, and Python for Ansible."""
        run = self.machine.run
        self.machine.write("/etc/hostname", f"{self.name}\n")
        run("hostname", self.name)
        self.php = run("sh", "-c", "ls /etc/php").strip()
        site.serve(self.machine, self.php)
        # Debian's packages are those that the machine was made with, so that it takes no network.
        archives = debs.index(self.machine.tree / _ARCHIVES.lstrip("/"))
        self.machine.write(f"{_ARCHIVES}/Packages", archives)
        run("sh", "-c", "rm -f /etc/apt/sources.list /etc/apt/sources.list.d/*")
        self._add_repository("debian", _ARCHIVES)
        self._add_repository("built", PACKAGES)
        self.apt("update")
        # Ansible would do this by itself, but not in check mode.
        self.apt("install", "python3-apt")

    def offer_later_packages(self, scratch: Path) -> None:
        """Add a repository with later versions of the packages, built in scratch, which it makes."""
        scratch.mkdir()
        versions = debs.next_version(self.machine.release, scratch)
        self.machine.write(f"{_LATER}/Packages", debs.index(scratch))
        for deb in versions:
            (self.machine.root / _LATER.lstrip("/") / deb.name).write_bytes(deb.read_bytes())
        self._add_repository("later", _LATER)

    def withdraw_later_packages(self) -> None:
        """Remove that repository."""
        self.machine.run("rm", "-rf", _LATER, "/etc/apt/sources.list.d/later.list")

    @property
    def variables(self) -> dict[str, Any]:
        """What an inventory says of it: how to reach it, and what the variables in test_role.py refer to."""
        return {
            **reach(self.machine.leader),
            "built_debs": [str(deb) for deb in debs.directory(self.machine.release).glob("*.deb")],
            "slack_url": self.receiver.slack_url,
            "webhook_url": self.receiver.webhook_url,
        }

    def versions(self) -> dict[str, str]:
        """Return the packages of Compass that it has, with their versions."""
        show = ("dpkg-query", "--show", "--showformat=${db:Status-Status} ${Package} ${Version}\n")
        rows = [line.split() for line in self.machine.run(*show).splitlines()]
        return {row[1]: row[2] for row in rows if row[0] == "installed" and "compass" in row[1]}

    def files(self) -> str:
        """Return a listing of what an administrator or a package may have changed, with times."""
        find = "find /etc /usr /var/lib/dpkg -type f ! -name '*.pyc' -printf '%p %T@ %s %m\\n'"
        return self.machine.run("sh", "-c", f"{find} | sort")

    def process(self) -> str:
        """Return the number of the service's process."""
        return self.property("MainPID")

    def state(self) -> tuple[str, str]:
        """Return its files, and which process is the service."""
        return self.files(), self.process()

    def starts(self) -> int:
        """Return how often the service has been started."""
        return len(self.machine.messages(_STARTED, "UNIT=compassd.service"))

    def wait_for(self, path: str, *texts: str) -> Received:
        """Return the first request that the receiver has taken at the path and that has these texts in it."""

        def found() -> list[Received]:
            taken = [one for one in self.receiver.received if one.accepted and one.path == path]
            return [one for one in taken if all(text.encode() in one.body for text in texts)]

        wait_until(lambda: bool(found()), timeout=90, what=f"{path} to get {texts}", detail=self.log)
        return found()[0]

    def _add_repository(self, name: str, path: str) -> None:
        self.machine.write(f"/etc/apt/sources.list.d/{name}.list", f"deb [trusted=yes] file:{path} ./\n")


@dataclass
class Fleet:
    """All of them, and the Ansible that manages them.

    Attributes:
        controller: That Ansible.
        machines: The machines.
        applied: The variables that the role was applied with; None: the machines have nothing of Compass;
            empty: a playbook has put it there.
    """

    controller: Controller
    machines: tuple[Managed, ...]
    applied: dict[str, Any] | None = None

    @property
    def hosts(self) -> Hosts:
        """The inventory."""
        return {machine.name: machine.variables for machine in self.machines}

    def each(self, do: Callable[[Managed], Result]) -> dict[str, Result]:
        """Do something on all machines at a time, and return what came of it by the machine's name."""
        with ThreadPoolExecutor(len(self.machines)) as pool:
            return dict(zip(HOSTS, pool.map(do, self.machines), strict=True))

    def apply(self, **variables: Any) -> dict[str, Outcome]:  # noqa: ANN401 - whatever the role takes
        """Apply the role with these variables, without their prefix, and check that it worked."""
        outcomes = self.try_apply("--diff", **variables)
        check(outcomes)
        self.applied = None if variables.get("state") == "absent" else variables
        return outcomes

    def try_apply(self, *arguments: str, **variables: Any) -> dict[str, Outcome]:  # noqa: ANN401 - as above
        """Apply the role, which may fail, or with --check only say what would be done."""
        return self.controller.apply(self.hosts, variables, *arguments)

    def change(self, **changes: Any) -> dict[str, Outcome]:  # noqa: ANN401 - as above
        """Apply the role again, with other values of some variables, and check that it worked."""
        return self.apply(**{**(self.applied or {}), **changes})

    def try_change(self, *arguments: str, **changes: Any) -> dict[str, Outcome]:  # noqa: ANN401 - as above
        """Do as change() does, which may fail, or with --check only say what would be changed."""
        return self.try_apply(*arguments, **{**(self.applied or {}), **changes})


def everywhere(value: Result) -> dict[str, Result]:
    """Return what Fleet.each() returns if it is the same on all machines."""
    return dict.fromkeys(HOSTS, value)


def changed(outcomes: dict[str, Outcome]) -> dict[str, int]:
    """Return how much changed on each machine."""
    return {name: outcome.changed for name, outcome in outcomes.items()}


def check(outcomes: dict[str, Outcome]) -> None:
    """Check that it worked on every machine."""
    for outcome in outcomes.values():
        assert not outcome.failed, outcome.output
