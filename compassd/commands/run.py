"""`compassd run`: the daemon."""

from __future__ import annotations

import logging
import socket
import sys
import time
from enum import StrEnum
from functools import partial
from pathlib import Path

from compassd import logs
from compassd.daemon import Daemon
from compassd.delivery import Delivery, Teller
from compassd.destinations.factory import build_destinations
from compassd.dry_run import DryRun
from compassd.errors import ConfigurationError
from compassd.handover import inherit_from_systemd
from compassd.kernel.start import load_program
from compassd.post_office import PostOffice
from compassd.privileges import Privileged, privileged
from compassd.rules.load import load_file
from compassd.rules.match import RuleSet
from compassd.settings import Settings, load_settings
from compassd.signals import Signals
from compassd.thread_death import watch_threads

log = logging.getLogger(__name__)

# What run ends with if it is pointless to start it again: EX_CONFIG of sysexits.h. The unit names it.
EXIT_CONFIGURATION = 78


class DryRunFormat(StrEnum):
    """How a dry run prints: the command line's names."""

    TEXT = "text"
    JSON = "json"


def run(
    config: Path | None,
    rules: Path | None,
    dry_run: DryRunFormat | None = None,
    *,
    drop_privileges: bool = False,
) -> int:
    """Load everything, watch until SIGTERM or SIGINT, and return the exit status.

    Args:
        config: The settings, None for the default place.
        rules: The rules, None for the place that the settings name.
        dry_run: How to print what would be told instead of telling it; None to tell it.
        drop_privileges: Whether to give up every capability after attaching. Then attaching to what is new
            is left to the next process: this one ends with EXIT_AGAIN.

    Raises:
        CompassError: It cannot start.
    """
    # First of all, before the log has a thread.
    with privileged(drop=drop_privileges) as call:
        try:
            daemon = _start(config, rules, dry_run, call, attaches_once=drop_privileges)
        except ConfigurationError as error:
            error.exit_status = EXIT_CONFIGURATION
            raise
    return daemon.run()


def _start(
    config: Path | None,
    rules: Path | None,
    dry_run: DryRunFormat | None,
    call: Privileged,
    *,
    attaches_once: bool,
) -> Daemon:
    """Return the daemon, attached."""
    settings = load_settings(config)
    logs.configure(settings.log_level)
    signals = Signals()
    signals.install()
    watch_threads(signals.fail)
    handover = inherit_from_systemd()
    load = partial(_load, rules or settings.rules, settings)
    loaded = load()  # before the kernel is touched: a typo should cost nothing
    delivery = _delivery(settings) if dry_run is None else _dry_run(settings, signals, dry_run)
    program = call(partial(load_program, settings))
    daemon = Daemon(
        settings=settings,
        rules=loaded,
        load_rules=load,
        program=program,
        delivery=delivery,
        signals=signals,
        handover=handover,
        attaches_once=attaches_once,
    )
    call(daemon.attach)
    return daemon


def _delivery(settings: Settings) -> Teller:
    destinations = build_destinations(settings)
    post = PostOffice(settings, socket.gethostname(), destinations) if destinations.remote else None
    return Delivery(
        destinations.local, post, queue_size=settings.queue_size, query_strings=settings.query_strings
    )


def _dry_run(settings: Settings, signals: Signals, wanted: DryRunFormat) -> Teller:
    def stop() -> None:
        signals.stop = True

    if sys.stdout is None:
        raise ConfigurationError("standard output is closed", hint="start compassd run --dry-run without >&-")
    as_json = wanted is DryRunFormat.JSON
    descriptor = sys.stdout.fileno()
    log.info("dry run: nothing is sent, and nothing is kept")
    return DryRun(settings, socket.gethostname(), descriptor, as_json=as_json, reader_gone=stop)


def _load(path: Path, settings: Settings) -> RuleSet:
    """Load the rules and log what is hardly meant so in them.

    Raises:
        RulesError: They cannot be used.
    """
    loaded = load_file(path, settings.destinations, sampling=settings.sampling)
    for warning in loaded.warnings(settings.destinations, time.time_ns()):
        log.warning("%s", warning)
    return loaded.ruleset
