"""Logging to standard error, in the form that suits its reader."""

from __future__ import annotations

import logging
import os

# sd-daemon(3): the journal takes a priority from the start of a line.
_PRIORITIES = {logging.DEBUG: 7, logging.INFO: 6, logging.WARNING: 4, logging.ERROR: 3, logging.CRITICAL: 2}


class _JournalFormatter(logging.Formatter):
    def format(self, record: logging.LogRecord) -> str:
        prefix = f"<{_PRIORITIES.get(record.levelno, 6)}>"
        # A line of its own priority each: the journal makes an entry of every line.
        return "\n".join(prefix + line for line in super().format(record).splitlines())


class _TerminalFormatter(logging.Formatter):
    def format(self, record: logging.LogRecord) -> str:
        text = super().format(record)
        return text if record.levelno == logging.INFO else f"{record.levelname.lower()}: {text}"


def configure(level: str) -> None:
    """Send log lines of at least level to standard error; to the journal with their priority."""
    handler = logging.StreamHandler()
    handler.setFormatter(_JournalFormatter() if "JOURNAL_STREAM" in os.environ else _TerminalFormatter())
    logging.basicConfig(level=level.upper(), handlers=[handler], force=True)
    # Its debug lines hold URLs, which are secrets here.
    logging.getLogger("urllib3").setLevel(logging.WARNING)
