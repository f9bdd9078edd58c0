"""The tables, how older ones become the present ones, and how rows are carried from one file to another."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from typing import Any

# One entry for each version of the format: the statements that lead to it from the one before.
_MIGRATIONS = (
    (
        "CREATE TABLE incident (key TEXT NOT NULL UNIQUE, value BLOB NOT NULL) STRICT",
        "CREATE TABLE exemplar (key TEXT NOT NULL UNIQUE, value BLOB NOT NULL) STRICT",
        "CREATE TABLE meta (key TEXT NOT NULL UNIQUE, value BLOB NOT NULL) STRICT",
        """CREATE TABLE memory (
            destination TEXT NOT NULL, key TEXT NOT NULL, value TEXT NOT NULL, UNIQUE (destination, key)
        ) STRICT""",
        # retries: how often somebody asked to try again; discarded: dead letters removed for want of room.
        """CREATE TABLE destination (
            name TEXT NOT NULL UNIQUE,
            retries INTEGER NOT NULL DEFAULT 0,
            discarded INTEGER NOT NULL DEFAULT 0
        ) STRICT""",
        # In the order of number. breaches, severity (its rank) and begins_at (of the time that it is about)
        # are those of the body, so that a row can be counted that cannot be read.
        # since: when it was made or revived, from which its time to live counts.
        # in_flight: it may have arrived, as an attempt has begun and nothing is known of its end.
        # dead: why it will not be sent; NULL while it waits.
        """CREATE TABLE message (
            number INTEGER PRIMARY KEY AUTOINCREMENT,
            destination TEXT NOT NULL,
            id TEXT NOT NULL,
            kind TEXT NOT NULL,
            summary TEXT NOT NULL,
            server TEXT NOT NULL,
            severity INTEGER NOT NULL,
            breaches INTEGER NOT NULL,
            size INTEGER NOT NULL,
            begins_at INTEGER NOT NULL,
            created_at INTEGER NOT NULL,
            since INTEGER NOT NULL,
            not_before INTEGER NOT NULL DEFAULT 0,
            attempts INTEGER NOT NULL DEFAULT 0,
            in_flight INTEGER NOT NULL DEFAULT 0,
            fault TEXT NOT NULL DEFAULT '',
            dead TEXT,
            body BLOB NOT NULL,
            UNIQUE (destination, id)
        ) STRICT""",
        # Holds all that the bounds and the next message are found by, so that no body is read for them.
        """CREATE INDEX waiting ON message (destination, number, not_before, in_flight, size)
            WHERE dead IS NULL""",
        "CREATE INDEX dead ON message (destination, number, size) WHERE dead IS NOT NULL",
    ),
    (
        # topics: what it is about, separated by spaces. Of two with one in common, the older is sent first.
        "ALTER TABLE message ADD COLUMN topics TEXT NOT NULL DEFAULT ''",
        "DROP INDEX waiting",
        """CREATE INDEX waiting ON message (destination, number, not_before, in_flight, size, topics)
            WHERE dead IS NULL""",
    ),
)
VERSION = len(_MIGRATIONS)

# The number of a message is not carried over: it is only an order, which is kept.
TABLES = {
    "incident": ("key", "value"),
    "exemplar": ("key", "value"),
    "meta": ("key", "value"),
    "memory": ("destination", "key", "value"),
    "destination": ("name", "retries", "discarded"),
    "message": (
        "destination", "id", "kind", "summary", "server", "severity", "breaches", "size", "begins_at",
        "created_at", "since", "not_before", "attempts", "in_flight", "fault", "dead", "body", "topics",
    ),
}  # fmt: skip

_Row = tuple[Any, ...]
# How many rows in a row may be unreadable before the rest of a damaged table is given up; the search takes
# about a second then.
_MAX_GAP = 50_000


def is_damaged(error: sqlite3.Error) -> bool:
    """Return whether the error says that the file's content is wrong."""
    return primary_code(error) in (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB)


def primary_code(error: sqlite3.Error) -> int:
    """Return SQLite's code for the error, 0 if it is Python's."""
    # An extended code has the primary one in its lowest byte.
    return getattr(error, "sqlite_errorcode", 0) & 0xFF


def version(connection: sqlite3.Connection) -> int:
    """Return the version of the format, 0 for a new file."""
    return int(connection.execute("PRAGMA user_version").fetchone()[0])


def is_complete(connection: sqlite3.Connection) -> bool:
    """Return whether all tables are there, or none at all, as in a new file."""
    found = {name for (name,) in connection.execute("SELECT name FROM sqlite_schema WHERE type = 'table'")}
    return set(TABLES) <= found if version(connection) else not found


def upgrade(connection: sqlite3.Connection) -> None:
    """Bring the format to the present version, in the caller's transaction."""
    for number, statements in enumerate(_MIGRATIONS[version(connection) :], version(connection) + 1):
        for statement in statements:
            connection.execute(statement)
        connection.execute(f"PRAGMA user_version = {number}")


def copy(source: sqlite3.Connection, target: sqlite3.Connection, *, replace: bool) -> bool:
    """Copy all rows that can be read, in the caller's transaction; return whether these were all.

    Args:
        source: Where to read; may be damaged, or of an older format.
        target: Where to write; has the present format.
        replace: Whether what only the target has goes.

    Raises:
        sqlite3.Error: The target cannot be written.
    """
    try:
        source.execute("SELECT name FROM sqlite_schema").fetchall()
    except sqlite3.Error:  # then there is nothing to find the tables by
        return False
    complete = True
    for table in TABLES:
        columns = _columns(source, table)
        if replace:
            target.execute(f"DELETE FROM {table}")
        marks = ", ".join("?" * len(columns))
        insert = f"INSERT OR REPLACE INTO {table} ({', '.join(columns)}) VALUES ({marks})"
        for row in _rows(source, table, columns):
            try:
                if row is None:
                    complete = False
                else:
                    target.execute(insert, row)
            except sqlite3.IntegrityError:  # damage that SQLite does not see: a value of another type
                complete = False
    return complete


def _columns(source: sqlite3.Connection, table: str) -> tuple[str, ...]:
    """Return the table's columns but those that the source's format does not have yet."""
    found = {name for _, name, *_ in source.execute(f"PRAGMA table_info({table})")}
    return tuple(name for name in TABLES[table] if name in found or not found)


def _rows(source: sqlite3.Connection, table: str, columns: tuple[str, ...]) -> Iterator[_Row | None]:
    """Yield the rows in their order, and None where some may be missing."""
    # One after the other by their number: behind a damaged page there may be good ones.
    query = f"SELECT rowid, {', '.join(columns)} FROM {table} NOT INDEXED WHERE rowid > ? ORDER BY rowid"
    last, gap = -1, 0
    while gap < _MAX_GAP:
        try:
            for number, *row in source.execute(query, (last,)):
                if number <= last:  # damage that SQLite does not see: it would be read for ever
                    break
                last, gap = number, 0
                yield tuple(row)
            else:
                return
        except sqlite3.Error as error:
            if not is_damaged(error):  # it will not be better with the next
                yield None
                return
        if not gap:
            yield None
        last, gap = last + 1, gap + 1
