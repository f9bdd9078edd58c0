"""From one process of the service to the next, without a moment in which nobody watches.

A process has systemd keep the descriptors by which its eBPF program stays attached. So the kernel goes on
collecting when it ends, however it ends. The next process attaches its own program, and then reads what that
of the process before has collected. If the service is stopped, or fails, systemd closes what it keeps.

For some seconds both programs are attached, as only the one before has the call trees of requests that began
in its time. What was told is remembered for as long as it may come a second time.
"""

from __future__ import annotations

import logging
import os
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field

from compassd import systemd_service
from compassd.errors import KernelError
from compassd.kernel.assemble import Assembler, RequestParts
from compassd.kernel.inherited import Inherited
from compassd.kernel.layout import Counter, request_key
from compassd.kernel.legacy import Legacy, Named, find_legacies
from compassd.kernel.program import Program
from compassd.kernel.source import layout_id, source_directory
from compassd.kernel.symbols import Symbol

log = logging.getLogger(__name__)

# How long requests that had begun before may go on, and still be told with their call trees.
_OVERLAP_S = 10.0
# How long after that our own record of a request may wait to be read: longer than the watchdog lets a process
# live that does not read.
_REMEMBERED_S = 60.0


@dataclass(frozen=True, slots=True)
class _Before:
    """The program of a process before, and what systemd keeps of it."""

    program: Inherited
    kept: Named


@dataclass(slots=True)
class Handover:
    """What the processes before have left, and what this one leaves.

    Args:
        kept: What systemd has kept.
        layout: What lays out this release's records and maps.
        inherit: Opens a program to read it; raises KernelError.
        clock: Returns a time, s.

    Attributes:
        is_left: Whether our program stays attached when this process ends.
    """

    kept: Named
    layout: str
    inherit: Callable[[Legacy], Inherited] = Inherited
    clock: Callable[[], float] = time.monotonic
    is_left: bool = field(default=False, init=False)
    _before: list[_Before] = field(default_factory=list)
    _told: set[tuple[int, int]] = field(default_factory=set)
    _missed: Mapping[Counter, int] | None = None
    _taken_over: float | None = None

    def __post_init__(self) -> None:
        """Open what can be read, and let go of the rest."""
        rest = dict(self.kept)
        for name, legacy in find_legacies(self.kept, self.layout).items():
            own = {part: rest.pop(part) for part in legacy.named(self.layout, name) if part in rest}
            try:
                self._before.append(_Before(self.inherit(legacy), own))
            except KernelError as error:
                log.error("%s", error.advice)  # noqa: TRY400 - the message says it all
                _let_go(own)
        if rest:
            log.warning(
                "what the process before has left cannot be read, as it was of another release, or systemd "
                "did not keep all of it: requests that ended in between are not told"
            )
            _let_go(rest)

    def missed(self) -> Mapping[Counter, int]:
        """Return what the programs before had counted, and nobody told of, when this was first called."""
        if self._missed is None:
            unreported = [before.program.unreported() for before in self._before]
            self._missed = {counter: sum(each[counter] for each in unreported) for counter in Counter}
        return self._missed

    def read(self) -> Iterable[tuple[Assembler, list[bytes]]]:
        """Return what the programs before have collected since the last time, and what puts it together."""
        return [(before.program.assembler, before.program.records()) for before in self._before]

    def symbol(self, key: int) -> Symbol | None:
        """Return what the programs before know of a function."""
        found = (before.program.symbol(key) for before in self._before)
        return next(filter(None, found), None)

    def is_first(self, parts: RequestParts) -> bool:
        """Return whether a request is to be told, as no program has told of it yet."""
        key = request_key(parts.request)
        if key in self._told:
            return False
        if self._before:
            self._told.add(key)
        return True

    def take_over(self) -> None:
        """Have systemd forget the programs before: what ended while no process was there has been told."""
        self._taken_over = self.clock()
        if self._before:
            count = len(self._told)
            log.info("taken over from the process before: %d requests over budget ended in between", count)
        for before in self._before:
            for name in before.kept:
                systemd_service.forget(name)

    def let_go_when_due(self) -> None:
        """Detach the programs before when they have had their time, and later forget what was told."""
        if self._taken_over is None:
            return
        since_s = self.clock() - self._taken_over
        if self._before and since_s >= _OVERLAP_S:
            for before in self._before:
                before.program.close()
                _close(before.kept)
            self._before.clear()
        if self._told and since_s >= _OVERLAP_S + _REMEMBERED_S:
            self._told.clear()

    def leave(self, program: Program, attached: Iterable[int]) -> None:
        """Have systemd keep what our program goes on by.

        Args:
            program: The program.
            attached: What Program.attach() has returned.
        """
        if not systemd_service.is_there():
            return
        try:
            named = program.leave(attached).named(self.layout, os.urandom(8).hex())
            for name, descriptors in named.items():
                systemd_service.keep(name, descriptors)
        except (KernelError, OSError) as error:
            log.warning("requests that end while another process starts will be lost: %s", error)
            return
        self.is_left = True


def inherit_from_systemd() -> Handover:
    """Return what systemd has kept for this process.

    Raises:
        KernelError: The source of the eBPF program is missing.
    """
    return Handover(systemd_service.kept(), layout_id(source_directory()))


def _let_go(kept: Named) -> None:
    for name in kept:
        systemd_service.forget(name)
    _close(kept)


def _close(kept: Mapping[str, tuple[int, ...]]) -> None:
    for descriptors in kept.values():
        for descriptor in descriptors:
            os.close(descriptor)
