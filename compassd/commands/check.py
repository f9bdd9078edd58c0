"""`compassd check`: are the rules usable?"""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TextIO

from compassd.destinations.tls import client_tls
from compassd.errors import ConfigurationError
from compassd.rules.check import Report
from compassd.rules.check import check as check_rules
from compassd.rules.codes import Code
from compassd.rules.problems import Problem, file_name
from compassd.service_user import as_service_user
from compassd.settings import DEFAULT_CONFIG, Settings, load_settings
from compassd.settings_sources import SERVICE_CREDENTIALS


@dataclass(frozen=True, slots=True)
class CheckOptions:
    """What to check, and how to say what is found.

    Attributes:
        config: The settings, None for the default place.
        rules: The rules, None for the place that the settings name.
        json: Whether to write one JSON document instead of text.
        strict: Whether a warning is as bad as an error.
        secrets: Whether the destinations' secrets are to be there; else only their names are looked at.
    """

    config: Path | None
    rules: Path | None
    json: bool
    strict: bool
    secrets: bool = True


def check(options: CheckOptions, out: TextIO, err: TextIO) -> int:
    """Validate the rules, say what is wrong with them, and return the exit status.

    Raises:
        ConfigurationError: The settings are unusable. As JSON it is a problem like the others.
    """
    if not options.json:
        report = _report(options)
        report.print(out, err)
        return int(not report.ok)
    try:
        report = _report(options)
    except ConfigurationError as error:
        report = _unusable_settings(options, error)
    report.print_json(out)
    return int(not report.ok)


def _report(options: CheckOptions) -> Report:
    """Check the rules.

    What they need of the settings (the destinations they name, the sampler) is checked if there are settings:
    those given, or those installed.
    """
    if options.config is None and options.rules is not None and not DEFAULT_CONFIG.exists():
        return check_rules(options.rules, now_ns=time.time_ns(), strict=options.strict)
    settings = load_settings(options.config, secrets=options.secrets)
    if options.secrets and (faults := list(_tls_faults(settings))):
        raise ConfigurationError("\n".join(map(str, faults)), hint=faults[0].hint)
    return check_rules(
        options.rules or settings.rules,
        settings.destinations,
        now_ns=time.time_ns(),
        sampling=settings.sampling,
        strict=options.strict,
    )


def _tls_faults(settings: Settings) -> Iterator[ConfigurationError]:
    """Yield why files of certificates and keys cannot be used, as the daemon would find at its start."""
    for name, destination in settings.destinations.items():
        tls = client_tls(destination)
        # What systemd keeps is there only while the service runs.
        kept = [file for file in tls.files.values() if file.is_relative_to(SERVICE_CREDENTIALS)]
        if not all(os.access(file, os.F_OK) for file in kept):
            continue
        try:
            with as_service_user():
                tls.check(name)
        except ConfigurationError as error:
            yield error


def _unusable_settings(options: CheckOptions, error: ConfigurationError) -> Report:
    file = file_name(options.config or DEFAULT_CONFIG)
    problems = [
        Problem(code=Code.SETTINGS, file=file, message=line, hint=error.hint)
        for line in str(error).splitlines()
    ]
    return Report(file, 0, problems, options.strict)
