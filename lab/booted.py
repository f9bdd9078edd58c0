"""A Debian machine of our own: a tree booted with its own systemd and journal, under this machine's kernel.

It shares this machine's network, so that its services can reach a server of the tests on the loopback.
"""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import signal
import subprocess
import tempfile
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from lab import processes
from lab.build import ROOT
from lab.errors import LabError

RELEASES = ("bookworm", "trixie")

_BOOT_S = 60.0
_STOP_S = 60.0
# Status of systemd-nspawn, which leaves it to who started it.
_WANTS_TO_BOOT_AGAIN = 133
# What systemd as the first process of a container takes for "power off".
_POWER_OFF = signal.SIGRTMIN + 4
_ENVIRONMENT = {"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "HOME": "/root", "LC_ALL": "C.UTF-8"}


class Booted:
    """A running machine; as a context manager it is up on entry, and gone with all it wrote on exit.

    Args:
        release: Debian's name for what it runs, one of RELEASES. `make machines` makes the trees.
        shown: Directories of this machine that it sees read-only, and where.

    Attributes:
        release: As above.
        tree: What it was booted from, which it leaves as it is.
    """

    def __init__(self, release: str, *, shown: Mapping[Path, str] | None = None) -> None:
        self.release = release
        self.tree = ROOT / "build" / f"machine-{release}"
        self._shown = dict(shown or {})
        self._process: subprocess.Popen[bytes] | None = None
        self._leader = 0

    def __enter__(self) -> Self:
        """Boot it."""
        if not (self.tree / ".packages").exists():
            raise LabError(f"{self.tree} is missing (make machines makes it)")
        self._state = Path(tempfile.mkdtemp(prefix=f"compass-{self.release}-"))
        try:
            self.start()
        except BaseException:
            self.__exit__(None, None, None)
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Stop it, whatever state it is in, and remove what it wrote."""
        self.stop()
        shutil.rmtree(self._state)

    @property
    def root(self) -> Path:
        """Its root directory, as it sees it, while it runs."""
        return Path(f"/proc/{self._leader}/root")

    @property
    def leader(self) -> int:
        """Its first process, as this machine sees it, while it runs."""
        return self._leader

    @property
    def log(self) -> Path:
        """What it says on its console."""
        return self._state / "console.log"

    def start(self) -> None:
        """Boot it, with what it wrote before, and return once systemd has nothing more to start.

        It ends with the thread that called this.
        """
        binds = [f"--bind-ro={source}:{target}" for source, target in self._shown.items()]
        with self.log.open("ab") as log:
            self._process = processes.start(
                [ROOT / "tools" / "boot.sh", self.tree, self._state, *binds], output=log
            )
        processes.wait_until(
            self._is_up, timeout=_BOOT_S, what="the machine to boot", detail=lambda: processes.tail(self.log)
        )

    def stop(self) -> None:
        """Power it off."""
        if self._process is None:
            return
        if self._leader:
            with contextlib.suppress(ProcessLookupError):
                os.kill(self._leader, _POWER_OFF)
            with contextlib.suppress(subprocess.TimeoutExpired):
                self._process.wait(_STOP_S)
        # Its death is that of every process in its namespace.
        processes.stop(self._process, first=signal.SIGKILL)
        _remove_cgroups(self._process.pid)
        self._process, self._leader = None, 0

    def reboot(self) -> None:
        """Have it end for a reboot, and start() it again."""
        process = self._process
        if process is None:
            raise LabError("a machine that does not run cannot boot again")
        # The machine may be gone before the command is.
        self.try_run("systemctl", "reboot")
        status = process.wait(_STOP_S)
        if status != _WANTS_TO_BOOT_AGAIN:
            raise LabError(f"the machine ended with {status}, not for a reboot:\n{processes.tail(self.log)}")
        self.stop()
        self.start()

    def run(self, *command: str, check: bool = True, timeout: float = 60.0) -> str:
        """Run a command in it as root and return what it printed, on both of its outputs.

        Raises:
            LabError: It failed, and check says that it must not.
        """
        status, output = self.try_run(*command, timeout=timeout)
        if check and status != 0:
            raise LabError(f"{' '.join(command)} ended with {status}:\n{output}")
        return output

    def try_run(self, *command: str, timeout: float = 60.0) -> tuple[int, str]:
        """Run a command in it as root and return its exit status and what it printed."""
        enter = ["nsenter", "--target", str(self._leader), "--all", "--", "env", "--chdir=/"]
        done = subprocess.run(
            [*enter, *command],
            check=False,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            env=_ENVIRONMENT,
            timeout=timeout,
        )
        return done.returncode, done.stdout.decode(errors="replace")

    def write(self, path: str, text: str, *, mode: int = 0o644) -> None:
        """Write a file in it, and the directories above."""
        file = self.root / path.lstrip("/")
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)
        file.chmod(mode)

    def journal(self, *matches: str) -> list[dict[str, Any]]:
        """Return the entries of its journal with all these fields, the oldest first."""
        lines = self.run("journalctl", "--output=json", "--all", "--no-pager", *matches)
        return [json.loads(line) for line in lines.splitlines() if line.startswith("{")]

    def messages(self, *matches: str) -> list[str]:
        """Return the texts of these entries."""
        return [str(entry["MESSAGE"]) for entry in self.journal(*matches)]

    def _is_up(self) -> bool:
        if self._process is None or self._process.poll() is not None:
            raise LabError(f"the machine has ended:\n{processes.tail(self.log)}")
        leaders = processes.children(self._process.pid)
        self._leader = leaders[0] if leaders else 0
        if not self._leader:
            return False
        # "degraded" is a service that cannot run in a container.
        return self.try_run("systemctl", "is-system-running")[1].strip() in ("running", "degraded")


def _remove_cgroups(pid: int) -> None:
    """Remove the cgroups that tools/boot.sh made as process pid."""
    for own in Path("/sys/fs/cgroup").glob(f"**/compass-{pid}"):
        for directory, _, _ in os.walk(own, topdown=False):
            with contextlib.suppress(OSError):
                Path(directory).rmdir()
