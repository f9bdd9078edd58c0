"""From the kernel's records of a request to breaches: which rules it broke, and where its time went."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace

from compassd.breach import Breach, State
from compassd.calltree import CallTree
from compassd.errors import RecordError
from compassd.kernel.assemble import RequestParts
from compassd.kernel.layout import decode_request
from compassd.kernel.running import Snapshot
from compassd.kernel.texts import decode_texts
from compassd.kernel.tree import TreeReader
from compassd.request import Request, host_name
from compassd.rules.match import PlaceName, RuleSet, breaches
from compassd.waits.prepared import name_prepared

log = logging.getLogger(__name__)

Key = tuple[int, int]
"""Process id and start (CLOCK_MONOTONIC, ns) of a request."""


def plain_place(request: Request) -> tuple[str, str]:
    """Return the host and the route of a request as it has them."""
    return host_name(request.host), request.transaction or request.path


@dataclass(slots=True)
class Judge:
    """Judges requests by the rules.

    Args:
        rules: The rules in force; they may be replaced at any time.
        server: Name of this machine.
        destinations: Names of those to tell where a rule names none.
        reader: Reads call trees.
        place: Names the host and the route that requests are counted under; may be replaced, too.
    """

    rules: RuleSet
    server: str
    destinations: Sequence[str]
    reader: TreeReader
    place: PlaceName = plain_place
    _told: dict[Key, set[str]] = field(default_factory=dict)
    _gone: set[Key] = field(default_factory=set)

    def ended(self, parts: RequestParts, clock_offset_ns: int) -> list[Breach]:
        """Return the breaches of a request that has ended, or whose worker died in it.

        A request whose worker died is told by every rule that is about it, whatever it took until then.

        Args:
            parts: Its records.
            clock_offset_ns: Unix time minus CLOCK_MONOTONIC, ns.

        Raises:
            RecordError: A record cannot be read.
        """
        record = decode_request(parts.request, clock_offset_ns)
        request = record.request
        told = self._told.pop((request.pid, request.start_ns), set())
        found = breaches(
            self.rules,
            request,
            self.server,
            self.destinations,
            lambda: read_call_tree(self.reader, parts, request),
            self.place,
            State.DIED if parts.died else State.FINISHED,
        )
        if not told and not record.signal:  # nearly always: to copy a breach takes as long as to judge it
            return found
        return [replace(breach, told_running=breach.rule in told, signal=record.signal) for breach in found]

    def running(self, request: Request, look: Callable[[], Snapshot]) -> list[Breach]:
        """Return the breaches of a request that still runs, each only the first time.

        What is in the call tree is judged when it has ended: to read every tree each time costs too much.

        Args:
            request: With its duration until now.
            look: Returns its call tree so far; called only if there is something to tell.
        """
        told = self._told.setdefault((request.pid, request.start_ns), set())
        broken = breaches(
            self.rules, request, self.server, self.destinations, lambda: None, self.place, State.RUNNING
        )
        found = [breach for breach in broken if breach.rule not in told]
        if not found:
            return []
        told.update(breach.rule for breach in found)
        snapshot = look()
        tree = read_call_tree(self.reader, snapshot, request)
        return [replace(breach, tree=tree, waiting_ns=snapshot.waiting_ns) for breach in found]

    def forget_all_but(self, running: set[Key]) -> None:
        """Forget which breaches were told of requests that do not run any more, as their end was lost.

        One that has just ended may still be on its way here, so that it is forgotten the second time.
        """
        gone = self._told.keys() - running
        for key in gone & self._gone:
            del self._told[key]
        self._gone = gone


def read_call_tree(reader: TreeReader, parts: RequestParts | Snapshot, request: Request) -> CallTree | None:
    """Return where the time of a request went, None if that is not known.

    Args:
        reader: Reads call trees.
        parts: Has the records.
        request: The request.
    """
    if parts.tree is None:
        return None
    try:
        return name_prepared(reader.read(parts.tree, request.duration_ns, decode_texts(parts.texts)))
    except RecordError as error:
        # The request is told without it.
        log.error("the call tree of a request is lost: %s", error)  # noqa: TRY400 - the message says it all
        return None
