"""An incident book with a clock that tests move, and a store that forgets what was not written."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from compassd.breach import Breach, Gate, Severity, State
from compassd.calltree import NO_PARENT, CallTree, Frame, Node
from compassd.incidents.book import IncidentBook
from compassd.incidents.saved import SavedIncident
from compassd.notice import DigestNotice, Happening, IncidentNotice, Message
from compassd.settings import IncidentSettings
from lab.breaches import make_breach

S = 1_000_000_000
MIN = 60 * S
HOUR = 60 * MIN
START = 1_790_000_000 * S


def breach(  # noqa: PLR0913 - each is a field of its own
    number: int,
    *,
    route: str = "/cart",
    host: str = "shop.example",
    gate: Gate | None = None,
    rule: str = "checkout",
    severity: Severity = Severity.WARNING,
    **changes: Any,  # noqa: ANN401 - as of make_breach()
) -> Breach:
    """Return a breach; each number is a request of its own."""
    made = make_breach(rule=rule, severity=severity, start_ns=number, **changes)
    return replace(made, host=host, route=route, gate=gate or Gate())


def tree(function: str = "PDO::query", nodes: int = 1) -> CallTree:
    """Return a call tree whose hot path ends in a function."""
    frames = [Frame(function, "/srv/shop/Repo.php", line) for line in range(nodes)]
    return CallTree(
        duration_ns=S,
        nodes=tuple(Node(frame, NO_PARENT, 10 if not frame.line else 1, 0, 0) for frame in frames),
    )


class Desk:
    """What the daemon does with a book: asks it when it says so, and keeps what has changed.

    Args:
        settings: Of incidents.
    """

    def __init__(self, settings: IncidentSettings | None = None) -> None:
        self.settings = settings or IncidentSettings()
        self.book = IncidentBook(self.settings, "web1")
        self.now = START
        self.messages: list[Message] = []
        self.kept: dict[str, SavedIncident] = {}
        self._number = 0

    def hit(self, *destinations: str, **changes: Any) -> Breach:  # noqa: ANN401 - as of breach()
        """Let one more request break a rule now; by default "ops" is told."""
        self._number += 1
        made = breach(self._number, **changes)
        self.take(made, destinations)
        return made

    def take(self, made: Breach, destinations: Sequence[str] = ()) -> None:
        """Give a breach to the book."""
        self.book.take(made, destinations or ("ops",), self.now)

    def end(self, running: Breach, **changes: Any) -> Breach:  # noqa: ANN401 - any field of Breach
        """Let a request that was told while it ran come to its end."""
        ended = replace(running, **{"state": State.FINISHED, "told_running": True, **changes})
        self.take(ended)
        return ended

    def at(self, since_start: float) -> None:
        """Let time pass, up to so many ns after the start; what is due until then is told."""
        end = START + int(since_start)
        while (due := self.book.next_due(self.now)) is not None and due <= end:
            self.now = due
            self.tell()
        self.now = end

    def tell(self) -> None:
        """Take what is due, and keep what has changed with it."""
        self.messages += self.book.due(self.now)
        self.commit()

    def commit(self) -> None:
        """Keep what has changed."""
        changes = self.book.changes()
        for record in changes.upserted:
            exemplars = record.exemplars if record.exemplars is not None else self.kept[record.id].exemplars
            self.kept[record.id] = replace(record, exemplars=exemplars)
        for identity in changes.removed:
            self.kept.pop(identity, None)

    def restart(self) -> None:
        """Forget everything that is not kept."""
        self.book = IncidentBook(self.settings, "web1", self.kept.values())

    def told(self, destination: str = "ops") -> list[tuple[float, str, int]]:
        """Return what a destination was told: seconds after the start, why, and of how many new breaches."""
        return [
            ((message.created_at - START) / S, reason(message), new_hits(message))
            for message in self.messages
            if message.destination == destination
        ]

    def last(self) -> IncidentNotice:
        """Return what was told last, which is of one incident."""
        notice = self.messages[-1].notice
        assert isinstance(notice, IncidentNotice)
        return notice


def reason(message: Message) -> str:
    """Return why a message was sent."""
    notice = message.notice
    assert isinstance(notice, IncidentNotice | DigestNotice)
    return notice.happening.value if isinstance(notice, IncidentNotice) else notice.reason.value


def new_hits(message: Message) -> int:
    """Return how many breaches are new in a message."""
    notice = message.notice
    assert isinstance(notice, IncidentNotice | DigestNotice)
    return notice.figures.new_hits if isinstance(notice, IncidentNotice) else notice.new_hits


OPENED, UPDATED = Happening.OPENED.value, Happening.UPDATED.value
ESCALATED, CLOSED = Happening.ESCALATED.value, Happening.CLOSED.value
