"""A breach: one request that exceeded one rule's budget."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from enum import StrEnum

from compassd.calltree import CallTree, WaitPlace
from compassd.request import Request


class Severity(StrEnum):
    """How bad a breach is, from the rule."""

    INFO = "info"
    WARNING = "warning"
    CRITICAL = "critical"

    @property
    def rank(self) -> int:
        """A number that is the greater the worse it is, from 0."""
        return _RANKS[self]


_RANKS = {severity: rank for rank, severity in enumerate(Severity)}


class Metric(StrEnum):
    """What a budget limits. Values are in the unit named."""

    DURATION = "duration"
    """Wall time, ns."""
    CPU = "cpu"
    """CPU time, ns."""
    MEMORY = "memory"
    """Peak memory, bytes."""
    WAITS = "waits"
    """How often the request waited."""
    FUNCTION_TIME = "function_time"
    """Wall time in some functions and everything they called, ns."""
    FUNCTION_WAITS = "function_waits"
    """How often the request waited in them."""


class State(StrEnum):
    """What has become of the request."""

    FINISHED = "finished"
    RUNNING = "running"
    """It still runs."""
    DIED = "died"
    """Its worker died in it: a crash, a kill, a time-out."""


@dataclass(frozen=True, slots=True)
class Gate:
    """How many breaches it takes until an incident is told.

    Attributes:
        min_hits: Breaches within the time, at least.
        within_ns: That time, ns.
        min_rate: Breaches per finished request of this machine within the time, at least, 0 to 1; None: any.
    """

    min_hits: int = 1
    within_ns: int = 60_000_000_000
    min_rate: float | None = None


@dataclass(frozen=True, slots=True)
class Excess:
    """One limit of the budget and by how much it was exceeded: actual > budget, both in the metric's unit.

    Attributes:
        metric: What is limited.
        budget: The limit.
        actual: What the request took.
        function: Of a limit of functions the glob for their names, as the rule has it; otherwise "".
    """

    metric: Metric
    budget: int
    actual: int
    function: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Breach:
    """One request over the budget of one rule, or one that a rule is about and that never ended.

    A request that is told while it runs is told again when it has ended, by a breach of the same id.

    Attributes:
        id: Stable for (machine, request, rule), so that a message sent twice can be recognised.
        rule: Name of the rule.
        severity: The rule's severity.
        destinations: Names of the destinations to tell, in the rule's order.
        server: Name of the machine that served the request.
        request: The request.
        excesses: The exceeded limits, at least one unless the worker died.
        tree: Where its time went, None if that is not known.
        state: What has become of the request.
        told_running: Whether it was told before, as still running.
        waiting_ns: How long a running request has been waiting at tree.last, ns; None if it does not wait.
        signal: What ended the worker, 0 if it ended by itself or did not end.
        host: The request's host without port, as incidents know it: "<other>" beyond the bound on hosts.
        route: What the request is counted under: its transaction, or its path without ids.
        gate: How many such breaches it takes until they are told; those told one by one are told anyway.
    """

    id: str
    rule: str
    severity: Severity
    destinations: tuple[str, ...]
    server: str
    request: Request
    excesses: tuple[Excess, ...]
    tree: CallTree | None = None
    state: State = State.FINISHED
    told_running: bool = False
    waiting_ns: int | None = None
    signal: int = 0
    host: str = ""
    route: str = ""
    gate: Gate = Gate()

    @property
    def last_seen(self) -> WaitPlace | None:
        """Where a request that has not finished was seen last."""
        if self.tree is None or self.state is State.FINISHED:
            return None
        return self.tree.last_seen()

    @property
    def message_id(self) -> str:
        """Identifies what is told of the breach: a running request is told again when it has ended."""
        return f"{self.id}-running" if self.state is State.RUNNING else self.id


def breach_id(server: str, request: Request, rule: str) -> str:
    """Return the identifier of the breach of rule by request on server: 32 hexadecimal digits."""
    key = "\0".join((server, str(request.pid), str(request.start_ns), rule))
    return hashlib.sha256(key.encode()).hexdigest()[:32]
