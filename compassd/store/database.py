"""The database that the daemon's threads share, which goes on when its disk does not."""

from __future__ import annotations

import logging
import os
import sqlite3
import threading
import time
from collections.abc import Callable
from contextlib import closing
from functools import partial
from pathlib import Path
from typing import Protocol, TypeVar

from compassd.errors import StoreError
from compassd.store import file, schema

log = logging.getLogger(__name__)

_T = TypeVar("_T")
Work = Callable[[sqlite3.Connection], _T]

RETRY_S = 30.0
# The file is damaged, then its successor cannot be written: more than that does not happen at once.
_RECOVERIES = 4


class Database(Protocol):
    """Does work on a connection that no other thread uses at the time."""

    def read(self, work: Work[_T]) -> _T:
        """Return what work returns, which only reads."""

    def write(self, work: Work[_T]) -> _T:
        """Return what work returns, done in a transaction. It may be called again after a failure."""

    def close(self) -> None:
        """Close the connection."""


class PresentFile:
    """The file of a daemon that may be running, for a command: what fails is an error.

    Args:
        path: The file.
        read_only: Whether nothing is to change on the disk, not even beside the file.

    Raises:
        StoreError: It cannot be opened.
    """

    def __init__(self, path: Path, *, read_only: bool = False) -> None:
        self._path = path
        try:
            self._connection = file.open_read_only(path) if read_only else file.open_present(path)
        except sqlite3.Error as error:
            raise self._fault(error) from error

    def read(self, work: Work[_T]) -> _T:
        """Return what work returns, which only reads."""
        try:
            return work(self._connection)
        except sqlite3.Error as error:
            raise self._fault(error) from error

    def write(self, work: Work[_T]) -> _T:
        """Return what work returns, done in a transaction."""
        return self.read(partial(file.transact, work=work))

    def close(self) -> None:
        """Close the connection."""
        self._connection.close()

    def _fault(self, error: sqlite3.Error) -> StoreError:
        hint = file.OWNER_HINT
        if schema.is_damaged(error):
            hint = "restart compassd, which moves it aside and keeps what can be read"
        return StoreError(f"{self._path}: {error}", hint=hint)


class DurableDatabase:
    """The daemon's file; memory while it cannot be written, a new file if it is damaged.

    What happens in memory is written back as soon as that is possible; if the process ends before, it is
    lost.

    Args:
        directory: The state directory. It is this object's alone until close().
        retry_s: How often to try to write again, s.

    Raises:
        StoreError: The directory or the file cannot be used.
    """

    def __init__(self, directory: Path, *, retry_s: float = RETRY_S) -> None:
        self._path = directory / file.NAME
        self._retry_s = retry_s
        self._lock = threading.Lock()
        self._closed = False
        # While in memory: when to try the file again (time.monotonic), and whether memory has all of it.
        self._next_try: float | None = None
        self._has_all = True
        self._claim = file.claim(directory)
        try:
            self._connection = self._open()
        except BaseException:
            os.close(self._claim)
            raise

    def read(self, work: Work[_T]) -> _T:
        """Return what work returns, which only reads.

        Raises:
            StoreError: The database is closed, or fails in a way that cannot be mended.
        """
        with self._lock:
            if self._closed:
                raise StoreError("the store is closed")
            if self._next_try is not None and time.monotonic() >= self._next_try:
                self._write_back()
            for _ in range(_RECOVERIES):
                try:
                    return work(self._connection)
                except sqlite3.Error as error:
                    self._recover(error)
            raise StoreError(f"{self._path} fails again and again")

    def write(self, work: Work[_T]) -> _T:
        """Return what work returns, done in a transaction. It may be called again after a failure.

        Raises:
            StoreError: The database is closed, or fails in a way that cannot be mended.
        """
        return self.read(partial(file.transact, work=work))

    def close(self) -> None:
        """Write back what is in memory only, if that is possible, and close the file."""
        with self._lock:
            if self._closed:
                return
            self._closed = True
            if self._next_try is not None and not self._write_back():
                waiting = self._connection.execute("SELECT count(*) FROM message WHERE dead IS NULL")
                log.error("%s: still not writable, %d messages are lost", self._path, waiting.fetchone()[0])
            self._connection.close()
            os.close(self._claim)

    def _recover(self, error: sqlite3.Error) -> None:
        """Replace the connection by one that works.

        Raises:
            StoreError: It is in memory, and fails even there; or the error is of none of the kinds that can
                be mended.
        """
        if self._next_try is not None:
            raise StoreError(f"the store in memory failed: {error}") from error
        damaged = schema.is_damaged(error)
        if not damaged and not file.is_unwritable(error):
            raise StoreError(f"{self._path}: {error}") from error
        failed = self._connection
        if damaged:
            self._connection = self._begin_anew(str(error), failed)
        else:
            self._connection = self._go_volatile(failed, error)
        failed.close()

    def _open(self) -> sqlite3.Connection:
        try:
            return file.open_file(self._path)
        except file.DamagedError as error:
            with closing(file.open_anyway(self._path)) as source:
                return self._begin_anew(str(error), source)
        except sqlite3.Error as error:
            if not file.is_unwritable(error):
                raise StoreError(f"{self._path}: {error}") from error
            return self._begin_volatile(error)

    def _begin_anew(self, fault: str, damaged: sqlite3.Connection) -> sqlite3.Connection:
        """Move the damaged file aside and return a connection to a new one with what could be read."""
        saved = file.open_memory()
        complete = file.transact(saved, lambda target: schema.copy(damaged, target, replace=False))
        # Renamed while it is open: closing it would remove its log, or change what is to be looked into.
        aside = self._move_aside(fault)
        rows = saved.execute("SELECT count(*) FROM message").fetchone()[0]
        log.error(
            "%s is damaged (%s): moved to %s; a new one was begun with %d messages of the old one, %s",
            self._path,
            fault,
            aside.name,
            rows,
            "all that were in it" if complete else "others could not be read and are lost",
        )
        try:
            connection = self._copied(saved, replace=True)
        except sqlite3.Error as error:
            self._say_volatile(error, has_all=True)
            return saved
        saved.close()
        return connection

    def _copied(self, source: sqlite3.Connection, *, replace: bool) -> sqlite3.Connection:
        """Return a connection to the file after all of source was copied into it."""
        connection = file.open_file(self._path)
        try:
            file.transact(connection, lambda target: schema.copy(source, target, replace=replace))
        except BaseException:
            connection.close()
            raise
        return connection

    def _move_aside(self, fault: str) -> Path:
        try:
            return file.move_aside(self._path)
        except OSError as error:
            raise StoreError(
                f"{self._path} is damaged ({fault}) and cannot be moved aside: {error.strerror}",
                hint="move it away by hand and start compassd again",
            ) from error

    def _begin_volatile(self, error: sqlite3.Error) -> sqlite3.Connection:
        try:
            source = file.open_anyway(self._path)
        except sqlite3.Error:  # not even made yet
            self._say_volatile(error, has_all=False)
            return file.open_memory()
        with closing(source):
            return self._go_volatile(source, error)

    def _go_volatile(self, source: sqlite3.Connection, error: sqlite3.Error) -> sqlite3.Connection:
        """Return a database in memory with all that can be read of source."""
        memory = file.open_memory()
        has_all = file.transact(memory, lambda target: schema.copy(source, target, replace=False))
        self._say_volatile(error, has_all=has_all)
        return memory

    def _say_volatile(self, error: sqlite3.Error, *, has_all: bool) -> None:
        self._has_all = has_all
        self._next_try = time.monotonic() + self._retry_s
        log.error(
            "%s cannot be written (%s): incidents and messages are kept in memory until it can, and lost if"
            " compassd ends before; trying again every %g s",
            self._path,
            error,
            self._retry_s,
        )

    def _write_back(self) -> bool:
        """Bring the file up to date and use it again; return whether that was possible."""
        memory = self._connection
        self._next_try = time.monotonic() + self._retry_s
        try:
            connection = self._copied(memory, replace=self._has_all)
        except file.DamagedError as error:
            # What could be read of it is in memory already.
            log.error(  # noqa: TRY400 - the message says it all
                "%s is damaged (%s): moved to %s; a new one is begun with %s",
                self._path,
                error,
                self._move_aside(str(error)).name,
                "all that was in it"
                if self._has_all
                else "what could be read of it; others could not be read and are lost",
            )
            return self._write_back()
        except (sqlite3.Error, StoreError) as error:
            log.debug("%s: %s", self._path, error)
            return False
        self._connection, self._next_try, self._has_all = connection, None, True
        memory.close()
        log.warning("%s can be written again, and is up to date", self._path)
        return True
