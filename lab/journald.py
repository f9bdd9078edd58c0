"""A real systemd-journald of our own, on a machine where systemd may not even run.

It lives in a mount namespace in which /run is empty, so that it does not touch the machine's journal. Needs
root and systemd's and util-linux' programs.
"""

from __future__ import annotations

import json
import shlex
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Self

from lab.build import ROOT
from lab.errors import LabError
from lab.processes import start, stop, tail, wait_until

_JOURNALD = Path("/lib/systemd/systemd-journald")
_MACHINE_ID = "c0ffee00c0ffee00c0ffee00c0ffee00"
_TIMEOUT_S = 20.0

# Volatile: in the namespace's /run, even where /var/log/journal exists. The kernel's log and audit belong to
# the machine's own journald. No rate limit: losing entries would be a finding of its own.
_CONFIG = """[Journal]
Storage=volatile
ReadKMsg=no
Audit=no
RateLimitIntervalSec=0
ForwardToSyslog=no
ForwardToWall=no
"""


class Journald:
    """A running journald. Use it as a context manager.

    Processes see it if they are started with run(), or with command()'s words in front.
    """

    def __enter__(self) -> Self:
        """Start journald and wait until it listens."""
        if not _JOURNALD.exists():
            raise LabError(f"{_JOURNALD} does not exist: install systemd")
        self._directory = tempfile.TemporaryDirectory(prefix="compass-journald-")
        directory = Path(self._directory.name)
        (directory / "machine-id").write_text(_MACHINE_ID + "\n")
        (directory / "journald.conf").write_text(_CONFIG)
        self._log = directory / "log"
        script = " && ".join(
            [
                "mount -t tmpfs tmpfs /run",
                "mkdir -p /run/systemd/journal /run/systemd/journald.conf.d",
                f"cp {shlex.quote(str(directory / 'journald.conf'))} /run/systemd/journald.conf.d/lab.conf",
                # The machine may have none; and its own journals must not be read.
                "{ [ -e /etc/machine-id ] || : > /etc/machine-id; }",
                f"mount --bind {shlex.quote(str(directory / 'machine-id'))} /etc/machine-id",
                f"exec {_JOURNALD}",
            ]
        )
        with self._log.open("wb") as output:
            self._process = start(
                ["unshare", "--mount", "--propagation", "private", "sh", "-c", script], output=output
            )
        try:
            wait_until(self._listens, timeout=_TIMEOUT_S, what="journald", detail=lambda: tail(self._log))
        except LabError:
            self._end()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        """End journald; its journal goes with the namespace."""
        self._end()

    def command(self, words: Sequence[str | Path]) -> list[str]:
        """Return words as a command that runs where this journald is the journal."""
        # With its root as well: a namespace's own root is not that of whoever made it in a chroot.
        enter = ["nsenter", f"--target={self._process.pid}", "--mount", "--root", "--wdns=/", "--"]
        return [*enter, *map(str, words)]

    def run(self, words: Sequence[str | Path], *, text: str = "") -> str:
        """Run a command there with text as its input, and return its output; raise LabError if it fails."""
        done = subprocess.run(
            self.command(words), input=text, capture_output=True, text=True, check=False, timeout=_TIMEOUT_S
        )
        if done.returncode:
            raise LabError(f"{words[0]} failed with {done.returncode}: {done.stderr.strip()}")
        return done.stdout

    def python(self, program: str) -> str:
        """Run a Python program there, with this interpreter and checkout, and return its output."""
        # Not from the current directory: the namespace is entered at its root.
        words = ["env", f"PYTHONPATH={ROOT}", sys.executable, "-W", "error", "-"]
        return self.run(words, text=program)

    def entries(self, *matches: str) -> list[dict[str, Any]]:
        """Return the entries for which all matches ("FIELD=value") hold, in order.

        As journalctl -o json gives them: values are text, lists of numbers if they are not UTF-8, or lists of
        those if a field came more than once. Everything sent before the call is included.
        """
        self.run(["journalctl", "--sync"])
        # Without --all, journalctl leaves long values out.
        output = self.run(["journalctl", "--quiet", "--all", "--output=json", "--no-pager", *matches])
        return [json.loads(line) for line in output.splitlines()]

    def _listens(self) -> bool:
        if self._process.poll() is not None:
            raise LabError(f"journald has ended\n{tail(self._log)}")
        # The namespace's /run, seen from outside.
        socket = Path(f"/proc/{self._process.pid}/root/run/systemd/journal/stdout")
        return socket.is_socket() and (socket.parent / "socket").is_socket()

    def _end(self) -> None:
        stop(self._process)
        self._directory.cleanup()
