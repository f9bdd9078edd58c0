"""systemd's file descriptor store, without systemd: it keeps descriptors and passes them to the next process.

    python -m lab.fd_store SOCKET COMMAND...

runs a command with what the store at SOCKET keeps, as systemd starts a service.
"""

from __future__ import annotations

import fcntl
import os
import socket
import sys
import threading
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType
from typing import Self

# SCM_MAX_FD of the kernel.
_DESCRIPTORS_MAX = 253
_MESSAGE_BYTES = 65536
# sd_listen_fds(3).
_FIRST = 3


class FdStore:
    """A store; as a context manager it listens from entry to exit, and then closes what it keeps.

    Args:
        directory: Where its sockets go.
        size: How many descriptors it keeps at most; FileDescriptorStoreMax= of a unit.

    Attributes:
        kept: What it keeps: names and descriptors.
    """

    def __init__(self, directory: Path, *, size: int = 32) -> None:
        self.kept: list[tuple[str, int]] = []
        self._notify, self._pass = directory / "notify", directory / "pass"
        self._size = size
        self._lock = threading.Lock()

    @property
    def environment(self) -> dict[str, str]:
        """What tells a process of it."""
        return {"NOTIFY_SOCKET": str(self._notify)}

    @property
    def wrapper(self) -> tuple[str, ...]:
        """The command that runs another one with what it keeps."""
        return (sys.executable, "-m", "lab.fd_store", str(self._pass))

    @property
    def names(self) -> list[str]:
        """The names of what it keeps, one for each descriptor."""
        with self._lock:
            return [name for name, _ in self.kept]

    def __enter__(self) -> Self:
        """Listen."""
        self._messages = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self._messages.bind(str(self._notify))
        self._starts = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self._starts.bind(str(self._pass))
        self._starts.listen()
        self._threads = [threading.Thread(target=target) for target in (self._take, self._give)]
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Close everything."""
        for listening in (self._messages, self._starts):
            listening.shutdown(socket.SHUT_RDWR)
        for thread in self._threads:
            thread.join()
        self._messages.close()
        self._starts.close()
        self.clear()

    def clear(self) -> None:
        """Close what it keeps, as systemd does with that of a service which has ended for good."""
        with self._lock:
            self._drop({name for name, _ in self.kept})

    def rename(self, old: str, new: str) -> None:
        """Replace a part of every name."""
        with self._lock:
            self.kept = [(name.replace(old, new), descriptor) for name, descriptor in self.kept]

    def _take(self) -> None:
        while True:
            message, descriptors, _, _ = socket.recv_fds(self._messages, _MESSAGE_BYTES, _DESCRIPTORS_MAX)
            if not message:
                return
            fields = dict(line.split("=", 1) for line in message.decode().splitlines())
            with self._lock:
                if fields.get("FDSTORE") == "1":
                    self._keep(fields, descriptors)
                if fields.get("FDSTOREREMOVE") == "1":
                    self._drop({fields["FDNAME"]})

    def _keep(self, fields: dict[str, str], descriptors: Sequence[int]) -> None:
        # systemd watches the others, and lets go of maps: poll(2) says of them that there is an error.
        fits = fields.get("FDPOLL") == "0"
        for descriptor in descriptors:
            if fits and len(self.kept) < self._size:
                # What is kept last is passed first.
                self.kept.insert(0, (fields["FDNAME"], descriptor))
            else:
                os.close(descriptor)

    def _drop(self, names: set[str]) -> None:
        for name, descriptor in self.kept:
            if name in names:
                os.close(descriptor)
        self.kept = [(name, descriptor) for name, descriptor in self.kept if name not in names]

    def _give(self) -> None:
        while True:
            try:
                connection, _ = self._starts.accept()
            except OSError:
                return
            with connection, self._lock:
                names = ":".join(name for name, _ in self.kept) + "\n"
                socket.send_fds(connection, [names.encode()], [descriptor for _, descriptor in self.kept])


def main() -> None:
    """Become the command, with the descriptors from the first on that systemd passes."""
    path, *command = sys.argv[1:]
    with socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as connection:
        connection.connect(path)
        names, descriptors, _, _ = socket.recv_fds(connection, _MESSAGE_BYTES, _DESCRIPTORS_MAX)
    # Out of the way of those that they shall be.
    high = [fcntl.fcntl(descriptor, fcntl.F_DUPFD_CLOEXEC, _DESCRIPTORS_MAX) for descriptor in descriptors]
    for number, descriptor in enumerate(high, _FIRST):
        os.dup2(descriptor, number)
    if high:
        os.environ |= {
            "LISTEN_PID": str(os.getpid()),
            "LISTEN_FDS": str(len(high)),
            "LISTEN_FDNAMES": names.decode().strip(),
        }
    os.execvp(command[0], command)  # noqa: S606 - no shell is wanted


if __name__ == "__main__":
    main()
