"""Notice, without any privilege, that there is something new to attach to, which takes a fresh process.

What can be seen: files at paths that are known, and which php-fpm masters there are. What cannot: which files
a process has mapped, and what is in a container. So a master that may have brought a file along is news, but
one that was only started again on this machine is not: its files are at the paths where they were.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path

from compassd.errors import KernelError
from compassd.kernel.discover import Discovery, ExtensionFile, Identity, mapped_extensions, start_time
from compassd.kernel.extension import read_extension

log = logging.getLogger(__name__)

# What a master calls itself once it has loaded its extensions; the path of its configuration follows.
_TITLE = b"php-fpm: master process"


@dataclass(frozen=True, slots=True)
class Master:
    """One php-fpm master process, as every user can see it.

    Attributes:
        pid: Its process id.
        start: When it was started, in the kernel's ticks: process ids are used again.
        name: Of its program, such as b"php-fpm8.2".
        title: What it calls itself.
        root: What is mounted at its root; empty if that cannot be seen.
    """

    pid: int
    start: int
    name: bytes
    title: bytes
    root: bytes

    def is_like(self, other: Master) -> bool:
        """Return whether this may be the other one, started again."""
        return (self.name, self.title, self.root) == (other.name, other.title, other.root)


@dataclass(slots=True)
class Lookout:
    """Looks for files and masters that were not there, or were others, when the probes were attached.

    Args:
        discovery: What finds files and masters.
    """

    discovery: Discovery
    _files: set[Identity] = field(default_factory=set)
    _masters: set[Master] = field(default_factory=set)
    # Those with the extension, in our own root file system.
    _watched: set[Master] = field(default_factory=set)

    def survey(self) -> dict[Identity, ExtensionFile]:
        """Return the files that there are, and take them and all masters as known. Takes privileges."""
        # Before the files: of a master that comes in between it is not known whether its files were seen.
        self._masters = set(self._visible())
        found = self.discovery.scan()
        self._files = set(found)
        root = root_mount(self.discovery.proc, "self")
        at_home: list[Path] = []
        for master in self._masters:
            if root and master.root == root:
                mapped = mapped_extensions(self.discovery.proc, master.pid)
                paths = list(_at_home(self.discovery.proc / str(master.pid) / "root", mapped))
                if paths:
                    self._watched.add(master)
                at_home += paths
        extra = dict.fromkeys((*self.discovery.extra, *sorted(at_home)))
        self.discovery = replace(self.discovery, extra=tuple(extra))
        return found

    def new_file(self) -> Path | None:
        """Return a file that can be attached to and was not there, or was another."""
        for identity, file in self.discovery.scan().items():
            if identity not in self._files and self._is_extension(identity, file):
                return file.path
        return None

    def new_master(self) -> int | None:
        """Return the process id of a master that may have a file of its own."""
        for master in self._visible():
            if master not in self._masters and not any(map(master.is_like, self._watched)):
                return master.pid
        return None

    def _is_extension(self, identity: Identity, file: ExtensionFile) -> bool:
        """Return whether the file can be attached to. One that is half written will have another identity."""
        try:
            read_extension(file.path)
        except KernelError as error:
            self._files.add(identity)
            log.error("%s", error.advice)  # noqa: TRY400 - the message says it all
            return False
        return True

    def _visible(self) -> Iterator[Master]:
        for pid in self.discovery.masters():
            process = self.discovery.proc / str(pid)
            try:
                master = Master(
                    pid,
                    start_time(self.discovery.proc, pid),
                    (process / "comm").read_bytes(),
                    (process / "cmdline").read_bytes().rstrip(b"\0 "),
                    root_mount(self.discovery.proc, str(pid)),
                )
            except OSError:
                continue
            if master.title.startswith(_TITLE):
                yield master


def root_mount(proc: Path, process: str) -> bytes:
    """Return device and directory of what is mounted at a process's root; b"" if that cannot be seen."""
    try:
        lines = (proc / process / "mountinfo").read_bytes().splitlines()
    except OSError:
        return b""
    # Identifier, parent, device, directory, mount point; what was mounted last is on top.
    mounts = [line.split(b" ", 5) for line in lines]
    return next((b" ".join(mount[2:4]) for mount in reversed(mounts) if mount[4] == b"/"), b"")


def _at_home(root: Path, paths: Iterable[Path]) -> Iterator[Path]:
    """Yield where, from our own root, the extensions are that a process of the same root has mapped.

    One that was replaced since is another file: that at its place, which the process loads when it is started
    again.
    """
    for path in paths:
        try:
            if path.is_relative_to(root):
                own = Path("/") / path.relative_to(root)
                is_there = own.samefile(path)
            else:
                own = Path(str(path.readlink()).removesuffix(" (deleted)"))
                is_there = own.exists()
        except OSError:
            continue
        if is_there:
            yield own
