"""What a check found."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class Verdict(StrEnum):
    """How a check went."""

    OK = "ok"
    WARN = "warn"
    FAIL = "FAIL"


@dataclass(frozen=True, slots=True)
class Finding:
    """One line of the doctor's report.

    Attributes:
        verdict: How it went.
        subject: What was looked at, in a word or two.
        detail: What was found.
        mend: What to do about it, "" if nothing needs to be done.
    """

    verdict: Verdict
    subject: str
    detail: str
    mend: str = ""

    def __str__(self) -> str:
        """Return the line that is printed."""
        line = f"{self.verdict:<5} {self.subject}: {self.detail}"
        return f"{line}; {self.mend}" if self.mend else line
