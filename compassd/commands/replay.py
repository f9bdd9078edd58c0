"""`compassd replay`: what rules would have told of a capture, and what they would change."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TextIO

from compassd.capture import open_capture
from compassd.commands.trial_rules import rules_to_try
from compassd.rules.load import load_rules
from compassd.trial.replay import replay as replay_capture
from compassd.trial.replay_text import replay_document, replay_text


def replay(  # noqa: PLR0913 - each is one option
    config: Path | None, rules: Path | None, against: Path | None, source: str, out: TextIO, *, as_json: bool
) -> int:
    """Print what the rules would have told, and return the exit status.

    Args:
        config: The settings, None for the default place.
        rules: The rules, None for those that the settings name.
        against: Rules to compare them with, None for none.
        source: A capture, or "-" for standard input.
        out: Gets text or JSON.
        as_json: Whether it is JSON.

    Raises:
        CompassError: The rules or the capture cannot be used.
    """
    tried = rules_to_try(config, rules)
    old = load_rules(against) if against else None
    with open_capture(source) as requests:
        found = replay_capture(
            requests, tried.ruleset, old, tried.incidents, tried.destinations, tried.told_each
        )
    if as_json:
        out.write(json.dumps(replay_document(found), ensure_ascii=False) + "\n")
    else:
        out.write(replay_text(found))
    return 0
