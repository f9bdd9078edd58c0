"""`compassd check`: are the rules usable?"""

from __future__ import annotations

from pathlib import Path
from typing import TextIO

from compassd.rules.check import check as check_rules
from compassd.settings import DEFAULT_CONFIG, load_settings


def check(config: Path | None, rules: Path | None, out: TextIO, err: TextIO) -> int:
    """Validate the rules, say what is wrong with them, and return the exit status.

    What the rules need of the settings (the destinations they name, the sampler) is checked if there are
    settings: those given, or those installed.

    Raises:
        ConfigurationError: The settings are unusable.
    """
    if config is None and rules is not None and not DEFAULT_CONFIG.exists():
        return check_rules(rules, None, out, err)
    settings = load_settings(config)
    return check_rules(rules or settings.rules, settings.destinations, out, err, sampling=settings.sampling)
