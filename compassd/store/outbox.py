"""Messages that wait for their destination, in order, and dead letters: those that will not be sent."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from compassd.errors import StoreError
from compassd.notice import Message
from compassd.store import codec
from compassd.store.database import Database
from compassd.store.rows import Limits, insert, row_of, trim_dead

_MAX_FAULT = 300
_PAGE = 50
# Nothing is postponed for so long: a server may ask for an hour, and pauses add minutes. Who sees more has a
# clock that was put back.
_MAX_POSTPONED_NS = 2 * 3_600 * 1_000_000_000


@dataclass(frozen=True, slots=True)
class Waiting:
    """A message that is due.

    Attributes:
        message: The message.
        since: When it was made, or revived from a dead letter, Unix time in ns.
        attempts: How many attempts to send it have failed.
        uncertain: Whether one of them may have succeeded all the same.
    """

    message: Message
    since: int
    attempts: int
    uncertain: bool = False


class _ChangedError(Exception):
    """Rows are not there any more."""


class Outbox:
    """What couriers ask of the store. All methods may be called from any thread.

    Args:
        database: Where the messages are.
        limits: How many dead letters are kept.
    """

    def __init__(self, database: Database, limits: Limits) -> None:
        self._database = database
        self._limits = limits

    def next(self, destination: str, now: int) -> Waiting | None:
        """Return the oldest message that is due at now, Unix time in ns; None if there is none.

        One that is about the same as an older one is not due before that one has gone. One that cannot be
        read becomes a dead letter.
        """
        query = (
            "SELECT number, since, attempts, in_flight, id, created_at, body FROM message WHERE number = ?"
        )

        def find(connection: sqlite3.Connection) -> Sequence[Any] | None:
            for number, not_before in _first_of_each(connection, destination):
                if _is_due(not_before, now):
                    row: Sequence[Any] = connection.execute(query, (number,)).fetchone()
                    return row
            return None

        while row := self._database.read(find):
            number, since, attempts, in_flight, *parts = row
            message = self._decoded(destination, number, parts)
            if message is not None:
                return Waiting(message, since, attempts, bool(in_flight))
        return None

    def due_at(self, destination: str, now: int) -> int | None:
        """Return when the next message is due, now if it is overdue, Unix time in ns; None if none waits."""

        def find(connection: sqlite3.Connection) -> int | None:
            times = (not_before for _, not_before in _first_of_each(connection, destination))
            return min((now if _is_due(time, now) else time for time in times), default=None)

        return self._database.read(find)

    def backlog(self, destination: str) -> int:
        """Return how many messages wait, those in flight included."""
        query = "SELECT count(*) FROM message INDEXED BY waiting WHERE destination = ? AND dead IS NULL"
        row = self._row(query, (destination,))
        return row[0] if row else 0

    def backlogs(self) -> dict[str, int]:
        """Return how many messages wait for each destination that there are any for."""
        query = "SELECT destination, count(*) FROM message WHERE dead IS NULL GROUP BY destination"
        return dict(self._database.read(lambda connection: connection.execute(query).fetchall()))

    def has_failed(self, destination: str) -> bool:
        """Return whether an attempt to send one of the messages that wait has failed."""
        query = "SELECT 1 FROM message WHERE destination = ? AND dead IS NULL AND attempts > 0 LIMIT 1"
        return self._row(query, (destination,)) is not None

    def begin(self, message: Message) -> bool:
        """Note that an attempt begins, after which nobody knows whether the message has arrived.

        Returns:
            Whether it still waits; if not, it must not be sent.
        """
        return self._update(message, "in_flight = 1")

    def delivered(self, message: Message) -> None:
        """Forget a message that was sent."""
        query = "DELETE FROM message WHERE destination = ? AND id = ?"
        self._database.write(
            lambda connection: connection.execute(query, (message.destination, message.id)).rowcount
        )

    def postpone(self, message: Message, not_before: int, fault: str, *, uncertain: bool = False) -> None:
        """Note that an attempt failed, and let the message wait until not_before, Unix time in ns.

        If it is uncertain whether the message has arrived, it stays one that keeps its id.
        """
        self._update(
            message,
            "in_flight = ?, attempts = attempts + 1, not_before = ?, fault = ?",
            uncertain,
            not_before,
            fault[:_MAX_FAULT],
        )

    def bury(self, message: Message, reason: str) -> None:
        """Make the message a dead letter."""
        where = "destination = ? AND id = ?"
        self._bury(message.destination, reason, where, message.destination, message.id)

    def bury_all(self, destination: str, reason: str, retries: int) -> int:
        """Make all that wait dead letters, and return how many these are.

        Args:
            destination: Whose.
            reason: Why they will not be sent.
            retries: What retries() has returned. If somebody has asked since then, nothing is done.
        """
        unasked = "? = (SELECT coalesce(max(retries), 0) FROM destination WHERE name = message.destination)"
        return self._bury(destination, reason, f"destination = ? AND {unasked}", destination, retries)

    def mergeable(self, destination: str) -> Iterator[Message]:
        """Yield the waiting messages in their order, but those that may have arrived: these keep their id.

        What has to wait for one of these is left out, too. They are read a few at a time, so that they need
        not all be in memory.
        """
        last = 0
        kept: set[str] = set()
        query = (
            "SELECT number, in_flight, topics, id, created_at, body FROM message"
            " WHERE destination = ? AND dead IS NULL AND number > ? ORDER BY number LIMIT ?"
        )
        while rows := self._database.read(
            lambda connection: connection.execute(query, (destination, last, _PAGE)).fetchall()  # noqa: B023
        ):
            for last, in_flight, topics, *parts in rows:
                mine = topics.split()
                if in_flight or not kept.isdisjoint(mine):
                    kept.update(mine)
                    continue
                message = self._decoded(destination, last, parts)
                if message is not None:
                    yield message

    def merge(self, destination: str, ids: Sequence[str], message: Message) -> bool:
        """Replace waiting messages by one, which takes the place of the oldest of them.

        Returns:
            Whether that was done. If one of them does not wait any more, nothing was.
        """
        row = row_of(message)

        def replace(connection: sqlite3.Connection) -> None:
            numbers = []
            for message_id in ids:
                found = connection.execute(
                    "DELETE FROM message WHERE destination = ? AND id = ? AND dead IS NULL AND in_flight = 0"
                    " RETURNING number",
                    (destination, message_id),
                ).fetchall()
                if not found:
                    raise _ChangedError
                numbers.append(found[0][0])
            insert(connection, row, number=min(numbers))

        try:
            self._database.write(replace)
        except _ChangedError:
            return False
        return True

    def shift(self, jump_ns: int) -> None:
        """Move the times of what waits along with a clock that was set forward by so many ns, or back."""
        query = """UPDATE message SET since = since + :jump,
            not_before = iif(not_before, max(1, not_before + :jump), 0) WHERE dead IS NULL"""
        self._database.write(lambda connection: connection.execute(query, {"jump": jump_ns}).rowcount)

    def retries(self, destination: str) -> int:
        """Return how often somebody has asked to try this destination again."""
        row = self._row("SELECT retries FROM destination WHERE name = ?", (destination,))
        return row[0] if row else 0

    def _row(self, query: str, values: Mapping[str, object] | Sequence[object]) -> Sequence[Any] | None:
        row: Sequence[Any] | None = self._database.read(
            lambda connection: connection.execute(query, values).fetchone()
        )
        return row

    def _decoded(self, destination: str, number: int, parts: Sequence[Any]) -> Message | None:
        message_id, created_at, body = parts
        try:
            notice = codec.decode(body)
        except StoreError as error:
            self._bury(destination, f"unreadable: {error}", "number = ?", number)
            return None
        return Message(id=message_id, destination=destination, created_at=created_at, notice=notice)

    def _update(self, message: Message, changes: str, *values: object) -> bool:
        query = f"UPDATE message SET {changes} WHERE destination = ? AND id = ? AND dead IS NULL"
        changed = self._database.write(
            lambda connection: connection.execute(query, (*values, message.destination, message.id)).rowcount
        )
        return changed > 0

    def _bury(self, destination: str, reason: str, where: str, *values: object) -> int:
        query = f"UPDATE message SET dead = ? WHERE dead IS NULL AND {where}"

        def bury(connection: sqlite3.Connection) -> int:
            buried = connection.execute(query, (reason[:_MAX_FAULT], *values)).rowcount
            if buried:
                trim_dead(connection, destination, self._limits)
            return buried

        return self._database.write(bury)


def _first_of_each(connection: sqlite3.Connection, destination: str) -> Iterator[tuple[int, int]]:
    """Yield the number and not_before of what waits, in its order, and for nothing older about the same."""
    query = """SELECT number, not_before, topics FROM message INDEXED BY waiting
        WHERE destination = ? AND dead IS NULL ORDER BY number"""
    older: set[str] = set()
    for number, not_before, topics in connection.execute(query, (destination,)):
        mine = topics.split()
        if older.isdisjoint(mine):
            yield number, not_before
        older.update(mine)


def _is_due(not_before: int, now: int) -> bool:
    return not now < not_before <= now + _MAX_POSTPONED_NS
