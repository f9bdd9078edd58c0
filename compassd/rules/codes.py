"""The kinds of problems of a rules file, each with a code that stays the same from release to release."""

from __future__ import annotations

from enum import StrEnum


class ProblemSeverity(StrEnum):
    """Whether a file can be used in spite of a problem."""

    ERROR = "error"
    WARNING = "warning"


class Code(StrEnum):
    """What kind of problem it is. docs/rule-errors.md has an example of each, and what to do.

    The first digit groups them: 0 the file, 1 its keys, 2 single values, 3 values that do not go together, 5
    warnings. A code that was released is never used for anything else.
    """

    UNREADABLE = "R001"
    TOO_LARGE = "R002"
    NOT_UTF8 = "R003"
    NOT_TOML = "R004"
    NO_RULES = "R005"
    SETTINGS = "R006"

    UNKNOWN_KEY = "R101"
    MISSING_KEY = "R102"
    NOT_A_TABLE = "R103"

    NAME = "R201"
    URI = "R202"
    URI_REGEX = "R203"
    METHOD = "R204"
    HOST = "R205"
    STATUS = "R206"
    GLOB = "R207"
    DURATION = "R208"
    SIZE = "R209"
    WAITS = "R210"
    FUNCTION = "R211"
    SEVERITY = "R212"
    DESTINATION = "R213"
    NUMBER = "R214"
    REASON = "R215"
    EXPIRES = "R216"
    ROUTE_NAME = "R217"

    NO_LIMIT = "R301"
    NAME_TWICE = "R302"
    UNKNOWN_DESTINATION = "R303"
    NO_SAMPLING = "R304"
    EMPTY_MATCH = "R305"
    OVERRIDES = "R306"
    WITHIN = "R307"

    NEVER = "R501"
    DUPLICATE = "R502"
    SHADOWED = "R503"
    UNUSED = "R504"
    EXPIRED = "R505"
    ROUTE_COVERED = "R506"

    @property
    def severity(self) -> ProblemSeverity:
        """Whether a file with such a problem can be used."""
        return ProblemSeverity.WARNING if self.value.startswith("R5") else ProblemSeverity.ERROR
