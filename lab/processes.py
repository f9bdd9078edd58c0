"""Start and stop child processes so that none survives, not even when this process is killed."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import IO

from lab.errors import LabError

_POLL_S = 0.01
_TAIL_BYTES = 4096


def start(  # noqa: PLR0913 - Popen's arguments, most with a default
    command: Sequence[str | Path],
    *,
    output: IO[bytes] | int,
    errors: IO[bytes] | int = subprocess.STDOUT,
    env: Mapping[str, str] | None = None,
    cwd: Path | None = None,
    death_signal: signal.Signals = signal.SIGTERM,
) -> subprocess.Popen[bytes]:
    """Start command as the leader of its own process group, standard output and error into files.

    The kernel sends it death_signal when the thread that called this ends, however it ends. setpriv asks for
    that in the child: a preexec_fn could deadlock in a program with threads.
    """
    wrapped = ["setpriv", "--pdeathsig", death_signal.name.removeprefix("SIG"), "--", *map(str, command)]
    return subprocess.Popen(
        wrapped,
        stdin=subprocess.DEVNULL,
        stdout=output,
        stderr=errors,
        env=None if env is None else dict(env),
        cwd=cwd,
        start_new_session=True,
    )


def stop(
    process: subprocess.Popen[bytes], *, first: signal.Signals = signal.SIGTERM, timeout: float = 5.0
) -> int:
    """Ask the process to end with the signal first, end its whole group after timeout, return its status."""
    if process.poll() is None:
        process.send_signal(first)
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(timeout)
    # The group outlives a leader that was killed before it could end its own children.
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    return process.wait()


def wait_until(
    condition: Callable[[], bool], *, timeout: float, what: str, detail: Callable[[], str] = str
) -> None:
    """Return as soon as condition holds; raise LabError, naming what was awaited, after timeout s."""
    deadline = time.monotonic() + timeout
    while not condition():
        if time.monotonic() > deadline:
            raise LabError(f"waited {timeout:g} s for {what}\n{detail()}".rstrip())
        time.sleep(_POLL_S)


def tail(log: Path) -> str:
    """Return the end of a log for an error message, or what there is to say about its absence."""
    try:
        text = log.read_bytes()[-_TAIL_BYTES:].decode(errors="replace").strip()
    except FileNotFoundError:
        return f"({log.name} does not exist)"
    return text or f"({log.name} is empty)"


def children(parent: int) -> list[int]:
    """Return the pids of the direct children of parent, in ascending order."""
    return sorted(pid for pid in _pids() if _parent(pid) == parent)


def _pids() -> list[int]:
    return [int(entry) for entry in os.listdir("/proc") if entry.isdigit()]  # noqa: PTH208 - names, not paths


def _parent(pid: int) -> int | None:
    try:
        stat = Path(f"/proc/{pid}/stat").read_text(errors="replace")
    except (FileNotFoundError, ProcessLookupError):
        return None  # It ended after the listing.
    # The second field is the command in parentheses, which may itself hold spaces and parentheses.
    state, parent = stat.rpartition(")")[2].split()[:2]
    return None if state == "Z" else int(parent)
