"""Checks of the state directory, and of what waits there. Nothing is changed on the disk."""

from __future__ import annotations

import os
import sqlite3
import stat
from collections import Counter
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

from compassd.doctor.finding import Finding, Verdict
from compassd.errors import StoreError
from compassd.service_user import as_service_user
from compassd.settings import Settings
from compassd.settings_destinations import LocalSettings
from compassd.store.admin import OutboxAdmin
from compassd.store.database import PresentFile
from compassd.store.file import NAME

_SUBJECT = "state directory"
_NAME_ANOTHER = "let state_directory name a directory that compassd may write"
_OPEN_THE_UNIT = "name it in the unit (systemctl edit compassd): [Service] ReadWritePaths={}"
# Retries are at most 5 min apart: what has waited for so long has failed more than once.
_LONG_NS = 3_600 * 1_000_000_000


def check_state(settings: Settings, now: int, service: int | None = None) -> Iterator[Finding]:
    """Check whether messages can be kept, and whether old ones were not delivered.

    Args:
        settings: The settings.
        now: Unix time, ns.
        service: The service's process, None if it does not run. systemd may show it another disk than us.
    """
    if all(isinstance(destination, LocalSettings) for destination in settings.destinations.values()):
        yield Finding(Verdict.OK, _SUBJECT, "not needed by these destinations")
        return
    directory = settings.state_directory
    with as_service_user():
        found = _check_directory(directory)
    if found.verdict is Verdict.OK and service is not None:
        found = _check_view(directory, Path(f"/proc/{service}/root")) or found
    yield found
    if found.verdict is Verdict.OK and (directory / NAME).exists():
        yield from _check_file(directory / NAME, settings, now)


def _check_directory(directory: Path) -> Finding:
    """Judge the directory, or the nearest one above it in which it would be made."""
    for path in (directory, *directory.absolute().parents):
        try:
            mode = path.stat().st_mode
        except (FileNotFoundError, NotADirectoryError):
            continue
        except OSError as error:
            return Finding(Verdict.FAIL, _SUBJECT, f"{path}: {error.strerror}", _NAME_ANOTHER)
        if not stat.S_ISDIR(mode):
            return Finding(Verdict.FAIL, _SUBJECT, f"{path} is no directory", _NAME_ANOTHER)
        if path == directory and os.statvfs(path).f_flag & os.ST_RDONLY:
            detail = f"{directory} is on a read-only disk: messages are kept in memory, and lost at the end"
            return Finding(Verdict.WARN, _SUBJECT, detail, _NAME_ANOTHER)
        if not os.access(path, os.W_OK | os.X_OK, effective_ids=True):
            return Finding(Verdict.FAIL, _SUBJECT, f"{path} cannot be written", _NAME_ANOTHER)
        if path == directory:
            return Finding(Verdict.OK, _SUBJECT, f"{directory} can be written")
        break
    return Finding(Verdict.OK, _SUBJECT, f"{directory} is made when compassd starts")


def _check_view(directory: Path, root: Path) -> Finding | None:
    """Judge the directory as the service sees it; None if there is nothing to say against it."""
    try:
        writable = not os.statvfs(root / directory.absolute().relative_to("/")).f_flag & os.ST_RDONLY
    except OSError:
        # It has just ended, or the directory is not there yet.
        return None
    if writable:
        return None
    detail = f"{directory} is read-only for the service: messages are kept in memory, and lost at its end"
    return Finding(Verdict.WARN, _SUBJECT, detail, _OPEN_THE_UNIT.format(directory))


def _check_file(path: Path, settings: Settings, now: int) -> Iterator[Finding]:
    if not os.access(path, os.R_OK | os.W_OK):
        mend = "let it belong to the user that compassd runs as"
        yield Finding(Verdict.FAIL, _SUBJECT, f"{path} cannot be written", mend)
        return
    try:
        with closing(PresentFile(path, read_only=True)) as database:
            outbox = OutboxAdmin(database)
            waiting, dead = outbox.entries(dead=False), outbox.entries(dead=True)
    except StoreError as error:
        # A damaged file is replaced by the daemon; that of another release is not.
        verdict = Verdict.WARN if isinstance(error.__cause__, sqlite3.Error) else Verdict.FAIL
        yield Finding(verdict, _SUBJECT, str(error), error.hint)
        return
    late = Counter(entry.destination for entry in waiting if now - entry.created_at > _LONG_NS)
    for name, count in sorted(late.items()):
        mend = "`compassd outbox list` says why; once that is mended they are sent within minutes"
        if name not in settings.destinations:
            mend = f"there is no such destination: `compassd outbox purge --all {name}` removes them"
        yield _warning(name, f"{_messages(count)} waiting for more than an hour", mend)
    for name, count in sorted(Counter(entry.destination for entry in dead).items()):
        mend = (
            f"`compassd outbox list --dead` says why; then `compassd outbox retry {name}`, or `purge {name}`"
        )
        yield _warning(name, f"{_messages(count)} not delivered", mend)


def _warning(destination: str, detail: str, mend: str) -> Finding:
    return Finding(Verdict.WARN, f"outbox of {destination}", detail, mend)


def _messages(count: int) -> str:
    return f"{count} message{'' if count == 1 else 's'}"
