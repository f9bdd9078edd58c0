"""Open the database file, and tell a damaged one from one that cannot be written."""

from __future__ import annotations

import errno
import fcntl
import os
import sqlite3
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import TypeVar

from compassd.errors import StoreError
from compassd.store import schema

NAME = "compassd.db"

_T = TypeVar("_T")

# How long a command line tool may hold the file.
_BUSY_S = 10.0
_LITTLE_BUSY_S = 0.5
_UNWRITABLE = {
    sqlite3.SQLITE_FULL,
    sqlite3.SQLITE_READONLY,
    sqlite3.SQLITE_IOERR,
    sqlite3.SQLITE_CANTOPEN,
    sqlite3.SQLITE_PERM,
    sqlite3.SQLITE_BUSY,
    sqlite3.SQLITE_LOCKED,
}
OWNER_HINT = "run it as root, or as the user that compassd runs as"

# What happens to disks, not to permissions.
_PASSING = (errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EIO)
# The log is cut to this after a checkpoint, bytes: a storm should not occupy the disk for ever.
_LOG_BYTES = 4 * 2**20


class DamagedError(Exception):
    """The file is no usable database."""


def is_unwritable(error: sqlite3.Error) -> bool:
    """Return whether the error says that the file cannot be written now, or not even read."""
    return schema.primary_code(error) in _UNWRITABLE


def claim(directory: Path) -> int:
    """Make the state directory if it is missing, and make it ours; return a descriptor that holds the claim.

    Raises:
        StoreError: It cannot be used, or another compassd uses it.
    """
    try:
        directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        descriptor = os.open(directory, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    except OSError as error:
        raise StoreError(
            f"the state directory {directory} cannot be used: {error.strerror}",
            hint="let state_directory name a directory that compassd may write; its unit has to say so, too: "
            f"systemctl edit compassd, [Service] ReadWritePaths={directory}",
        ) from error
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        os.close(descriptor)
        raise StoreError(
            f"another compassd uses the state directory {directory}",
            hint="stop it, or give this one a state_directory of its own",
        ) from error
    return descriptor


def open_file(path: Path) -> sqlite3.Connection:
    """Return a connection to the file, made if it is missing, checked and of the present format.

    Raises:
        DamagedError: It is no usable database.
        StoreError: It cannot be used: it belongs to somebody else, or a newer release wrote it.
        sqlite3.Error: It cannot be read or written now.
    """
    _make(path)
    connection = _connect(str(path))
    try:
        _prepare(connection, path)
    except sqlite3.Error as error:
        connection.close()
        if schema.is_damaged(error):
            raise DamagedError(str(error)) from error
        raise
    except BaseException:
        connection.close()
        raise
    return connection


def open_present(path: Path) -> sqlite3.Connection:
    """Return a connection to a file that a daemon may be using. It is not made, checked or changed.

    Raises:
        StoreError: There is none, or of another format.
        sqlite3.Error: It cannot be read.
    """
    try:
        path.stat()
    except FileNotFoundError as error:
        raise StoreError(
            f"there is no {path.name} in {path.parent}",
            hint="compassd makes it when it first runs; --state or --config say where it is",
        ) from error
    except OSError as error:
        raise StoreError(f"{path}: {error.strerror}", hint=OWNER_HINT) from error
    connection = _connect(str(path))
    try:
        _refuse_other(connection, path)
    except BaseException:
        connection.close()
        raise
    return connection


def open_read_only(path: Path) -> sqlite3.Connection:
    """Return a connection to a file that a daemon may be using, by which nothing changes on the disk.

    Raises:
        StoreError: It is of another format.
        sqlite3.Error: It cannot be read.
    """
    # https://sqlite.org/wal.html#readonly: mode=ro alone makes files beside it, or changes them. With a log,
    # the shared memory file is only read; without one, nobody writes at the moment.
    has_log = path.with_name(f"{path.name}-wal").exists()
    how = "mode=ro&readonly_shm=1" if has_log else "immutable=1"
    connection = _connect(f"{path.absolute().as_uri()}?{how}", uri=True)
    try:
        _refuse_other(connection, path)
    except BaseException:
        connection.close()
        raise
    return connection


def open_memory() -> sqlite3.Connection:
    """Return an empty database in memory, of the present format."""
    connection = _connect(":memory:")
    transact(connection, schema.upgrade)
    return connection


def open_anyway(path: Path) -> sqlite3.Connection:
    """Return a connection to read from, unchecked: of a damaged file, or one on a full disk.

    Raises:
        sqlite3.Error: There is no file.
    """
    connection = _connect(str(path), _LITTLE_BUSY_S)
    # Without the shared memory file beside it, for which there may be no room.
    connection.execute("PRAGMA locking_mode = EXCLUSIVE")
    # Otherwise nothing is read of a file that is shorter than it says.
    connection.execute("PRAGMA writable_schema = ON")
    return connection


def move_aside(path: Path) -> Path:
    """Rename a damaged file and what belongs to it; return its new name.

    Raises:
        OSError: That is not possible.
    """
    stem = f"{path.name}.corrupt-{datetime.now(UTC):%Y%m%dT%H%M%SZ}"
    aside, number = path.with_name(stem), 1
    while aside.exists():
        number += 1
        aside = path.with_name(f"{stem}-{number}")
    for suffix in (
        "-wal",
        "-shm",
        "",
    ):  # the file last: without it, the others would be taken for a new one's
        part = path.with_name(path.name + suffix)
        if part.exists():
            part.rename(aside.with_name(aside.name + suffix))
    return aside


def transact(connection: sqlite3.Connection, work: Callable[[sqlite3.Connection], _T]) -> _T:
    """Return what work returns, done in a transaction: all of it or nothing."""
    connection.execute("BEGIN IMMEDIATE")
    try:
        result = work(connection)
        connection.execute("COMMIT")
    except BaseException:
        # Some errors, a full disk among them, have ended the transaction already.
        if connection.in_transaction:
            connection.execute("ROLLBACK")
        raise
    return result


def _connect(path: str, busy_s: float = _BUSY_S, *, uri: bool = False) -> sqlite3.Connection:
    connection = sqlite3.connect(path, timeout=busy_s, isolation_level=None, check_same_thread=False, uri=uri)
    # Damaged text is no reason to fail: whoever parses it will see.
    connection.text_factory = lambda raw: raw.decode("utf-8", "replace")
    return connection


def _make(path: Path) -> None:
    """Make the file if it is missing, for nobody else to read: SQLite gives those beside it the same mode."""
    try:
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    except OSError as error:
        if error.errno in _PASSING:
            return  # It may be there and readable; SQLite says what is wrong with writing.
        raise StoreError(
            f"{path} cannot be written: {error.strerror}",
            hint="let state_directory name a directory whose files compassd may write",
        ) from error
    os.close(descriptor)


def _prepare(connection: sqlite3.Connection, path: Path) -> None:
    _refuse_newer(connection, path)
    if not schema.is_complete(connection):
        raise DamagedError("it is no database of compassd")
    fault = connection.execute("PRAGMA quick_check(1)").fetchone()[0]
    if fault != "ok":
        raise DamagedError(str(fault).splitlines()[-1][:200])
    # Before there are tables: a file gives back to the disk what it does not need any more.
    connection.execute("PRAGMA auto_vacuum = FULL")
    connection.execute("PRAGMA journal_mode = WAL")
    connection.execute("PRAGMA synchronous = NORMAL")
    connection.execute(f"PRAGMA journal_size_limit = {_LOG_BYTES}")
    transact(connection, schema.upgrade)


def _refuse_newer(connection: sqlite3.Connection, path: Path) -> None:
    found = schema.version(connection)
    if found > schema.VERSION:
        raise StoreError(
            f"{path} was written by a newer compassd: its format is {found}, this one knows {schema.VERSION}",
            hint="install that release again, or move the file away: what it holds is then not told",
        )


def _refuse_other(connection: sqlite3.Connection, path: Path) -> None:
    _refuse_newer(connection, path)
    if schema.version(connection) < schema.VERSION:
        raise StoreError(f"{path} is of an older release", hint="start compassd, which brings it up to date")
