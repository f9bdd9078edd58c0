"""An Ansible connection into the namespaces of a process of this machine, such as a container's init."""

from __future__ import annotations

import subprocess
from pathlib import Path
from typing import IO

from ansible.errors import AnsibleConnectionFailure
from ansible.plugins.connection import ConnectionBase

DOCUMENTATION = """
name: nsenter
short_description: Enter the namespaces of a process
description:
  - Runs commands in the namespaces of a process of the controller, as root.
  - It takes neither a network nor a daemon in there.
author: Compass (@compass)
options:
  pid:
    description: The process.
    type: int
    required: true
    vars:
      - name: ansible_nsenter_pid
"""

_ENVIRONMENT = (
    "HOME=/root",
    "LC_ALL=C.UTF-8",
    "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
)


class Connection(ConnectionBase):  # type: ignore[misc] # Ansible has no types
    """Commands and files by nsenter(1)."""

    transport = "nsenter"
    has_pipelining = True

    def _connect(self) -> Connection:
        self._connected = True
        return self

    def exec_command(
        self,
        cmd: str,
        in_data: bytes | None = None,
        sudoable: bool = True,  # noqa: FBT001, FBT002 - the base's
    ) -> tuple[int, bytes, bytes]:
        """Run a shell command, and return its status, standard output and standard error."""
        super().exec_command(cmd, in_data=in_data, sudoable=sudoable)
        done = subprocess.run(self._enter("sh", "-c", cmd), input=in_data, capture_output=True, check=False)
        return done.returncode, done.stdout, done.stderr

    def put_file(self, in_path: str, out_path: str) -> None:
        """Copy a file in."""
        super().put_file(in_path, out_path)
        with Path(in_path).open("rb") as source:
            self._copy('cat > "$1"', out_path, stdin=source)

    def fetch_file(self, in_path: str, out_path: str) -> None:
        """Copy a file out."""
        super().fetch_file(in_path, out_path)
        with Path(out_path).open("wb") as target:
            self._copy('cat "$1"', in_path, stdout=target)

    def close(self) -> None:
        """Close nothing: every command enters for itself."""
        self._connected = False

    def _copy(
        self, script: str, path: str, stdin: IO[bytes] | None = None, stdout: IO[bytes] | None = None
    ) -> None:
        done = subprocess.run(
            self._enter("sh", "-c", script, "copy", path),
            stdin=stdin or subprocess.DEVNULL,
            stdout=stdout,
            stderr=subprocess.PIPE,
            check=False,
        )
        if done.returncode:
            raise AnsibleConnectionFailure(f"{path}: {done.stderr.decode(errors='replace')}")

    def _enter(self, *command: str) -> list[str]:
        target = f"--target={self.get_option('pid')}"
        return ["nsenter", target, "--all", "--root", "--wd", "env", "-i", *_ENVIRONMENT, *command]
