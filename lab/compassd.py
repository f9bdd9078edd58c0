"""A compassd of our own: `compassd run` as a child process, with its own settings and rules."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from lab import processes
from lab.errors import LabError

ROOT = Path(__file__).resolve().parent.parent

_START_S = 30.0
_STOP_S = 30.0
_END_S = 30.0

# Tells everything on standard output, which is a file here.
STDOUT_ONLY = """
[destinations.out]
type = "stdout"
"""


class Compassd:
    """A running compassd; as a context manager it is ready on entry and gone on exit.

    Args:
        directory: Where its settings, rules and output go; must exist.
        extension: compass.so files to attach to, besides those it finds by itself.
        rules: The rules, as TOML.
        settings: The settings except the paths, as TOML.
        running: Whether it tells of requests that still run. Without that, every breach is told exactly once.
        environment: More environment variables.
        options: More of the command line.
        wrapper: A command that runs the one given after it, for example to enter a namespace.
    """

    def __init__(  # noqa: PLR0913 - each is one independent input of the daemon, most with a default
        self,
        directory: Path,
        *,
        extension: Sequence[Path] = (),
        rules: str,
        settings: str = STDOUT_ONLY,
        running: bool = False,
        environment: Mapping[str, str] | None = None,
        options: Sequence[str] = (),
        wrapper: Sequence[str] = (),
    ) -> None:
        self.directory = directory
        self.rules = directory / "rules.toml"
        self.config = directory / "compassd.toml"
        self.rules.write_text(rules)
        paths = json.dumps([str(path) for path in extension])
        # Before the settings, which end in tables.
        state = json.dumps(str(directory / "state"))
        own = (
            f"extension_paths = {paths}\nstate_directory = {state}\n"
            f'rescan_interval = "200ms"\nrunning = {json.dumps(running)}\n'
        )
        self.config.write_text(own + settings)
        self._environment = dict(environment or {})
        self._options = tuple(options)
        self._wrapper = tuple(wrapper)
        self._process: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> Self:
        """Start it."""
        try:
            self.start()
        except BaseException:
            self.kill()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Stop it, whatever state it is in."""
        self.kill()

    @property
    def log(self) -> Path:
        """What it logs."""
        return self.directory / "compassd.log"

    @property
    def output(self) -> Path:
        """Its standard output."""
        return self.directory / "compassd.out"

    @property
    def pid(self) -> int:
        """Its process id."""
        if self._process is None:
            raise LabError("this compassd is not running")
        return self._process.pid

    def start(self) -> None:
        """Start it, appending to its files, and return once it is ready."""
        before = self.log_text().count("compassd ready:")
        command = [*self._wrapper, sys.executable, "-m", "compassd", "run"]
        with self.log.open("ab") as log, self.output.open("ab") as output:
            self._process = processes.start(
                [*command, "--config", self.config, "--rules", self.rules, *self._options],
                output=output,
                errors=log,
                # Not by its directory: a wrapper may enter a namespace at its root.
                env={**os.environ, "PYTHONPATH": str(ROOT), **self._environment},
            )
        processes.wait_until(
            lambda: self._running() and self.log_text().count("compassd ready:") > before,
            timeout=_START_S,
            what="compassd to be ready",
            detail=lambda: processes.tail(self.log),
        )

    def stop(self) -> int:
        """Ask it to end (SIGTERM), wait until it has delivered everything, and return its exit status."""
        if self._process is None:
            raise LabError("this compassd is not running")
        status = processes.stop(self._process, timeout=_STOP_S)
        self._process = None
        return status

    def wait(self) -> int:
        """Wait until it has ended by itself and return its exit status."""
        if self._process is None:
            raise LabError("this compassd is not running")
        try:
            status = self._process.wait(_END_S)
        except subprocess.TimeoutExpired as error:
            raise LabError(f"compassd does not end:\n{processes.tail(self.log)}") from error
        self._process = None
        return status

    def kill(self) -> None:
        """End it at once (SIGKILL), if it runs."""
        if self._process is not None:
            processes.stop(self._process, first=signal.SIGKILL)
            self._process = None

    def reload(self) -> None:
        """Ask it to read its rules again (SIGHUP)."""
        os.kill(self.pid, signal.SIGHUP)

    def log_text(self) -> str:
        """Return everything logged so far."""
        return self.log.read_text(errors="replace") if self.log.exists() else ""

    def wait_for_log(self, text: str, *, timeout: float = 10.0) -> None:
        """Return once text has been logged."""
        processes.wait_until(
            lambda: text in self.log_text(),
            timeout=timeout,
            what=f"compassd to log {text!r}",
            detail=lambda: processes.tail(self.log),
        )

    def breaches(self) -> list[dict[str, Any]]:
        """Return the breaches told on standard output so far; the last line may still be being written."""
        text = self.output.read_text() if self.output.exists() else ""
        return [json.loads(line) for line in text.splitlines(keepends=True) if line.endswith("\n")]

    def wait_for_breaches(self, count: int, *, timeout: float = 20.0) -> list[dict[str, Any]]:
        """Return the breaches once there are at least count."""
        processes.wait_until(
            lambda: len(self.breaches()) >= count,
            timeout=timeout,
            what=f"{count} breaches",
            detail=lambda: f"got {len(self.breaches())}\n{processes.tail(self.log)}",
        )
        return self.breaches()

    def _running(self) -> bool:
        if self._process is None or self._process.poll() is not None:
            raise LabError(f"compassd has ended:\n{processes.tail(self.log)}")
        return True
