"""Which compass.so files are attached to, and what becomes of those that appear later."""

from __future__ import annotations

import logging
from pathlib import Path

from compassd.kernel.attachments import Attachments
from compassd.kernel.discover import Discovery
from compassd.kernel.lookout import Lookout
from compassd.kernel.program import Program
from compassd.settings import Settings

log = logging.getLogger(__name__)

# A process without privileges ends for another to attach to what is new, which takes seconds of a processor,
# and requests that go on for long lose their call trees. If that one only may find something, and there is
# something to watch, it begins after so many looks at the earliest: where containers come and go, that stays
# a small part.
_LOOKS_BETWEEN_STARTS = 12

_NS_PER_S = 1_000_000_000


class Coverage:
    """Keeps the probes attached to every file, or says that another process has to.

    Args:
        program: The loaded eBPF program.
        settings: The settings.
        attaches_once: Whether the privileges to attach are gone once attach() has returned.
    """

    def __init__(self, program: Program, settings: Settings, *, attaches_once: bool) -> None:
        self._attachments = Attachments(program)
        self._discovery = Discovery(extra=settings.extension_paths)
        self._lookout = Lookout(self._discovery) if attaches_once else None
        self._interval_s = settings.rescan_interval / _NS_PER_S
        self._looks = 0
        self._new_master: int | None = None
        self._needs_another = False

    @property
    def paths(self) -> list[Path]:
        """The files attached to, sorted."""
        return self._attachments.paths

    @property
    def descriptors(self) -> list[int]:
        """What the probes are attached by."""
        return self._attachments.descriptors

    @property
    def refused(self) -> int:
        """How many files could not be attached to."""
        return self._attachments.refused

    @property
    def needs_another(self) -> bool:
        """Whether it is time for another process, which can attach to what this one cannot."""
        return self._needs_another

    def attach(self) -> None:
        """Attach to what there is."""
        source = self._lookout.survey if self._lookout else self._discovery.scan
        self._attachments.update(source())

    def look(self) -> None:
        """Look for what is new; to be called once in every rescan_interval."""
        if self._lookout is None:
            self._attachments.update(self._discovery.scan())
            return
        self._looks += 1
        if file := self._lookout.new_file():
            self._end_for(f"{file} is new")
        elif (master := self._lookout.new_master()) is None:
            self._new_master = None
        elif self._looks >= _LOOKS_BETWEEN_STARTS or not self.paths:
            self._end_for(f"php-fpm (pid {master}) is new, and may have another compass.so")
        elif master != self._new_master:
            self._new_master = master
            wait_s = (_LOOKS_BETWEEN_STARTS - self._looks) * self._interval_s
            log.info("php-fpm (pid %d) is new: to be looked into in %g s", master, wait_s)

    def _end_for(self, news: str) -> None:
        log.info("%s: ending, so that a process with the privileges to attach is started", news)
        self._needs_another = True

    def close(self) -> None:
        """Detach from every file."""
        self._attachments.close()
