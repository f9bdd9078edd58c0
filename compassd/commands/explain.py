"""`compassd explain`: why each rule tells a request, or does not."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import TextIO

from compassd.capture import CapturedRequest, open_capture
from compassd.commands.trial_rules import rules_to_try
from compassd.errors import CompassError
from compassd.routes import RouteNamer
from compassd.rules.match import RuleSet
from compassd.trial.explain import explanation
from compassd.units import quoted


def explain(
    config: Path | None,
    rules: Path | None,
    what: str | CapturedRequest,
    only: str,
    out: TextIO,
) -> int:
    """Print what each rule says of each request, and return the exit status.

    Args:
        config: The settings, None for the default place.
        rules: The rules, None for those that the settings name.
        what: A capture, "-" for one on standard input, or a request.
        only: Name of the rule to tell about; "" for all of them.
        out: Gets the text.

    Raises:
        CompassError: The rules or the capture cannot be used.
    """
    ruleset = rules_to_try(config, rules).ruleset
    if only and only not in {rule.name for rule in ruleset.rules}:
        raise CompassError(f"there is no rule {quoted(only)}", hint="give --only the name of a rule")
    if isinstance(what, CapturedRequest):
        _explain(ruleset, [what], only, out)
        return 0
    with open_capture(what) as requests:
        _explain(ruleset, requests, only, out)
    return 0


def _explain(ruleset: RuleSet, requests: Iterable[CapturedRequest], only: str, out: TextIO) -> None:
    namer = RouteNamer(ruleset.routes)
    for number, captured in enumerate(requests):
        lines = explanation(ruleset, captured, namer.name(captured.request), only)
        out.write(("\n" if number else "") + "\n".join(lines) + "\n")
