"""`compassd suggest`: a rules file from a capture."""

from __future__ import annotations

from typing import TextIO

from compassd.capture import open_capture
from compassd.errors import CompassError
from compassd.trial.suggest import suggest as suggest_rules
from compassd.trial.suggest_text import rules_file


def suggest(source: str, min_requests: int, out: TextIO) -> int:
    """Print rules for what was captured, and return the exit status.

    Args:
        source: A capture, or "-" for standard input.
        min_requests: Of how many requests of a kind a rule can be made.
        out: Gets the rules file.

    Raises:
        CompassError: The capture cannot be read, holds breaches, or is too small.
    """
    with open_capture(source, breaches=False) as requests:
        found = suggest_rules(requests, min_requests)
    if not found.rules:
        raise CompassError(
            f"of {found.requests} requests no route has {min_requests}",
            hint="capture for longer, or give --min-requests",
        )
    out.write(rules_file(found))
    return 0
