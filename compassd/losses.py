"""What the kernel could not tell of, in words."""

from __future__ import annotations

import logging
from collections.abc import Mapping

from compassd.kernel.layout import Counter

log = logging.getLogger(__name__)

_LOSSES = {
    Counter.LOST: "%d requests over budget were lost: they came faster than they could be read",
    Counter.FOREIGN: "%d probes of another release of the extension were not understood: upgrade it",
    Counter.UNREADABLE: "%d requests could not be read from PHP's memory",
    Counter.TREES_LOST: "%d call trees were lost: they came faster than they could be read",
    Counter.TREELESS: "%d requests had no call tree: no memory for it, or an extension of another release",
    Counter.UNTRACKED: "%d requests found no room in the table of running requests",
}


def log_losses(counters: Mapping[Counter, int], before: Mapping[Counter, int]) -> None:
    """Log every counter of losses that has risen since it was as before."""
    for counter, text in _LOSSES.items():
        if lost := counters[counter] - before[counter]:
            log.warning(text, lost)
