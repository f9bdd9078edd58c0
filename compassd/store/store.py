"""What the daemon keeps: incidents, the outbox, and what destinations remember."""

from __future__ import annotations

import sqlite3
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path

from compassd.notice import Message
from compassd.store.database import RETRY_S, Database, DurableDatabase
from compassd.store.outbox import Outbox
from compassd.store.rows import Limits, insert, row_of, trim_waiting

_NOTHING: Mapping[str, bytes] = {}


class Store:
    """The state directory's contents. All methods may be called from any thread; none takes long.

    Args:
        database: Where everything is; closed by close().
        limits: How much is kept for each destination.
    """

    def __init__(self, database: Database, limits: Limits | None = None) -> None:
        self._database = database
        self._limits = limits or Limits()
        self.outbox = Outbox(database, self._limits)

    @classmethod
    def open(cls, directory: Path, *, limits: Limits | None = None, retry_s: float = RETRY_S) -> Store:
        """Return the store of a state directory, both made if they are missing. Nobody else may have it open.

        While it cannot be written it goes on in memory, and says so in the log; a damaged one is moved aside,
        and what can be read of it is carried over.

        Args:
            directory: The state directory.
            limits: How much is kept for each destination.
            retry_s: How often to try again to write, s.

        Raises:
            StoreError: It cannot be used: no permission, another compassd, a newer release's file.
        """
        return cls(DurableDatabase(directory, retry_s=retry_s), limits)

    def commit(
        self,
        *,
        messages: Sequence[Message] = (),
        incidents: Mapping[str, bytes] = _NOTHING,
        exemplars: Mapping[str, bytes] = _NOTHING,
        removed: Collection[str] = (),
        meta: Mapping[str, bytes] = _NOTHING,
    ) -> None:
        """Save everything in one transaction: all of it, or nothing.

        Args:
            messages: To be sent. One whose id waits for its destination already is ignored.
            incidents: States of incidents by their keys, which replace older ones.
            exemplars: The same for what is large and changes less often.
            removed: Keys of incidents that are over; their exemplars go, too.
            meta: Anything else, by key.
        """
        rows = [row_of(message) for message in messages]

        def save(connection: sqlite3.Connection) -> None:
            for table, values in (("incident", incidents), ("exemplar", exemplars), ("meta", meta)):
                connection.executemany(
                    f"INSERT INTO {table} (key, value) VALUES (?, ?)"
                    " ON CONFLICT (key) DO UPDATE SET value = excluded.value",
                    values.items(),
                )
            for table in ("incident", "exemplar"):
                connection.executemany(f"DELETE FROM {table} WHERE key = ?", [(key,) for key in removed])
            for row in rows:
                insert(connection, row)
            for destination in {message.destination for message in messages}:
                trim_waiting(connection, destination, self._limits)

        self._database.write(save)

    def incidents(self) -> dict[str, bytes]:
        """Return the saved states of incidents."""
        return self._values("incident")

    def exemplars(self) -> dict[str, bytes]:
        """Return the saved exemplars of incidents."""
        return self._values("exemplar")

    def meta(self) -> dict[str, bytes]:
        """Return what else was saved."""
        return self._values("meta")

    def memory(self, destination: str) -> DestinationMemory:
        """Return what the destination of this name remembers."""
        return DestinationMemory(self._database, destination)

    def close(self) -> None:
        """Close the file, after what is only in memory was written, if that is possible."""
        self._database.close()

    def _values(self, table: str) -> dict[str, bytes]:
        query = f"SELECT key, value FROM {table}"
        return dict(self._database.read(lambda connection: connection.execute(query).fetchall()))


class DestinationMemory:
    """What one destination keeps from one message to the next.

    Args:
        database: Where it is.
        destination: The destination's name.
    """

    def __init__(self, database: Database, destination: str) -> None:
        self._database = database
        self._destination = destination

    def get(self, key: str) -> str | None:
        """Return what was put under key, None if nothing was."""
        query = "SELECT value FROM memory WHERE destination = ? AND key = ?"
        row = self._database.read(
            lambda connection: connection.execute(query, (self._destination, key)).fetchone()
        )
        return str(row[0]) if row else None

    def put(self, key: str, value: str | None) -> None:
        """Keep value under key; None forgets it."""
        if value is None:
            query, values = "DELETE FROM memory WHERE destination = ? AND key = ?", (self._destination, key)
            self._database.write(lambda connection: connection.execute(query, values).rowcount)
            return
        insert_value = (
            "INSERT INTO memory (destination, key, value) VALUES (?, ?, ?)"
            " ON CONFLICT (destination, key) DO UPDATE SET value = excluded.value"
        )
        self._database.write(
            lambda connection: connection.execute(insert_value, (self._destination, key, value)).rowcount
        )
