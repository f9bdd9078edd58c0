"""Rows of the message table: how they are made, and how their number and size are kept within bounds."""

from __future__ import annotations

import logging
import sqlite3
import uuid
from dataclasses import dataclass

from compassd import notice_facts
from compassd.breach import Severity
from compassd.notice import DigestNotice, DigestReason, Message
from compassd.store import codec

log = logging.getLogger(__name__)

# What a row is cut to when there are too many: some room, so that the next message does not cut again.
_CUT = 0.9
_MAX_SUMMARY = 200


@dataclass(frozen=True, slots=True)
class Limits:
    """How much is kept for one destination. While the disk is full, all of it is in memory.

    Attributes:
        messages: How many messages wait; beyond, the oldest are only counted.
        size: How much they take, bytes.
        dead_messages: How many dead letters are kept; beyond, the oldest go.
        dead_size: How much they take, bytes.
    """

    messages: int = 10_000
    size: int = 64 * 2**20
    dead_messages: int = 1_000
    dead_size: int = 16 * 2**20


Row = dict[str, object]


def row_of(message: Message) -> Row:
    """Return the columns of a new message."""
    body = codec.encode(message.notice)
    return {
        "destination": message.destination,
        "id": message.id,
        "kind": notice_facts.kind(message.notice),
        "summary": notice_facts.summary(message.notice)[:_MAX_SUMMARY],
        "server": notice_facts.server(message.notice),
        "severity": notice_facts.severity(message.notice).rank,
        "breaches": notice_facts.told_breaches(message.notice),
        "size": len(body),
        "begins_at": notice_facts.begins_at(message),
        "created_at": message.created_at,
        "since": message.created_at,
        "body": body,
        "topics": " ".join(sorted(notice_facts.topics(message.notice))),
    }


def insert(connection: sqlite3.Connection, row: Row, number: int | None = None) -> None:
    """Insert a waiting message, unless it is there already, waiting or dead.

    Args:
        connection: In a transaction.
        row: What row_of() returned.
        number: Its place; None for the end.
    """
    columns = {"number": number, **row}
    connection.execute(
        f"INSERT INTO message ({', '.join(columns)}) VALUES ({', '.join(f':{name}' for name in columns)})"
        " ON CONFLICT (destination, id) DO NOTHING",
        columns,
    )


def trim_waiting(connection: sqlite3.Connection, destination: str, limits: Limits) -> None:
    """If too much waits, replace the oldest messages by a digest that says how many breaches they were.

    Without reading them: that would take too long for who waits for the transaction. One that may have
    arrived stays.
    """
    count, size = connection.execute(
        "SELECT count(*), coalesce(sum(size), 0) FROM message INDEXED BY waiting"
        " WHERE destination = ? AND dead IS NULL",
        (destination,),
    ).fetchone()
    if count <= limits.messages and size <= limits.size:
        return
    victims = []
    for number, row_size in connection.execute(
        "SELECT number, size FROM message INDEXED BY waiting"
        " WHERE destination = ? AND dead IS NULL AND in_flight = 0 ORDER BY number",
        (destination,),
    ):
        victims.append(number)
        count, size = count - 1, size - row_size
        if count < limits.messages * _CUT and size < limits.size * _CUT:
            break
    if victims:
        _count_only(connection, destination, victims[0], victims[-1])


def _count_only(connection: sqlite3.Connection, destination: str, first: int, last: int) -> None:
    where = "destination = ? AND dead IS NULL AND in_flight = 0 AND number BETWEEN ? AND ?"
    values = (destination, first, last)
    messages, breaches, rank, since, until, server = connection.execute(
        "SELECT count(*), sum(breaches), max(severity), min(begins_at), max(created_at), max(server)"
        f" FROM message WHERE {where}",
        values,
    ).fetchone()
    connection.execute(f"DELETE FROM message WHERE {where}", values)
    digest = DigestNotice(
        reason=DigestReason.OUTAGE,
        server=server,
        since=since,
        until=until,
        incidents=0,
        new_hits=0,
        severity=next(found for found in Severity if found.rank == rank),
        lines=(),
        dropped=breaches,
    )
    message = Message(id=uuid.uuid4().hex, destination=destination, created_at=until, notice=digest)
    insert(connection, row_of(message), number=first)
    log.warning(
        "destination %s: too much waits for it; the oldest %d messages, %d breaches, will only be counted",
        destination,
        messages,
        breaches,
    )


def trim_dead(connection: sqlite3.Connection, destination: str, limits: Limits) -> None:
    """Remove the oldest dead letters beyond the bounds, and count them."""
    kept = size = 0
    for number, row_size in connection.execute(
        "SELECT number, size FROM message INDEXED BY dead"
        " WHERE destination = ? AND dead IS NOT NULL ORDER BY number DESC",
        (destination,),
    ):
        kept, size = kept + 1, size + row_size
        if kept > limits.dead_messages or size > limits.dead_size:
            removed = connection.execute(
                "DELETE FROM message WHERE destination = ? AND dead IS NOT NULL AND number <= ?",
                (destination, number),
            ).rowcount
            connection.execute(
                "INSERT INTO destination (name, discarded) VALUES (?, ?)"
                " ON CONFLICT (name) DO UPDATE SET discarded = discarded + excluded.discarded",
                (destination, removed),
            )
            return
