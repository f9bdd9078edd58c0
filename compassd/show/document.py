"""Take a breach back from its published JSON document.

The document may come from another release, from a file somebody mailed, or through a proxy that rewrote it:
what is needed is checked, what is only shown may be missing, and every text is cleaned, because it goes to a
terminal.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from compassd.calltree import NO_PARENT, CallTree, Frame, Node, Step, Totals
from compassd.calltree_document import parse_call_tree
from compassd.errors import RecordError
from compassd.message import TYPE, VERSION
from compassd.show.source import WHOLE, InputError, reason
from compassd.text import clean_text, shorten

MAX_NODES = 65_536
"""Of one call tree; far more than the kernel keeps for a request."""
MAX_DEPTH = 1_024
"""Of nested calls, likewise."""

_MAX_TEXT = 1_000  # characters of one name, path or URI
_MAX_TAGS = 100
_MAX_NUMBER = 2**63 - 1


@dataclass(frozen=True, slots=True, kw_only=True)
class BreachDocument:
    """What is shown of a breach. Every text is safe to print on one line, and "" if it is unknown.

    Attributes:
        id: Of the breach.
        timestamp: When the request ended, RFC 3339.
        rule: Name of the rule.
        severity: The rule's severity.
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
        call_tree: None if sampling was off.
        hot_path: From the root; empty if sampling was off.
    """

    id: str
    timestamp: str
    rule: str
    severity: str
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
    call_tree: CallTree | None
    hot_path: tuple[Step, ...]

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
            hint="give what a webhook receives, or what the stdout destination prints",
        )
    if document.get("version") != VERSION:
        raise InputError(
            f"{place} is a breach of another version than {VERSION}",
            hint="show it with the release of compassd that wrote it, or a later one",
        )
    request, attributes = _object(document, "request", place), _object(document, "attributes", place)
    duration_ns = _number(request, "duration_ns")
    if duration_ns is None:
        raise InputError(f'{place} is not a breach: "request" has no "duration_ns"')
    return BreachDocument(
        **{name: _text(document, name) for name in ("id", "timestamp", "rule", "severity", "summary")},
        method=_text(attributes, "http.request.method_original") or _text(attributes, "http.request.method"),
        host=_text(attributes, "server.address"),
        path=_text(attributes, "url.path"),
        status=_number(attributes, "http.response.status_code") or 0,
        route=_text(attributes, "http.route"),
        server=_text(attributes, "host.name"),
        pool=_text(request, "pool"),
        script=_text(request, "script"),
        request_id=_text(request, "id"),
        pid=_number(attributes, "process.pid") or 0,
        duration_ns=duration_ns,
        cpu_ns=_number(request, "cpu_ns"),
        memory_peak=_number(request, "memory_peak_bytes"),
        tags=_tags(request.get("tags")),
        call_tree=_call_tree(document.get("call_tree"), duration_ns, place),
        hot_path=_hot_path(document.get("hot_path"), place),
    )


def _call_tree(value: object, duration_ns: int, place: str) -> CallTree | None:
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
        replace(node, frame=_clean(node.frame), waited_for=_safe(node.waited_for)) for node in tree.nodes
    )
    return replace(tree, nodes=tuple(nodes))


def _check(tree: CallTree, place: str) -> None:
    """Refuse what parse_call_tree() does not look at, but what is shown relies on."""
    counts = [tree.cut_stacks, tree.walks, tree.walk_ns, *_amounts(tree.other)]
    depths: list[int] = []
    for node in tree.nodes:
        depths.append(1 if node.parent == NO_PARENT else depths[node.parent] + 1)
        counts += (node.frame.line, *_amounts(node))
    if not all(0 <= count <= _MAX_NUMBER for count in counts):
        raise InputError(f"the call tree of {place} has a number that is negative or too large")
    if max(depths, default=0) > MAX_DEPTH:
        raise InputError(f"the call tree of {place} is {max(depths)} calls deep; at most {MAX_DEPTH}")


def _amounts(times: Node | Totals) -> tuple[int, int, int]:
    return times.on_ns, times.off_ns, times.waits


def _hot_path(value: object, place: str) -> tuple[Step, ...]:
    if value is None:
        return ()
    try:
        if not isinstance(value, list) or len(value) > MAX_DEPTH:
            raise TypeError("not a list, or too long")  # noqa: TRY301 - one message for all that can be wrong
        steps: list[Step] = []
        for step in value:
            steps.append(_step(step, steps[-1].place if steps else None))
        return tuple(steps)
    except (KeyError, TypeError, ValueError, OverflowError) as error:
        raise InputError(f'the "hot_path" of {place} cannot be read: {reason(error)}') from error


def _step(step: Mapping[str, Any], above: Frame | None) -> Step:
    times = Totals(int(step["on_cpu_ns"]), int(step["off_cpu_ns"]), int(step["waits"]))
    line, share = int(step["line"]), float(step["share"])
    if not all(0 <= number <= _MAX_NUMBER for number in (line, share, *_amounts(times))):
        raise ValueError("a number is negative or too large")
    frame = _clean(Frame(str(step["function"]), str(step["file"]), line))
    # An internal function has no place of its own; it is where it is called.
    place = frame if frame.file or above is None else Frame(frame.function, above.file, above.line)
    return Step(frame, place, times, share, _safe(str(step.get("waited_for", ""))))


def _clean(frame: Frame) -> Frame:
    return Frame(_safe(frame.function), _safe(frame.file), frame.line)


def _safe(text: str) -> str:
    return clean_text(shorten(text, _MAX_TEXT))


def _text(fields: Mapping[str, Any], name: str) -> str:
    value = fields.get(name)
    return _safe(value) if isinstance(value, str) else ""


def _number(fields: Mapping[str, Any], name: str) -> int | None:
    value = fields.get(name)
    if not isinstance(value, int) or isinstance(value, bool):
        return None
    return value if 0 <= value <= _MAX_NUMBER else None


def _tags(value: object) -> tuple[tuple[str, str], ...]:
    tags = value if isinstance(value, dict) else {}
    return tuple((_safe(name), _text(tags, name)) for name in list(tags)[:_MAX_TAGS])


def _object(document: Mapping[str, Any], name: str, place: str) -> dict[str, Any]:
    value = document.get(name)
    if not isinstance(value, dict):
        raise InputError(f'{place} is not a breach: it has no object "{name}"')
    return value
