"""A MariaDB of our own, on a unix socket only, which shares nothing with one that the machine may run.

It has no accounts: whoever reaches its socket may do everything. Needs Debian's mariadb-server-core, which
brings the program and no service.
"""

from __future__ import annotations

import contextlib
import os
import pwd
import re
import signal
import socket as sockets
import subprocess
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Self

from lab import processes
from lab.errors import LabError

SERVER = Path("/usr/sbin/mariadbd")
_START_S = 30.0
_GREETING_S = 5.0


class MariaDb:
    """A running MariaDB; as a context manager it starts on entry and is gone, data and all, on exit.

    Args:
        sql: What it executes before it answers anyone: a statement a line, each with a semicolon at its end.
        options: More of its command line.
    """

    def __init__(self, *, sql: str = "", options: Sequence[str] = ()) -> None:
        self._sql = sql
        self._options = tuple(options)
        self._directory: tempfile.TemporaryDirectory[str] | None = None
        self._process: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> Self:
        """Start it and return once it answers."""
        if not SERVER.exists():
            raise LabError(f"{SERVER} is not installed (make deps installs it)")
        self._directory = tempfile.TemporaryDirectory(prefix="compass-mariadb-")
        try:
            self._start(Path(self._directory.name))
        except BaseException:
            self._end()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        """End it at once; nobody needs its data any more."""
        self._end()

    @property
    def socket(self) -> Path:
        """Where it listens."""
        return self._root / "mariadb.sock"

    @property
    def log(self) -> Path:
        """What it says."""
        return self._root / "mariadb.log"

    @property
    def _root(self) -> Path:
        if self._directory is None:
            raise LabError("this MariaDB is not running")
        return Path(self._directory.name)

    def _start(self, directory: Path) -> None:
        # PHP's workers may run as another user.
        directory.chmod(0o755)
        data = directory / "data"
        data.mkdir()
        script = directory / "start.sql"
        script.write_text(self._sql)
        with self.log.open("ab") as log:
            self._process = processes.start(
                [
                    *(SERVER, "--no-defaults", f"--datadir={data}", f"--socket={self.socket}"),
                    *(f"--user={pwd.getpwuid(os.geteuid()).pw_name}", f"--init-file={script}"),
                    # Without system tables: they take seconds to make, and would only hold accounts.
                    *("--skip-networking", "--skip-grant-tables"),
                    *("--innodb-buffer-pool-size=16M", "--innodb-log-file-size=8M", *self._options),
                ],
                output=log,
            )
        processes.wait_until(
            self._answers, timeout=_START_S, what="MariaDB to start", detail=lambda: processes.tail(self.log)
        )
        # It starts nevertheless.
        if re.search(r"^ERROR:", self.log.read_text(errors="replace"), re.MULTILINE):
            raise LabError(f"MariaDB could not execute the SQL:\n{processes.tail(self.log)}")

    def _answers(self) -> bool:
        """Return whether it greets who connects: it listens before it has executed the SQL."""
        if self._process is None or self._process.poll() is not None:
            raise LabError(f"MariaDB has ended:\n{processes.tail(self.log)}")
        with sockets.socket(sockets.AF_UNIX, sockets.SOCK_STREAM) as connection:
            connection.settimeout(_GREETING_S)
            with contextlib.suppress(FileNotFoundError, ConnectionRefusedError, TimeoutError):
                connection.connect(str(self.socket))
                return len(connection.recv(1)) == 1
        return False

    def _end(self) -> None:
        if self._process is not None:
            processes.stop(self._process, first=signal.SIGKILL)
            self._process = None
        if self._directory is not None:
            self._directory.cleanup()
            self._directory = None
