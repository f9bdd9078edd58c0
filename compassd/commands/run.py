"""`compassd run`: the daemon."""

from __future__ import annotations

from functools import partial
from pathlib import Path

from compassd import logs
from compassd.daemon import Daemon
from compassd.delivery import Delivery
from compassd.destinations.factory import build_destinations
from compassd.kernel.start import load_program
from compassd.rules.load import load_rules
from compassd.settings import load_settings
from compassd.signals import Signals


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
    load = partial(load_rules, rules or settings.rules, settings.destinations, sampling=settings.sampling)
    loaded = load()  # before the kernel is touched: a typo should cost nothing
    program = load_program(settings)
    daemon = Daemon(
        settings=settings,
        rules=loaded,
        load_rules=load,
        program=program,
        delivery=Delivery(
            build_destinations(settings),
            queue_size=settings.queue_size,
            query_strings=settings.query_strings,
        ),
        signals=signals,
    )
    daemon.run()
    return 0
