"""Standard output: one JSON document a line, for programs that read along."""

from __future__ import annotations

import os
import sys
from typing import BinaryIO

from compassd.breach import Breach
from compassd.destinations.base import SendError
from compassd.message import document, encode


class StdoutDestination:
    """Writes each breach as one line of JSON (UTF-8) and flushes it.

    Args:
        name: Its name in the settings.
        stream: Where to write; standard output by default.
    """

    min_interval = 0.0

    def __init__(self, name: str, stream: BinaryIO | None = None) -> None:
        self.name = name
        self._stream = stream or sys.stdout.buffer

    def send(self, breach: Breach) -> None:
        """Write the breach.

        Raises:
            SendError: Nobody reads any more (permanent), or the line cannot be written.
        """
        line = encode(document(breach))
        try:
            self._stream.write(line + b"\n")
            self._stream.flush()
        except BrokenPipeError:
            self._discard()
            raise SendError(self.name, "nobody reads standard output any more", permanent=True) from None
        except OSError as error:
            raise SendError(self.name, f"standard output: {error.strerror}") from error

    def close(self) -> None:
        """Leave the stream open: it is not ours."""

    def _discard(self) -> None:
        """Let the line that is still buffered go, or Python would fail on it again when it ends."""
        null = os.open(os.devnull, os.O_WRONLY)
        os.dup2(null, self._stream.fileno())
        os.close(null)
