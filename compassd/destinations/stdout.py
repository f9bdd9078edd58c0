"""Standard output: one JSON document a line, for programs that read along."""

from __future__ import annotations

import contextlib
import sys
from typing import Any

from compassd.breach import Breach
from compassd.destinations.base import SendError
from compassd.errors import ConfigurationError
from compassd.incident_document import message_document
from compassd.line_writer import LineWriter
from compassd.message import document, encode
from compassd.notice import Message


class StdoutDestination:
    """Writes each breach as one line of JSON (UTF-8), at once and whole.

    Args:
        name: Its name in the settings.
        descriptor: Where to write; standard output by default.

    Raises:
        ConfigurationError: There is no standard output.
    """

    min_interval = 0.0

    def __init__(self, name: str, descriptor: int | None = None) -> None:
        self.name = name
        self._lines = LineWriter(_standard_output(name) if descriptor is None else descriptor)
        self._reader_gone = False

    def send(self, breach: Breach) -> None:
        """Write the breach.

        Raises:
            SendError: Nobody reads any more (permanent, for this and every later breach), or the line cannot
                be written.
        """
        self._write(document(breach))

    def send_test(self, message: Message) -> None:
        """Write a message that is of no breach.

        Raises:
            SendError: Nobody reads any more, or the line cannot be written.
        """
        self._write(message_document(message))

    def close(self) -> None:
        """Finish a line that a full disk has torn, if that is possible now. The descriptor is not ours."""
        with contextlib.suppress(OSError):
            self._lines.finish()

    def _write(self, fields: dict[str, Any]) -> None:
        if self._reader_gone:
            raise self._nobody_reads()
        try:
            self._lines.write(encode(fields) + b"\n")
        except BrokenPipeError:
            self._reader_gone = True
            raise self._nobody_reads() from None
        except OSError as error:
            raise SendError(self.name, f"standard output: {error.strerror}") from error

    def _nobody_reads(self) -> SendError:
        return SendError(self.name, "nobody reads standard output any more", permanent=True)


def _standard_output(name: str) -> int:
    # None if it was closed before we began. Its number may be that of another file now.
    if sys.stdout is None:
        raise ConfigurationError(
            f"destination {name}: standard output is closed",
            hint="start compassd without >&-, or remove the destination",
        )
    return sys.stdout.fileno()
