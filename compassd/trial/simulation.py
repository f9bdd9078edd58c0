"""What rules, and the incidents they lead to, would have told of captured requests, by the captured clock.

Everything is what the daemon does, with two differences: a request is judged when it has ended, so that none
is told while it runs, and no message waits for a destination that cannot be reached.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import replace

from compassd.breach import Breach
from compassd.capture import CapturedRequest
from compassd.incidents.book import IncidentBook
from compassd.notice import Message
from compassd.routes import RouteNamer
from compassd.rules.match import RuleSet, breaches
from compassd.settings import IncidentSettings

Listener = Callable[[int, Message], None]
"""Gets each message, and when it is told, Unix time in ns."""


class Simulation:
    """Judges requests in the order in which they ended.

    Args:
        ruleset: The rules.
        incidents: How breaches become incidents.
        destinations: Whom to tell where a rule does not say.
        listen: Gets the messages.
        told_each: Of all destinations those that are told of each breach instead of incidents.
    """

    def __init__(
        self,
        ruleset: RuleSet,
        incidents: IncidentSettings,
        destinations: Sequence[str],
        listen: Listener,
        told_each: Collection[str] = (),
    ) -> None:
        self._ruleset = ruleset
        self._destinations = tuple(destinations)
        self._listen = listen
        self._told_each = frozenset(told_each)
        self._namer = RouteNamer(ruleset.routes)
        self._book = IncidentBook(incidents, server="")
        self._finished = 0
        self._now: int | None = None

    @property
    def incidents(self) -> int:
        """How many incidents were told."""
        return self._book.counters.opened

    @property
    def suppressed(self) -> int:
        """How many breaches were told by no message, as they stayed too few."""
        return self._book.counters.suppressed

    def feed(self, captured: CapturedRequest) -> list[Breach]:
        """Take the next request, and return its breaches.

        One that ended before an earlier one counts as ended with it.
        """
        ended_at = captured.request.started_at + captured.request.duration_ns
        now = ended_at if self._now is None else max(ended_at, self._now)
        self._advance_to(now)
        self._finished += 1
        self._book.note_requests(self._finished, now)
        found = breaches(
            self._ruleset,
            captured.request,
            captured.server,
            self._destinations,
            lambda: captured.tree,
            self._namer.name,
            captured.state,
        )
        found = [replace(breach, signal=captured.signal) for breach in found]
        for breach in found:
            self._book.take(
                breach, [name for name in breach.destinations if name not in self._told_each], now
            )
        return found

    def finish(self) -> None:
        """Let time pass until everything is told."""
        if self._now is not None:
            for at in self._times(self._now, None):
                self._tell(at)

    def _advance_to(self, now: int) -> None:
        if self._now is None:
            # Where the count of requests begins.
            self._book.note_requests(0, now)
        else:
            for at in self._times(self._now, now):
                self._tell(at)
        self._now = now

    def _times(self, now: int, end: int | None) -> Iterator[int]:
        """Yield when there may be something to tell, from now to end; for ever if that is None."""
        while (at := self._book.next_due(now)) is not None and (end is None or at <= end):
            now = at
            yield at

    def _tell(self, at: int) -> None:
        for message in self._book.due(at):
            self._listen(at, message)
