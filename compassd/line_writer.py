"""Whole lines to a file descriptor, whatever happens between their bytes."""

from __future__ import annotations

import os
import select


class LineWriter:
    """Writes lines without a buffer, so that it is known what became of each. For one thread.

    A line of which a part was written before an error is finished before the next one begins.

    Args:
        descriptor: Where to write; stays open.
    """

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor
        self._line = self._rest = b""

    def write(self, line: bytes) -> None:
        """Write the line, which ends in a newline. The line that was torn by an error is only finished.

        Raises:
            OSError: Not all of it was written.
        """
        if self._rest:
            repeated = line == self._line
            self.finish()
            if repeated:
                return
        self._line = self._rest = line
        self.finish()

    def finish(self) -> None:
        """Write what is left of a torn line.

        Raises:
            OSError: There is still something left.
        """
        try:
            while self._rest:
                self._rest = self._rest[self._write_some(self._rest) :]
        finally:
            if len(self._rest) == len(self._line):
                self._rest = b""  # nothing was written, so nothing is torn

    def _write_some(self, data: bytes) -> int:
        while True:
            try:
                return os.write(self._descriptor, data)
            except BlockingIOError:
                # Whoever shares the descriptor, such as a terminal, has made it non-blocking.
                select.select([], [self._descriptor], [])
