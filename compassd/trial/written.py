"""Requests that nobody sent: written on the command line or in a file, to be judged as if they had come."""

from __future__ import annotations

from collections.abc import Mapping

from compassd.calltree import CallTree
from compassd.capture import CapturedRequest
from compassd.request import Request
from compassd.text import clean_text


def written_request(  # noqa: PLR0913 - each is a fact of a request
    *,
    uri: str,
    method: str = "GET",
    host: str = "",
    status: int | None = None,
    duration_ns: int = 0,
    cpu_ns: int | None = None,
    memory_peak: int | None = None,
    pool: str = "",
    transaction: str = "",
    tags: Mapping[str, str] | None = None,
    tree: CallTree | None = None,
    at_ns: int = 0,
    number: int = 0,
    place: str = "",
) -> CapturedRequest:
    """Return a request, cleaned as one that came from outside.

    Args:
        uri: Path, and query string if there is one.
        method: HTTP method.
        host: Host header.
        status: HTTP status code, None if unknown.
        duration_ns: Wall time, ns.
        cpu_ns: CPU time, ns, None if unknown.
        memory_peak: Bytes, None if unknown.
        pool: FPM pool.
        transaction: Route named by the application.
        tags: Set by the application.
        tree: Its call tree.
        at_ns: When it ended, Unix time in ns.
        number: Tells it apart from others that end at the same time.
        place: Where it was written.
    """
    request = Request(
        pid=number,
        start_ns=at_ns - duration_ns,
        started_at=at_ns - duration_ns,
        duration_ns=duration_ns,
        cpu_ns=cpu_ns,
        memory_peak=memory_peak,
        status=status,
        id=f"request-{number}",
        method=clean_text(method),
        host=clean_text(host),
        uri=clean_text(uri),
        script="",
        pool=clean_text(pool),
        transaction=clean_text(transaction),
        tags={clean_text(name): clean_text(value) for name, value in (tags or {}).items()},
    )
    return CapturedRequest(request=request, tree=tree, place=place)
