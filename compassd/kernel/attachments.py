"""Keep the probes attached to every file of the extension, through installs, upgrades and removals."""

from __future__ import annotations

import logging
import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from compassd.errors import KernelError
from compassd.kernel.discover import ExtensionFile
from compassd.kernel.program import Program
from compassd.kernel.usdt import REQUEST_PROBES, read_extension

log = logging.getLogger(__name__)

# The function probe first: a request whose start is seen is then seen with all its calls.
TRACE_PROBES = ("php_function_end", *REQUEST_PROBES)

Inode = tuple[int, int]


@dataclass(slots=True)
class _Attached:
    path: Path
    descriptors: list[int]


@dataclass(slots=True)
class Attachments:
    """The files that the probes are attached to.

    A probe belongs to an inode: a file that an upgrade puts in the place of another is a new one, while
    workers that still run the old one keep its probes until nobody has it any more.

    Args:
        program: The loaded eBPF program.
        probes: Names of the probes to attach.
    """

    program: Program
    probes: tuple[str, ...] = REQUEST_PROBES
    _attached: dict[Inode, _Attached] = field(default_factory=dict)
    _refused: set[Inode] = field(default_factory=set)

    @property
    def paths(self) -> list[Path]:
        """The files attached to, sorted."""
        return sorted(attached.path for attached in self._attached.values())

    def update(self, found: Mapping[Inode, ExtensionFile]) -> bool:
        """Attach to the files that are new, detach from those that are gone; return whether anything changed.

        A file that cannot be attached to is logged once, with the reason, and not tried again.
        """
        gone = self._attached.keys() - found.keys()
        for inode in gone:
            self._detach(inode)
        self._refused &= found.keys()
        new = found.keys() - self._attached.keys() - self._refused
        for inode in new:
            try:
                self._attach(found[inode])
            except KernelError as error:
                self._refused.add(inode)
                log.error("%s", error.advice)  # noqa: TRY400 - the message says it all
        return bool(gone or new)

    def close(self) -> None:
        """Detach from every file."""
        for inode in list(self._attached):
            self._detach(inode)

    def _attach(self, file: ExtensionFile) -> None:
        probes = read_extension(file.path).probes
        descriptors: list[int] = []
        try:
            for name in self.probes:
                descriptors.append(self.program.attach(file.path, probes[name]))  # noqa: PERF401 - to undo
        except KernelError:
            _close(descriptors)
            raise
        self._attached[file.inode] = _Attached(file.path, descriptors)
        log.info("attached to %s", file.path)

    def _detach(self, inode: Inode) -> None:
        attached = self._attached.pop(inode)
        _close(attached.descriptors)
        log.info("detached from %s", attached.path)


def _close(descriptors: list[int]) -> None:
    for descriptor in descriptors:
        os.close(descriptor)
