"""Find the extension's files: where php-fpm has them mapped, and where PHP looks for extensions."""

from __future__ import annotations

import contextlib
import logging
import os
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

log = logging.getLogger(__name__)

EXTENSION = "compass.so"

MAX_FILES = 256
"""Each takes descriptors, of which a process usually has 1,024; and any user can bring files along."""

# Debian's packages, then PHP's own `make install`.
EXTENSION_DIRECTORIES = ("/usr/lib/php/*", "/usr/lib/php/*/*", "/usr/local/lib/php/extensions/*")

# How many scans a process that was no master stays uninteresting: it may become one by exec(), or by the end
# of the process that started it.
_SCANS_UNTIL_RECHECK = 3

# What a probe is attached to: device, inode, and, as a file can be overwritten, its time and size.
Identity = tuple[int, int, int, int]


@dataclass(frozen=True, slots=True)
class ExtensionFile:
    """One file of the extension.

    Attributes:
        identity: What tells it from every other file, and from itself once it was overwritten.
        path: A path that opens it, which may lead through /proc into another mount namespace.
    """

    identity: Identity
    path: Path


@dataclass(slots=True)
class Discovery:
    """Finds the extension's files again and again, remembering which processes are of no interest.

    Args:
        extra: Files named in the settings.
        directories: Globs of directories that may hold the extension.
        proc: Where procfs is mounted.
    """

    extra: tuple[Path, ...] = ()
    directories: tuple[str, ...] = EXTENSION_DIRECTORIES
    proc: Path = Path("/proc")
    _uninteresting: set[int] = field(default_factory=set)
    _scans: int = 0
    _is_full: bool = False

    def scan(self) -> dict[Identity, ExtensionFile]:
        """Return the files that exist now. Never raises: what cannot be read is not found.

        Of more than MAX_FILES those are left out that only processes with high numbers have mapped.
        """
        found: dict[Identity, ExtensionFile] = {}
        was_full, self._is_full = self._is_full, False
        for path in (*self.extra, *self._installed(), *self._mapped()):
            with contextlib.suppress(OSError):
                identity = identify(path.stat())
                if len(found) < MAX_FILES:
                    found.setdefault(identity, ExtensionFile(identity, path))
                self._is_full |= identity not in found
        if self._is_full and not was_full:
            log.error(
                "PHP-FPMs use more than %d files of the name %s: some are not watched", MAX_FILES, EXTENSION
            )
        return found

    def _installed(self) -> Iterator[Path]:
        for directory in self.directories:
            yield from Path("/").glob(f"{directory.lstrip('/')}/{EXTENSION}")

    def _mapped(self) -> Iterator[Path]:
        for pid in self.masters():
            yield from mapped_extensions(self.proc, pid)

    def masters(self) -> list[int]:
        """Return the process ids of php-fpm's master processes.

        The master has every extension mapped, so its workers, maybe hundreds, are passed over.
        """
        self._scans += 1
        if self._scans % _SCANS_UNTIL_RECHECK == 0:
            self._uninteresting.clear()
        pids = {int(entry.name) for entry in self.proc.iterdir() if entry.name.isdigit()}
        self._uninteresting &= pids
        masters = []
        for pid in pids - self._uninteresting:
            if is_fpm(self.proc, pid) and not is_fpm(self.proc, parent(self.proc, pid)):
                masters.append(pid)
            else:
                self._uninteresting.add(pid)
        return sorted(masters)


def identify(status: os.stat_result) -> Identity:
    """Return the identity of the file that has this status."""
    return status.st_dev, status.st_ino, status.st_mtime_ns, status.st_size


def is_fpm(proc: Path, pid: int) -> bool:
    """Return whether process pid runs php-fpm (Debian's binary has the version in its name)."""
    try:
        return (proc / str(pid) / "comm").read_bytes().startswith(b"php-fpm")
    except OSError:
        return False


def parent(proc: Path, pid: int) -> int:
    """Return the parent of process pid, 0 if it is gone."""
    try:
        return int(_stat(proc, pid)[1])
    except OSError:
        return 0


def start_time(proc: Path, pid: int) -> int:
    """Return when process pid was started, in the kernel's ticks since boot.

    Raises:
        OSError: It is gone.
    """
    return int(_stat(proc, pid)[19])


def _stat(proc: Path, pid: int) -> list[bytes]:
    """Return the fields of /proc/PID/stat from the third on, the state."""
    # The name in parentheses may hold anything, also parentheses and spaces.
    return (proc / str(pid) / "stat").read_bytes().rpartition(b")")[2].split()


def mapped_extensions(proc: Path, pid: int) -> Iterable[Path]:
    """Return paths that open the compass.so which process pid has mapped.

    Its name leads to it from the root of the process, unless the file was replaced since, or the process is
    in a chroot, where the name already has the way to the root in it. Then it is reached through map_files.
    """
    process = proc / str(pid)
    try:
        lines = (process / "maps").read_bytes().splitlines()
    except OSError:
        return []
    paths: dict[Path, None] = {}
    for line in lines:
        parts = line.split(None, 5)
        name = parts[5].decode(errors="surrogateescape") if len(parts) == 6 else ""  # noqa: PLR2004
        file = name.removesuffix(" (deleted)")
        if Path(file).name != EXTENSION:
            continue
        path = process / "root" / file.lstrip("/")
        if not _is_inode(path, int(parts[4])):
            path = process / "map_files" / parts[0].decode()
        paths[path] = None
    return paths


def _is_inode(path: Path, inode: int) -> bool:
    try:
        return path.stat().st_ino == inode
    except OSError:
        return False
