"""stub"""

from enum import StrEnum


class TextKind(StrEnum):
    SQL = "sql"
    RESOURCE = "resource"
    KEY = "key"
    HOST = "host"


class TextPolicy(StrEnum):
    MASKED = "masked"
    RAW = "raw"
    OFF = "off"
