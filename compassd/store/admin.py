"""The outbox as `compassd outbox` shows and changes it, beside a running daemon."""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from dataclasses import dataclass

from compassd.errors import StoreError
from compassd.store.database import Database


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """A message in the outbox.

    Attributes:
        destination: Where it goes.
        id: Its id; two destinations may have a message of the same.
        kind: incident, digest, breach or test.
        summary: What it says, in one line.
        breaches: How many breaches it tells of.
        created_at: When it was made, Unix time in ns.
        attempts: How many attempts to send it have failed.
        not_before: When the next one may be, Unix time in ns; 0 at once.
        fault: Why the last attempt failed, "" if none has.
        dead: Why it will not be sent; None while it waits.
        size: Of what is kept of it, bytes.
    """

    destination: str
    id: str
    kind: str
    summary: str
    breaches: int
    created_at: int
    attempts: int
    not_before: int
    fault: str
    dead: str | None
    size: int


_COLUMNS = ", ".join(Entry.__slots__)


@dataclass(frozen=True, slots=True)
class Purged:
    """What was removed of one destination.

    Attributes:
        destination: Its name.
        waiting: Messages that waited.
        dead: Dead letters.
    """

    destination: str
    waiting: int
    dead: int


class OutboxAdmin:
    """What people do with the outbox.

    Args:
        database: Where it is.
    """

    def __init__(self, database: Database) -> None:
        self._database = database

    def entries(self, *, dead: bool) -> list[Entry]:
        """Return the dead letters, or what waits, by destination and in the order of sending."""
        where = f"dead IS {'NOT ' if dead else ''}NULL"
        query = f"SELECT {_COLUMNS} FROM message WHERE {where} ORDER BY destination, number"
        rows = self._database.read(lambda connection: connection.execute(query).fetchall())
        return [Entry(**dict(zip(Entry.__slots__, row, strict=True))) for row in rows]

    def discarded(self) -> dict[str, int]:
        """Return for destinations how many dead letters were removed for want of room, if any were."""
        query = "SELECT name, discarded FROM destination WHERE discarded > 0 ORDER BY name"
        return dict(self._database.read(lambda connection: connection.execute(query).fetchall()))

    def retry(self, targets: Sequence[str], now: int) -> dict[str, int]:
        """Let dead letters wait again and be tried at once, and what waits, too.

        Args:
            targets: Names of destinations, and ids of messages; none: everything.
            now: Unix time in ns, from which the time to live counts anew.

        Returns:
            For each destination concerned, how many dead letters wait again.

        Raises:
            StoreError: A target is neither.
        """

        def revive(connection: sqlite3.Connection) -> dict[str, int]:
            known = _destinations(connection)
            wanted = list(targets or known)
            revived: dict[str, int] = {}
            for target in wanted:
                column = "destination" if target in known else "id"
                for name in [target] if target in known else _destinations_of(connection, target):
                    revived[name] = revived.get(name, 0) + _revive(connection, column, target, name, now)
            for name in revived:
                connection.execute(
                    "INSERT INTO destination (name, retries) VALUES (?, 1)"
                    " ON CONFLICT (name) DO UPDATE SET retries = retries + 1",
                    (name,),
                )
            return revived

        return self._database.write(revive)

    def purge(self, destination: str | None, *, waiting: bool) -> list[Purged]:
        """Remove dead letters, and on demand what waits.

        Args:
            destination: Only of this one; None for all.
            waiting: Whether to remove what waits, too.

        Raises:
            StoreError: There is no such destination.
        """

        def remove(connection: sqlite3.Connection) -> list[Purged]:
            known = _destinations(connection)
            if destination is not None and destination not in known:
                raise _unknown(destination)
            purged = []
            for name in known if destination is None else [destination]:
                counts = dict.fromkeys((False, True), 0)
                for is_dead in (False, True) if waiting else (True,):
                    counts[is_dead] = connection.execute(
                        "DELETE FROM message WHERE destination = ? AND (dead IS NOT NULL) = ?",
                        (name, is_dead),
                    ).rowcount
                # Its name stays known, so that it can be tried again when it has no messages.
                connection.execute(
                    "INSERT INTO destination (name) VALUES (?)"
                    " ON CONFLICT (name) DO UPDATE SET discarded = 0",
                    (name,),
                )
                purged.append(Purged(name, counts[False], counts[True]))
            return purged

        return self._database.write(remove)


def _destinations(connection: sqlite3.Connection) -> list[str]:
    query = "SELECT name FROM destination UNION SELECT destination FROM message ORDER BY 1"
    return [name for (name,) in connection.execute(query)]


def _destinations_of(connection: sqlite3.Connection, message_id: str) -> list[str]:
    query = "SELECT destination FROM message WHERE id = ? ORDER BY destination"
    if names := [name for (name,) in connection.execute(query, (message_id,))]:
        return names
    raise _unknown(message_id)


def _revive(connection: sqlite3.Connection, column: str, target: str, destination: str, now: int) -> int:
    where = f"WHERE {column} = ? AND destination = ?"
    connection.execute(
        f"UPDATE message SET not_before = 0 {where} AND dead IS NULL AND not_before > 0",
        (target, destination),
    )
    return connection.execute(
        "UPDATE message SET dead = NULL, not_before = 0, attempts = 0, since = ?"
        f" {where} AND dead IS NOT NULL",
        (now, target, destination),
    ).rowcount


def _unknown(name: str) -> StoreError:
    return StoreError(
        f"there is no message and no destination {name} in the outbox",
        hint="see `compassd outbox list --dead`",
    )
