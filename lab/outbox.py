"""Messages and a destination for tests of what is kept on disk and delivered."""

from __future__ import annotations

import hashlib
import threading
import time
from collections.abc import Callable
from dataclasses import replace
from typing import Any

from compassd.breach import Breach, Severity
from compassd.destinations.base import Memory, SendError
from compassd.notice import (
    BreachNotice,
    Figures,
    Happening,
    IncidentKey,
    IncidentNotice,
    Message,
    Notice,
)
from lab.breaches import make_breach

Behaviour = Callable[[Message], None]


def make_figures(hits: int = 1, new_hits: int = 1, **changes: Any) -> Figures:  # noqa: ANN401 - any field
    """Return figures of hits of about a second."""
    fields: dict[str, Any] = {
        "hits": hits,
        "new_hits": new_hits,
        "died": 0,
        "first_at": 1_790_000_000_000_000_000,
        "last_at": 1_790_000_060_000_000_000,
        "p50_ns": 1_100_000_000,
        "p95_ns": 1_500_000_000,
        "max_ns": 2_000_000_000,
        "worst_ratio": 2.5,
    }
    return Figures(**{**fields, **changes})


def make_incident(
    incident_id: str = "a" * 32,
    *,
    happening: Happening = Happening.OPENED,
    severity: Severity = Severity.WARNING,
    route: str = "/cart",
    **figures: Any,  # noqa: ANN401 - any field of Figures
) -> IncidentNotice:
    """Return what is told of an incident of one route."""
    return IncidentNotice(
        happening=happening,
        incident_id=incident_id,
        key=IncidentKey(rule="checkout", host="shop.example", pool="www", route=route, function="Cart::load"),
        server="web1",
        severity=severity,
        figures=make_figures(**figures),
        exemplars=(make_breach(severity=severity),),
    )


def make_message(
    message_id: str, notice: Notice | Breach | None = None, *, destination: str = "ops", created_at: int = 0
) -> Message:
    """Return a message, of a breach of its own if nothing else is given, made now if no time is."""
    if notice is None:
        notice = replace(make_breach(), id=hashlib.sha256(message_id.encode()).hexdigest()[:32])
    if isinstance(notice, Breach):
        notice = BreachNotice(breach=notice)
    return Message(
        id=message_id,
        destination=destination,
        created_at=created_at or time.time_ns(),
        notice=notice,
    )


class FakeDestination:
    """A destination that records what it takes and does as told before."""

    def __init__(self, name: str = "ops", *, min_interval: float = 0.0) -> None:
        self.name = name
        self.min_interval = min_interval
        self.behaviours: list[Behaviour] = []
        self.always: Behaviour | None = None
        self.attempts: list[tuple[float, str]] = []
        self.taken: list[Message] = []
        self.closed = threading.Event()

    @property
    def ids(self) -> list[str]:
        """The ids of what it has taken."""
        return [message.id for message in self.taken]

    def send(self, message: Message, memory: Memory) -> None:
        """Take the message, and count in the memory, unless told otherwise."""
        self.attempts.append((time.monotonic(), message.id))
        if self.behaviours:
            self.behaviours.pop(0)(message)
        elif self.always:
            self.always(message)
        memory.put("taken", str(int(memory.get("taken") or 0) + 1))
        self.taken.append(message)

    def close(self) -> None:
        """Note that it was closed."""
        self.closed.set()


def fail(  # noqa: PLR0913 - as SendError
    *,
    permanent: bool = False,
    gone: bool = False,
    retry_after: float | None = None,
    uncertain: bool = False,
    unreached: bool = False,
    only: str | None = None,
) -> Behaviour:
    """Return a behaviour that fails, for every message or for the one of an id."""

    def behaviour(message: Message) -> None:
        if only is None or message.id == only:
            raise SendError(
                "ops",
                "HTTP 500",
                permanent=permanent,
                gone=gone,
                retry_after=retry_after,
                uncertain=uncertain,
                unreached=unreached,
            )

    return behaviour
