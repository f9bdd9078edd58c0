"""The daemon during a measurement, and whether it saw what was measured."""

from __future__ import annotations

import re
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from bench.errors import BenchError
from bench.stand import Ground
from lab.compassd import STDOUT_ONLY, Compassd

_STOPPED = re.compile(r"compassd stopped: (\d+) requests, (\d+) over the smallest budget, .* (\d+) lost")


@dataclass(frozen=True, slots=True)
class Watch:
    """How the daemon watches.

    Attributes:
        budget: The only rule's budget of duration.
        sampling: Whether every request gets a call tree.
        is_exceeded: Whether every request exceeds the budget; otherwise none does.
    """

    budget: str
    sampling: bool = True
    is_exceeded: bool = False


QUIET = Watch(budget="10m")
WITHOUT_SAMPLING = Watch(budget="10m", sampling=False)
EVERY_REQUEST_OVER = Watch(budget="1us", is_exceeded=True)
WATCHES = (WITHOUT_SAMPLING, QUIET, EVERY_REQUEST_OVER)


@contextmanager
def watched(ground: Ground, watch: Watch) -> Iterator[Compassd]:
    """Run a daemon that is attached to the extension."""
    sampling = "" if watch.sampling else "sampling = false\n"
    with tempfile.TemporaryDirectory(dir=ground.directory) as directory:
        daemon = Compassd(
            Path(directory),
            extension=[ground.extension],
            rules=f'[[rule]]\nname = "all"\nbudget = {{ duration = "{watch.budget}" }}\n',
            settings=f"{sampling}query_strings = true\n{STDOUT_ONLY}",
            # The lab's is a test's; this is what the daemon does by itself.
            environment={"COMPASSD_RESCAN_INTERVAL": "5s"},
        )
        with daemon:
            yield daemon


def check_seen(daemon: Compassd, watch: Watch, requests: int) -> None:
    """Stop the daemon and make sure that it saw so many requests at least: it watches all of the machine."""
    if daemon.stop() != 0:
        raise BenchError(f"compassd failed:\n{daemon.log_text()}")
    found = _STOPPED.search(daemon.log_text())
    if found is None:
        raise BenchError(f"compassd did not say how it ended:\n{daemon.log_text()}")
    seen, over, lost = map(int, found.groups())
    if seen < requests or over < (requests if watch.is_exceeded else 0) or lost:
        raise BenchError(f"{requests} requests were measured, but compassd says:\n{daemon.log_text()}")
