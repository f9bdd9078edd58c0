"""Take a breach back from its published JSON document.

The document may come from another release, from a file somebody mailed, or through a proxy that rewrote it:
what is needed is checked, what is only shown may be missing, and every text is cleaned, because it goes to a
terminal.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from compassd.calltree import NO_PARENT, CallTree, Frame, Node, Step, Totals, WaitPlace
from compassd.calltree_document import parse_call_tree
from compassd.errors import RecordError
from compassd.message import TYPE, VERSION
from compassd.show import fields
from compassd.show.source import WHOLE, InputError, reason

MAX_NODES = 65_536
"""Of one call tree; far more than the kernel keeps for a request."""
MAX_DEPTH = 1_024
"""Of nested calls, likewise."""
NO_TREE = "sampling was off, or the request had begun before anybody sampled, or there was no memory for it"
"""Why a breach has no call tree; it does not say which of these it is."""

_TEXTS = ("id", "timestamp", "rule", "severity", "state", "signal", "summary")
_MAX_TAGS = 100
_MAX_PLACES = 1_000


@dataclass(frozen=True, slots=True)
class LastSeen:
    """Where a request that has not finished was seen last.

    Attributes:
        frame: The function, with the file and line of the user's code.
        waiting_ns: How long it had been waiting there, ns; None if it did not wait, or if that is not known.
        waited_for: For what, in the longest of its waits there; "" if it is not known.
    """

    frame: Frame
    waiting_ns: int | None
    waited_for: str


@dataclass(frozen=True, slots=True, kw_only=True)
class BreachDocument:
    """What is shown of a breach. Every text is safe to print on one line, and "" if it is unknown.

    Attributes:
        id: Of the breach.
        timestamp: When the request ended, or was told while it ran, RFC 3339.
        rule: Name of the rule.
        severity: The rule's severity.
        state: What has become of the request: a State, or what a later release calls one.
        told_running: Whether it was told before, as still running.
        signal: What killed the worker, such as SIGSEGV.
        summary: The breach in one line.
        method: HTTP method.
        host: The Host header's address.
        path: The URI without its query string.
        status: HTTP status code, 0 if unknown.
        route: Route named by the application.
        server: Name of the machine.
        pool: FPM pool.
        script: Path of the PHP script.
        request_id: The request's own id.
        pid: Of the worker, 0 if unknown.
        duration_ns: Of the request, wall time, ns.
        cpu_ns: CPU time, ns; None if it is unknown.
        memory_peak: Bytes; None if it is unknown.
        tags: Set by the application.
        last_seen: None if the request has finished, or if it is not known.
        call_tree: None if there is none: see NO_TREE.
        hot_path: From the root; empty without a call tree.
        top_self: Where most time was spent itself, most first; likewise.
        wait_places: Where the request waited, longest first; likewise.
    """

    id: str
    timestamp: str
    rule: str
    severity: str
    state: str
    told_running: bool
    signal: str
    summary: str
    method: str
    host: str
    path: str
    status: int
    route: str
    server: str
    pool: str
    script: str
    request_id: str
    pid: int
    duration_ns: int
    cpu_ns: int | None
    memory_peak: int | None
    tags: tuple[tuple[str, str], ...]
    last_seen: LastSeen | None
    call_tree: CallTree | None
    hot_path: tuple[Step, ...]
    top_self: tuple[tuple[Frame, Totals], ...]
    wait_places: tuple[WaitPlace, ...]

    @property
    def title(self) -> str:
        """Method and path; the rule where they are unknown."""
        return f"{self.method} {self.path}".strip() or self.rule or "request"


def parse_breach(document: Mapping[str, Any], place: str = WHOLE) -> BreachDocument:
    """Return what is shown of a breach.

    Args:
        document: As message.document() made it.
        place: Where it is, for the error.

    Raises:
        InputError: It is no such document.
    """
    if document.get("type") != TYPE:
        raise InputError(
            f'{place} is not a breach: its "type" is not "{TYPE}"',
            hint="give what a webhook receives of an incident, or what the stdout destination prints",
        )
    if document.get("version") != VERSION:
        raise InputError(
            f"{place} is a breach of another version than {VERSION}",
            hint="show it with the release of compassd that wrote it, or a later one",
        )
    request, attributes = _object(document, "request", place), _object(document, "attributes", place)
    duration_ns = fields.number(request, "duration_ns")
    if duration_ns is None:
        raise InputError(f'{place} is not a breach: "request" has no "duration_ns"')
    return BreachDocument(
        **{name: fields.text(document, name) for name in _TEXTS},
        told_running=document.get("told_running") is True,
        method=fields.text(attributes, "http.request.method_original")
        or fields.text(attributes, "http.request.method"),
        host=fields.text(attributes, "server.address"),
        path=fields.text(attributes, "url.path"),
        status=fields.number(attributes, "http.response.status_code") or 0,
        route=fields.text(attributes, "http.route"),
        server=fields.text(attributes, "host.name"),
        pool=fields.text(request, "pool"),
        script=fields.text(request, "script"),
        request_id=fields.text(request, "id"),
        pid=fields.number(attributes, "process.pid") or 0,
        duration_ns=duration_ns,
        cpu_ns=fields.number(request, "cpu_ns"),
        memory_peak=fields.number(request, "memory_peak_bytes"),
        tags=_tags(request.get("tags")),
        last_seen=fields.part(document, "last_seen", place, _last_seen),
        call_tree=read_tree(document.get("call_tree"), duration_ns, place),
        hot_path=fields.part(document, "hot_path", place, _hot_path) or (),
        top_self=fields.part(document, "top_self", place, _top_self) or (),
        wait_places=fields.part(document, "wait_places", place, _wait_places) or (),
    )


def read_tree(value: object, duration_ns: int, place: str) -> CallTree | None:
    """Return the call tree that a document has as its "call_tree", safe to print; None if it has none.

    Args:
        value: The "call_tree".
        duration_ns: Of the request, ns.
        place: Where the document is, for the error.

    Raises:
        InputError: It is no such tree, or too large.
    """
    if value is None:
        return None
    if not isinstance(value, dict):
        raise InputError(f'the "call_tree" of {place} is not an object')
    nodes = value.get("nodes")
    if isinstance(nodes, list) and len(nodes) > MAX_NODES:
        raise InputError(f"the call tree of {place} has {len(nodes)} nodes; at most {MAX_NODES} can be shown")
    try:
        tree = parse_call_tree(value, duration_ns)
    except (RecordError, OverflowError) as error:
        raise InputError(f'the "call_tree" of {place} cannot be read: {reason(error)}') from error
    _check(tree, place)
    nodes = (
        replace(node, frame=fields.safe_frame(node.frame), waited_for=fields.safe(node.waited_for))
        for node in tree.nodes
    )
    return replace(tree, nodes=tuple(nodes))


def _check(tree: CallTree, place: str) -> None:
    """Refuse what parse_call_tree() does not look at, but what is shown relies on."""
    counts = [tree.cut_stacks, tree.walks, tree.walk_ns, *_amounts(tree.other)]
    depths: list[int] = []
    for node in tree.nodes:
        depths.append(1 if node.parent == NO_PARENT else depths[node.parent] + 1)
        counts += (node.frame.line, *_amounts(node))
    if not all(0 <= count <= fields.MAX_NUMBER for count in counts):
        raise InputError(f"the call tree of {place} has a number that is negative or too large")
    if max(depths, default=0) > MAX_DEPTH:
        raise InputError(f"the call tree of {place} is {max(depths)} calls deep; at most {MAX_DEPTH}")


def _amounts(times: Node | Totals) -> tuple[int, int, int]:
    return times.on_ns, times.off_ns, times.waits


def _hot_path(value: object) -> tuple[Step, ...]:
    steps: list[Step] = []
    for item in fields.items(value, MAX_DEPTH):
        called, share = fields.frame(item), float(item["share"])
        if not 0 <= share <= fields.MAX_NUMBER:
            raise ValueError("share is negative or too large")
        place = called
        if not called.file and steps:
            # An internal function has no place of its own; it is where it is called.
            above = steps[-1].place
            place = Frame(called.function, above.file, above.line)
        steps.append(Step(called, place, fields.times(item), share, fields.waited_for(item)))
    return tuple(steps)


def _top_self(value: object) -> tuple[tuple[Frame, Totals], ...]:
    return tuple((fields.frame(item), fields.times(item)) for item in fields.items(value, _MAX_PLACES))


def _wait_places(value: object) -> tuple[WaitPlace, ...]:
    found = fields.items(value, _MAX_PLACES)
    return tuple(WaitPlace(fields.frame(item), fields.times(item), fields.waited_for(item)) for item in found)


def _last_seen(value: Mapping[str, Any]) -> LastSeen:
    waiting_ns = None if value["waiting_ns"] is None else fields.amount(value, "waiting_ns")
    return LastSeen(fields.frame(value), waiting_ns, fields.waited_for(value))


def _tags(value: object) -> tuple[tuple[str, str], ...]:
    tags = value if isinstance(value, dict) else {}
    return tuple((fields.safe(name), fields.text(tags, name)) for name in list(tags)[:_MAX_TAGS])


def _object(document: Mapping[str, Any], name: str, place: str) -> dict[str, Any]:
    value = document.get(name)
    if not isinstance(value, dict):
        raise InputError(f'{place} is not a breach: it has no object "{name}"')
    return value
