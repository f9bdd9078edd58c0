"""Read a file that has an end, and nothing else."""

from __future__ import annotations

import errno
import os
import stat
from pathlib import Path


class NotRegularError(OSError):
    """A pipe, a device or a socket, of which nobody knows whether reading it ever ends."""

    def __init__(self) -> None:
        super().__init__(
            errno.EINVAL, "not a regular file; pipes, <(…) and devices such as /dev/null are not read"
        )


def open_regular(path: Path) -> int:
    """Return a descriptor that reads a file; the caller closes it. Never waits, and opens nothing else.

    Raises:
        OSError: It cannot be read.
        NotRegularError: It is no regular file.
        IsADirectoryError: It is a directory.
        ValueError: The path cannot be that of a file.
    """
    if "\0" in str(path):
        raise ValueError("a path has no null byte")
    # This only finds it: opening a device may already do something to it. What was looked at is what is then
    # opened, whatever the path leads to by now.
    found = os.open(path, os.O_PATH | os.O_CLOEXEC)
    try:
        _require_regular(os.fstat(found))
        # Its owner can have a lease on it, which who opens it would wait for.
        return os.open(f"/proc/self/fd/{found}", os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    finally:
        os.close(found)


def read_regular(path: Path, limit: int = -1) -> bytes:
    """Return the content of a file, at most limit bytes of it; never waits for a writer.

    Raises:
        OSError: It cannot be read.
        NotRegularError: It is no regular file.
        IsADirectoryError: It is a directory.
        ValueError: The path cannot be that of a file.
    """
    with os.fdopen(open_regular(path), "rb") as file:
        return file.read(limit)


def _require_regular(status: os.stat_result) -> None:
    if stat.S_ISDIR(status.st_mode):
        raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR))
    if not stat.S_ISREG(status.st_mode):
        raise NotRegularError
