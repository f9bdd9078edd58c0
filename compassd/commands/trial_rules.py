"""The rules and settings that the commands try out."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from compassd.rules.load import load_rules
from compassd.rules.match import RuleSet
from compassd.settings import IncidentSettings, load_settings
from compassd.settings_destinations import gets_incidents

EVERY_DESTINATION = ("every destination",)
"""Stands for those of the settings where there are none."""


@dataclass(frozen=True, slots=True)
class TrialRules:
    """What is tried out.

    Attributes:
        ruleset: The rules.
        incidents: How breaches become incidents.
        destinations: Whom to tell where a rule does not say.
        told_each: Of all destinations those that are told of each breach instead of incidents.
    """

    ruleset: RuleSet
    incidents: IncidentSettings
    destinations: Sequence[str]
    told_each: frozenset[str] = frozenset()


def rules_to_try(config: Path | None, rules: Path | None) -> TrialRules:
    """Return the rules in a file, or those that the settings name.

    A file of rules stands for itself: only with settings is it asked whether its destinations exist, as rules
    are tried out also where nothing is installed.

    Raises:
        ConfigurationError: They cannot be used.
    """
    if rules is not None and config is None:
        return TrialRules(load_rules(rules), IncidentSettings(), EVERY_DESTINATION)
    settings = load_settings(config)
    ruleset = load_rules(rules or settings.rules, settings.destinations, sampling=settings.sampling)
    told_each = {name for name, wanted in settings.destinations.items() if not gets_incidents(wanted)}
    return TrialRules(ruleset, settings.incidents, tuple(settings.destinations), frozenset(told_each))
