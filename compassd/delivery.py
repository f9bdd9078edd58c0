"""From the thread that reads the kernel's records to the destinations, without ever making it wait.

Each local destination has a bounded queue and a thread of its own, so that one that hangs delays no other.
Breaches that wait there are in memory, and lost with the process. Remote ones are the post office's business.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Sequence
from typing import Protocol

from compassd.breach import Breach
from compassd.destinations.base import Destination
from compassd.outgoing import Backoff, Counters, Outgoing
from compassd.post_office import PostOffice
from compassd.redact import redact

log = logging.getLogger(__name__)


class Teller(Protocol):
    """What the daemon hands breaches to.

    Attributes:
        post: Tells remote destinations, None if there are none.
    """

    post: PostOffice | None

    def accept(self, breach: Breach) -> None:
        """Take a breach; never blocks and never fails."""

    def note_requests(self, finished: int) -> None:
        """Take note of how many requests have finished since the daemon began."""

    def stats(self) -> dict[str, Counters]:
        """Return what became of the breaches, by destination."""

    def drain(self, timeout_s: float) -> int:
        """Tell what waits, for at most timeout_s, and return how much was left."""

    def close(self) -> None:
        """Stop."""


class Delivery(Teller):
    """Delivers breaches to destinations. Its threads start at once.

    Args:
        destinations: Local ones. They are closed by close().
        post: Tells the remote ones, None if there are none; closed by close().
        queue_size: How many breaches may wait for each of them.
        query_strings: Whether query strings leave the process.
        backoff: How failed attempts are repeated.
    """

    def __init__(
        self,
        destinations: Sequence[Destination],
        post: PostOffice | None = None,
        *,
        queue_size: int,
        query_strings: bool = False,
        backoff: Backoff | None = None,
    ) -> None:
        self.post = post
        self._query_strings = query_strings
        self._unknown: set[str] = set()
        self._outgoing = {
            destination.name: Outgoing(destination, queue_size, backoff or Backoff())
            for destination in destinations
        }

    def accept(self, breach: Breach) -> None:
        """Queue the breach for its destinations; never blocks and never fails.

        Where a queue is full the breach is counted as overflowed and dropped. The breach is redacted first.
        """
        redacted = redact(breach, query_strings=self._query_strings)
        remote = self.post.couriers if self.post else {}
        if self.post:
            self.post.accept(redacted)
        for name in breach.destinations:
            outgoing = self._outgoing.get(name)
            if outgoing:
                outgoing.accept(redacted)
            elif (
                name not in remote and name not in self._unknown
            ):  # rules are checked against the settings, so this is rare
                self._unknown.add(name)
                log.error("rule %s: there is no destination %s", breach.rule, name)

    def note_requests(self, finished: int) -> None:
        """Take note of how many requests have finished since the daemon began."""
        if self.post:
            self.post.note_requests(finished)

    @property
    def pending(self) -> int:
        """How many breaches wait or are being sent, over all local destinations."""
        return sum(outgoing.counters().queued for outgoing in self._outgoing.values())

    def stats(self) -> dict[str, Counters]:
        """Return the counters of each local destination by its name."""
        return {name: outgoing.counters() for name, outgoing in self._outgoing.items()}

    def drain(self, timeout_s: float) -> int:
        """Deliver what is queued, for at most timeout_s, and return how many breaches were left and are lost.

        What sleeps before a retry tries at once. A destination that then fails, or asks for more time than
        there is, is given up, so that this returns as soon as nothing more can be done. Meant for the end:
        what is accepted afterwards may not be delivered.
        """
        deadline = time.monotonic() + timeout_s
        for outgoing in self._outgoing.values():
            outgoing.hurry(deadline)
        if self.post:
            self.post.drain(deadline)
        for outgoing in self._outgoing.values():
            outgoing.wait_idle(deadline)
        return self.pending

    def close(self) -> None:
        """Stop all threads. An attempt under way goes on in the background and ends with its own timeout."""
        for outgoing in self._outgoing.values():
            outgoing.close()
        if self.post:
            self.post.close()
