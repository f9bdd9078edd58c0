"""Keep the probes attached to every file of the extension, through installs, upgrades and removals."""

from __future__ import annotations

import logging
import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from compassd.errors import KernelError
from compassd.kernel.discover import ExtensionFile, Identity
from compassd.kernel.extension import REQUEST_PROBES, open_extension
from compassd.kernel.program import Program

log = logging.getLogger(__name__)

# The function probe first: a request whose start is seen is then seen with all its calls.
TRACE_PROBES = ("php_function_end", *REQUEST_PROBES)


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
    _attached: dict[Identity, _Attached] = field(default_factory=dict)
    _refused: dict[Identity, str] = field(default_factory=dict)

    @property
    def paths(self) -> list[Path]:
        """The files attached to, sorted."""
        return sorted(attached.path for attached in self._attached.values())

    @property
    def descriptors(self) -> list[int]:
        """What the probes are attached by."""
        return [descriptor for attached in self._attached.values() for descriptor in attached.descriptors]

    @property
    def refused(self) -> int:
        """How many files there are that cannot be attached to."""
        return len(self._refused)

    def update(self, found: Mapping[Identity, ExtensionFile]) -> None:
        """Attach to the files that are new, detach from those that are gone.

        A file that cannot be attached to is tried again at every update, as the reason may pass, and logged
        when the reason is a new one.
        """
        for identity in self._attached.keys() - found.keys():
            self._detach(identity)
        refused, self._refused = self._refused, {}
        for identity in found.keys() - self._attached.keys():
            try:
                self._attach(found[identity])
            except KernelError as error:
                self._refused[identity] = error.advice
                if refused.get(identity) != error.advice:
                    log.error("%s", error.advice)  # noqa: TRY400 - the message says it all

    def close(self) -> None:
        """Detach from every file."""
        for identity in list(self._attached):
            self._detach(identity)

    def _attach(self, file: ExtensionFile) -> None:
        descriptors: list[int] = []
        # Once attached, a probe keeps the file by itself.
        with open_extension(file.path, file.identity) as extension:
            try:
                for name in self.probes:
                    descriptors.append(self.program.attach(extension, name))  # noqa: PERF401 - to undo
            except KernelError:
                _close(descriptors)
                raise
        self._attached[file.identity] = _Attached(file.path, descriptors)
        log.info("attached to %s", file.path)

    def _detach(self, identity: Identity) -> None:
        attached = self._attached.pop(identity)
        _close(attached.descriptors)
        log.info("detached from %s", attached.path)


def _close(descriptors: list[int]) -> None:
    for descriptor in descriptors:
        os.close(descriptor)
