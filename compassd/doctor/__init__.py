"""`compassd doctor`: would alerts flow? One check after the other, each with its mend."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import TextIO

from compassd.doctor import configuration, kernel, php, service, state
from compassd.doctor.finding import Finding, Verdict
from compassd.settings import Settings


def doctor(config: Path | None, rules: Path | None, out: TextIO) -> int:
    """Run every check, print a line each, and return 0 only if alerts would flow.

    Args:
        config: The settings, None for the default place.
        rules: The rules, None for the place that the settings name.
        out: Where the lines go.
    """
    failed = 0
    for finding in _findings(config, rules):
        out.write(f"{finding}\n")
        out.flush()  # a check may take seconds
        failed += finding.verdict is Verdict.FAIL
    verdict = "alerts would flow" if not failed else f"alerts would NOT flow: {failed} checks failed"
    out.write(f"{verdict}\n")
    return 1 if failed else 0


def _findings(config: Path | None, rules: Path | None) -> Iterator[Finding]:
    yield from kernel.check_kernel()
    settings, problems = configuration.check_settings(config)
    yield from problems
    yield from _with_program(settings)
    yield from configuration.check_rules(rules or settings.rules, settings)
    pid = service.service_process()
    yield from state.check_state(settings, time.time_ns(), pid)
    if pid is not None:
        yield from service.check_ways(pid, os.environ)
    for check in configuration.destination_checks(settings):
        yield from _guarded(check)


def _with_program(settings: Settings) -> Iterator[Finding]:
    program, findings = kernel.load_program()
    yield from findings
    if program is not None:
        yield kernel.check_sampler(program, settings)
    yield from php.check_php(settings, program)
    if program is not None:
        program.close()


def _guarded(check: Callable[[], Iterable[Finding]]) -> Iterator[Finding]:
    """Run a check; an error that it does not expect is a failure, not the end of the other checks."""
    try:
        yield from check()
    except Exception as error:  # noqa: BLE001 - its text may hold a secret, so only its kind is told
        yield Finding(Verdict.FAIL, "destination", f"the check itself failed: {type(error).__name__}")
