"""`compassd run`: the daemon."""

from __future__ import annotations

import logging
import socket
import time
from functools import partial
from pathlib import Path

from compassd import logs
from compassd.daemon import Daemon
from compassd.delivery import Delivery
from compassd.destinations.factory import build_destinations
from compassd.kernel.program import Program
from compassd.post_office import PostOffice
from compassd.rules.load import load_file
from compassd.rules.match import RuleSet
from compassd.settings import Settings, load_settings
from compassd.signals import Signals
from compassd.waits.functions import kernel_sources
from compassd.waits.kinds import TextPolicy

log = logging.getLogger(__name__)


def run(config: Path | None, rules: Path | None) -> int:
    """Load everything, watch until SIGTERM or SIGINT, and return the exit status.

    Args:
        config: The settings, None for the default place.
        rules: The rules, None for the place that the settings name.

    Raises:
        CompassError: It cannot start.
    """
    settings = load_settings(config)
    logs.configure(settings.log_level)
    signals = Signals()
    signals.install()
    load = partial(_load, rules or settings.rules, settings)
    loaded = load()  # before the kernel is touched: a typo should cost nothing
    destinations = build_destinations(settings)
    post = PostOffice(settings, socket.gethostname(), destinations) if destinations.remote else None
    program = Program()
    if settings.sampling:
        program.start_sampling(settings.sample_rate)
        if settings.wait_texts is not TextPolicy.OFF:
            program.set_text_sources(kernel_sources())
    daemon = Daemon(
        settings=settings,
        rules=loaded,
        load_rules=load,
        program=program,
        delivery=Delivery(
            destinations.local,
            post,
            queue_size=settings.queue_size,
            query_strings=settings.query_strings,
        ),
        signals=signals,
    )
    daemon.run()
    return 0


def _load(path: Path, settings: Settings) -> RuleSet:
    """Load the rules and log what is hardly meant so in them.

    Raises:
        RulesError: They cannot be used.
    """
    loaded = load_file(path, settings.destinations, sampling=settings.sampling)
    for warning in loaded.warnings(settings.destinations, time.time_ns()):
        log.warning("%s", warning)
    return loaded.ruleset
