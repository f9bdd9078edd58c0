"""What kind of text a wait comes with, and how much of it may be shown."""

from __future__ import annotations

from enum import StrEnum


class TextKind(StrEnum):
    """What a text is. It decides how it is masked."""

    SQL = "sql"
    """A statement, in whatever dialect the server speaks."""
    RESOURCE = "resource"
    """A URL or the path of a file: fopen and its friends take both."""
    KEY = "key"
    """A key of Redis or Memcached, or a command."""
    HOST = "host"
    """The name or address of a server, maybe with a port, as in tcp://db1:3306, or its Unix socket."""


class TextPolicy(StrEnum):
    """How much of the texts may leave the process."""

    MASKED = "masked"
    """Their shape: literals, credentials, query strings and ids are taken out."""
    RAW = "raw"
    """All of it, cleaned of what is harmful to show."""
    OFF = "off"
    """Nothing."""
