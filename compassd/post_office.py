"""Everything between breaches and remote destinations: the store, the clerk that fills it, the couriers."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from types import MappingProxyType

from compassd.breach import Breach
from compassd.clerk import Clerk, ClerkCounters
from compassd.clock import Clock
from compassd.courier import OUTAGE_NS, Courier, CourierStats
from compassd.destinations.factory import Destinations
from compassd.incidents.book import BookCounters
from compassd.outgoing import Backoff
from compassd.settings import Settings
from compassd.store.store import Store

log = logging.getLogger(__name__)


class PostOffice:
    """Tells remote destinations. Its threads start at once.

    Args:
        settings: The settings.
        server: Name of this machine.
        destinations: Of these the remote ones; they are closed by close().
        backoff: How failed attempts are repeated.
        outage_ns: From when on a destination that could not be reached gets a digest of what waited, ns. One
            that is told of each breach is told of each then, too.
        clock: The time.

    Raises:
        StoreError: The state directory cannot be used.
    """

    def __init__(  # noqa: PLR0913 - most with a default, for tests
        self,
        settings: Settings,
        server: str,
        destinations: Destinations,
        *,
        backoff: Backoff | None = None,
        outage_ns: int = OUTAGE_NS,
        clock: Clock | None = None,
    ) -> None:
        clock = clock or Clock()
        self._store = Store.open(settings.state_directory)
        self._couriers = {
            destination.name: Courier(
                destination,
                self._store,
                backoff=backoff,
                outage_ns=None if destination.name in destinations.each else outage_ns,
                clock=clock.now,
            )
            for destination in destinations.remote
        }
        for name, count in self._store.outbox.backlogs().items():
            if name not in self._couriers:
                log.warning(
                    "destination %s: %d messages wait for it, but the settings do not name it any more;"
                    " `compassd outbox purge --all %s` removes them",
                    name,
                    count,
                    name,
                )
        self._clerk = Clerk(
            settings.incidents,
            server,
            self._store,
            self._couriers,
            each=destinations.each,
            queue_size=settings.queue_size,
            clock=clock,
        )

    @property
    def couriers(self) -> Mapping[str, Courier]:
        """The couriers by the names of their destinations."""
        return MappingProxyType(self._couriers)

    def accept(self, breach: Breach) -> None:
        """Queue a breach, redacted, if it has a destination here; never blocks and never fails."""
        if any(name in self._couriers for name in breach.destinations):
            self._clerk.accept(breach)

    def note_requests(self, finished: int) -> None:
        """Take note of how many requests have finished since the daemon began."""
        self._clerk.note_requests(finished)

    def counters(self) -> ClerkCounters:
        """Return what became of the breaches."""
        return self._clerk.counters()

    def incidents(self) -> BookCounters:
        """Return how many incidents there are."""
        return self._clerk.incidents()

    def stats(self) -> dict[str, CourierStats]:
        """Return what became of the messages of each destination."""
        return {name: courier.stats() for name, courier in self._couriers.items()}

    def drain(self, deadline: float) -> None:
        """Keep all that was accepted, and send what can be sent until deadline (time.monotonic).

        What is left is sent by the next compassd. Nothing is accepted afterwards.
        """
        self._clerk.close()
        for courier in self._couriers.values():
            courier.hurry(deadline)
        for courier in self._couriers.values():
            courier.wait_idle(deadline)

    def close(self) -> None:
        """End all threads, and close the store."""
        self._clerk.close()
        for courier in self._couriers.values():
            courier.close()
        self._store.close()
