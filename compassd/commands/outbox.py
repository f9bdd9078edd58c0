"""`compassd outbox`: what waits for its destination, what could not be sent, and what to do with it."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import TextIO

from compassd.errors import ConfigurationError
from compassd.settings import load_settings
from compassd.store.admin import Entry, OutboxAdmin
from compassd.store.database import PresentFile
from compassd.store.file import NAME
from compassd.text import clean_text
from compassd.units import format_duration

_HEAD = ("DESTINATION", "ID", "AGE", "ATTEMPTS", "BREACHES", "WHAT", "FAULT")


def list_messages(directory: Path, out: TextIO, *, dead: bool, as_json: bool) -> int:
    """Print the messages that wait, or the dead letters, and return the exit status.

    Raises:
        StoreError: The outbox cannot be read.
    """
    with _outbox(directory) as outbox:
        entries, discarded = outbox.entries(dead=dead), outbox.discarded()
    if as_json:
        out.writelines(json.dumps(asdict(entry)) + "\n" for entry in entries)
        return 0
    if not entries:
        out.write("no dead letters\n" if dead else "nothing waits\n")
    else:
        now = time.time_ns()
        _print_table([_HEAD, *(_row(entry, now) for entry in entries)], out)
    if dead:
        out.writelines(
            f"{name}: {count} older dead letters were removed for want of room\n"
            for name, count in discarded.items()
        )
    return 0


def retry(directory: Path, targets: Sequence[str], out: TextIO) -> int:
    """Let dead letters wait again, say how many these are, and return the exit status.

    Args:
        directory: The state directory.
        targets: Names of destinations and ids of messages; none: everything.
        out: Where to print.

    Raises:
        StoreError: A target is neither, or the outbox cannot be written.
    """
    with _outbox(directory) as outbox:
        revived = outbox.retry(targets, time.time_ns())
    out.writelines(
        f"{name}: {count} dead letters wait again; what waits is tried now\n"
        for name, count in revived.items()
    )
    if not revived:
        out.write("the outbox is empty\n")
    return 0


def purge(directory: Path, destination: str | None, out: TextIO, *, waiting: bool) -> int:
    """Remove dead letters, and on demand what waits; say how many, and return the exit status.

    Raises:
        StoreError: There is no such destination, or the outbox cannot be written.
    """
    with _outbox(directory) as outbox:
        purged = outbox.purge(destination, waiting=waiting)
    for of in purged:
        told = f"{of.dead} dead letters" + (f" and {of.waiting} waiting messages" if waiting else "")
        out.write(f"{of.destination}: {told} removed\n")
    if not purged:
        out.write("the outbox is empty\n")
    return 0


def state_directory(config: Path | None, state: Path | None) -> Path:
    """Return the state directory: the one given, else that of the settings.

    Raises:
        ConfigurationError: The settings are unusable.
    """
    if state is not None:
        return state
    try:
        return load_settings(config, secrets=False).state_directory
    except ConfigurationError as error:
        # A service's credentials, for example, are not there in a shell.
        raise ConfigurationError(
            str(error), hint="without the settings: --state DIR says where the outbox is"
        ) from error


@contextmanager
def _outbox(directory: Path) -> Iterator[OutboxAdmin]:
    with closing(PresentFile(directory / NAME)) as database:
        yield OutboxAdmin(database)


def _row(entry: Entry, now: int) -> tuple[str, ...]:
    return (
        entry.destination,
        entry.id,
        format_duration(max(0, now - entry.created_at)),
        str(entry.attempts),
        str(entry.breaches),
        entry.summary,
        entry.dead or entry.fault,
    )


def _print_table(rows: Sequence[tuple[str, ...]], out: TextIO) -> None:
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    encoding = out.encoding or "utf-8"
    for row in rows:
        line = "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()
        out.write(clean_text(line).encode(encoding, "replace").decode(encoding) + "\n")
