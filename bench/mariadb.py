"""A MariaDB of our own, on a socket of its own: the database that the wiki's pages wait for."""

from __future__ import annotations

import socket as sockets
import subprocess
from pathlib import Path
from types import TracebackType
from typing import Self

from lab import processes
from lab.errors import LabError

BINARY = Path("/usr/sbin/mariadbd")
_START_S = 60.0
_STOP_S = 30.0


class MariaDB:
    """The server; as a context manager it accepts connections on entry and is gone on exit.

    It asks nobody for a password, and listens on nothing but its socket.

    Args:
        directory: Where its files go; must exist.
    """

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self._log = directory / "mariadb.log"
        self._process: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> Self:
        """Start it."""
        data = self._directory / "data"
        data.mkdir()
        command: list[str | Path] = [
            *(BINARY, "--no-defaults", "--user=root", "--skip-networking", "--skip-grant-tables"),
            *(f"--datadir={data}", f"--socket={self.socket}", f"--pid-file={self._directory / 'pid'}"),
            # Pages are read here; what a crash of the machine would lose is of no interest.
            "--innodb-flush-log-at-trx-commit=0",
        ]
        with self._log.open("wb") as output:
            self._process = processes.start(command, output=output)
        processes.wait_until(
            self._accepts,
            timeout=_START_S,
            what="MariaDB to start",
            detail=lambda: processes.tail(self._log),
        )
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Stop it."""
        if self._process is not None:
            processes.stop(self._process, timeout=_STOP_S)
            self._process = None

    @property
    def socket(self) -> Path:
        """Where it listens."""
        return self._directory / "mariadb.sock"

    def _accepts(self) -> bool:
        if self._process is None or self._process.poll() is not None:
            raise LabError(f"MariaDB has ended:\n{processes.tail(self._log)}")
        with sockets.socket(sockets.AF_UNIX) as connection:
            return connection.connect_ex(str(self.socket)) == 0
