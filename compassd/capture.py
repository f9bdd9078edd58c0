"""Requests as JSON lines: what `compassd capture` writes, and what tries rules out on them reads.

A line is a document "compass.request": the facts of a request as in a breach, but of no rule. Breaches are
read as well, because what a webhook or standard output got is the capture that most people have.
"""

from __future__ import annotations

import contextlib
import signal
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, BinaryIO

from compassd import message
from compassd.breach import State
from compassd.calltree import CallTree
from compassd.calltree_document import call_tree_document
from compassd.errors import CompassError
from compassd.request import Request
from compassd.show import fields
from compassd.show.document import read_tree
from compassd.show.source import InputError, load_object
from compassd.text import clean_text

TYPE, VERSION = "compass.request", 1

MAX_LINE = 16 * 2**20
"""Bytes of one request: a call tree with the longest names takes less than one MiB."""

_MAX_TEXT = 4_096
_MAX_TAGS = 100
# How many requests are remembered, to know another breach of one: they are told one after the other.
_REMEMBERED = 10_000
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_HINT = "give what `compassd capture` writes, or breaches as the stdout destination prints them"


@dataclass(frozen=True, slots=True, kw_only=True)
class CapturedRequest:
    """A request that has ended, or whose worker died in it.

    Attributes:
        request: The request. Its start_ns is its started_at, which is all that a document knows.
        server: Name of the machine.
        state: FINISHED or DIED.
        signal: What ended the worker, 0 for none.
        tree: Where its time went, None if that is not known.
        place: Where it was read: file:line.
    """

    request: Request
    server: str = ""
    state: State = State.FINISHED
    signal: int = 0
    tree: CallTree | None = None
    place: str = ""


def request_document(captured: CapturedRequest) -> dict[str, Any]:
    """Return the request as JSON; it is taken as it is, so that it has to be redacted before."""
    return {
        "type": TYPE,
        "version": VERSION,
        "state": str(captured.state),
        "signal": message.signal_name(captured.signal) or None,
        "request": message.request_facts(captured.request),
        "attributes": message.attributes(captured.request, captured.server),
        "call_tree": call_tree_document(captured.tree) if captured.tree else None,
    }


@contextlib.contextmanager
def open_capture(source: str, *, breaches: bool = True) -> Iterator[Iterator[CapturedRequest]]:
    """Give the requests of a file, or with "-" of standard input.

    Args:
        source: The file.
        breaches: Whether breaches will do; they say nothing of requests within their budget.

    Raises:
        CompassError: It cannot be read; while reading also InputError.
    """
    try:
        file = sys.stdin.buffer if source == "-" else Path(source).open("rb")  # noqa: SIM115 - closed below
    except OSError as error:
        raise CompassError(f"{source}: {error.strerror}", hint=_HINT) from error
    with file:
        yield read_requests(file, "standard input" if source == "-" else source, breaches=breaches)


def read_requests(file: BinaryIO, name: str, *, breaches: bool = True) -> Iterator[CapturedRequest]:
    """Yield the requests of a capture, each once however many breaches there are of it.

    Breaches of requests that still ran are left out: the request is told again when it has ended.

    Args:
        file: JSON lines.
        name: Of the file, for errors.
        breaches: Whether breaches will do.

    Raises:
        InputError: A line is no request and no breach, or a breach will not do; the message says where.
    """
    seen: dict[tuple[object, ...], None] = {}
    for number, line in enumerate(iter(lambda: file.readline(MAX_LINE + 1), b""), 1):
        place = f"{clean_text(name)}:{number}"
        if len(line) > MAX_LINE:
            raise InputError(f"{place} is longer than {MAX_LINE // 2**20} MiB", hint=_HINT)
        if not line.strip():
            continue
        document = load_object(line.decode("utf-8-sig", "replace"), place)
        if not breaches and document.get("type") == message.TYPE:
            raise InputError(
                f"{place} is a breach, which says nothing of requests within their budget",
                hint="give what `compassd capture` writes",
            )
        if document.get("state") == State.RUNNING:
            continue
        found = _parse(document, place)
        key = (found.server, found.request.pid, found.request.started_at, found.request.id)
        if key not in seen:
            seen[key] = None
            if len(seen) > _REMEMBERED:
                del seen[next(iter(seen))]
            yield found


def _parse(document: Mapping[str, Any], place: str) -> CapturedRequest:
    kind, version = document.get("type"), document.get("version")
    if (kind, version) not in {(TYPE, VERSION), (message.TYPE, message.VERSION)}:
        raise InputError(
            f'{place} is no request: its "type" and "version" are not those of a "{TYPE}" or a '
            f'"{message.TYPE}" that this release knows',
            hint=_HINT,
        )
    facts, attributes = _object(document, "request", place), _object(document, "attributes", place)
    duration_ns = fields.number(facts, "duration_ns")
    if duration_ns is None:
        raise InputError(f'{place} is no request: "request" has no "duration_ns"')
    return CapturedRequest(
        request=_request(facts, attributes, duration_ns, _started_at(facts, place)),
        server=_text(attributes, "host.name"),
        state=State.DIED if document.get("state") == State.DIED else State.FINISHED,
        signal=_signal(_text(document, "signal")),
        tree=read_tree(document.get("call_tree"), duration_ns, place),
        place=place,
    )


def _request(
    facts: Mapping[str, Any], attributes: Mapping[str, Any], duration_ns: int, started_at: int
) -> Request:
    query = _text(attributes, "url.query")
    given = facts.get("tags")
    tags: dict[str, Any] = given if isinstance(given, dict) else {}
    return Request(
        pid=fields.number(attributes, "process.pid") or 0,
        start_ns=started_at,
        started_at=started_at,
        duration_ns=duration_ns,
        cpu_ns=fields.number(facts, "cpu_ns"),
        memory_peak=fields.number(facts, "memory_peak_bytes"),
        status=fields.number(attributes, "http.response.status_code"),
        id=_text(facts, "id"),
        method=_text(attributes, "http.request.method_original") or _text(attributes, "http.request.method"),
        host=_host(attributes),
        uri=_text(attributes, "url.path") + (f"?{query}" if query else ""),
        uri_cut=facts.get("uri_cut") is True,
        script=_text(facts, "script"),
        pool=_text(facts, "pool"),
        transaction=_text(attributes, "http.route"),
        tags={clean_text(name): _text(tags, name) for name in list(tags)[:_MAX_TAGS]},
    )


def _host(attributes: Mapping[str, Any]) -> str:
    """Return the Host header that address and port are from."""
    address, port = _text(attributes, "server.address"), fields.number(attributes, "server.port")
    if ":" in address:
        address = f"[{address}]"
    return f"{address}:{port}" if port else address


def _started_at(facts: Mapping[str, Any], place: str) -> int:
    """Return Unix time in ns."""
    written = _text(facts, "started_at")
    try:
        since = datetime.fromisoformat(written) - _EPOCH
    except (ValueError, TypeError):
        # TypeError: it has no time zone.
        since = -timedelta.resolution
    started_at = (since // timedelta.resolution) * 1_000
    if not 0 <= started_at <= fields.MAX_NUMBER:
        raise InputError(f'{place} is no request: its "started_at" is not a time of RFC 3339')
    return started_at


def _signal(name: str) -> int:
    """Return the number of a signal as message.signal_name() writes it."""
    number = name.removeprefix("signal ")
    if name in signal.Signals.__members__:
        return signal.Signals[name].value
    return int(number) if len(number) < 4 and number.isascii() and number.isdigit() else 0  # noqa: PLR2004


def _text(document: Mapping[str, Any], name: str) -> str:
    value = document.get(name)
    return clean_text(value[:_MAX_TEXT]) if isinstance(value, str) else ""


def _object(document: Mapping[str, Any], name: str, place: str) -> dict[str, Any]:
    value = document.get(name)
    if not isinstance(value, dict):
        raise InputError(f'{place} is no request: it has no object "{name}"')
    return value
