"""The rules that the commands try out."""

from __future__ import annotations

from pathlib import Path

from compassd.rules.load import load_rules
from compassd.rules.match import RuleSet
from compassd.settings import load_settings


def rules_to_try(config: Path | None, rules: Path | None) -> RuleSet:
    """Return the rules in a file, or those that the settings name.

    A file of rules stands for itself: only with settings is it asked whether its destinations exist, as rules
    are tried out also where nothing is installed.

    Raises:
        ConfigurationError: They cannot be used.
    """
    if rules is not None and config is None:
        return load_rules(rules)
    settings = load_settings(config)
    return load_rules(rules or settings.rules, settings.destinations, sampling=settings.sampling)
