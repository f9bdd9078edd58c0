"""A PHP-FPM request, as the rest of Compass sees it.

Strings come from whoever sent the request. They are decoded and stripped of control characters once, where
the kernel's record is decoded, and are otherwise untouched: each destination escapes them for its own format.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field

_PORT = re.compile(r":[0-9]*\Z")


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    r"""One request: finished, still running, or never to end because its worker died.

    What is known only at the end is None in the last two cases.

    Attributes:
        pid: Process id of the FPM worker; with start_ns the key of the request.
        start_ns: CLOCK_MONOTONIC at the start, ns.
        started_at: Wall clock at the start, Unix time in ns.
        duration_ns: Wall time from start to end, or until now, ns.
        cpu_ns: CPU time (user and system), ns; None also if nobody was attached when the request began.
        memory_peak: Peak of PHP's memory manager, bytes.
        status: HTTP status code.
        id: X-Request-ID, else the trace id of traceparent, else one made by the extension.
        method: HTTP method.
        host: The Host header, "" if there was none.
        uri: REQUEST_URI, path and query string, cut at the ABI's bound.
        uri_cut: Whether uri is shorter than what the client sent.
        script: Path of the PHP script.
        pool: FPM pool, "" if unknown.
        transaction: Route named by Compass\transaction(), "" if none.
        tags: Set by Compass\tag().
    """

    pid: int
    start_ns: int
    started_at: int
    duration_ns: int
    cpu_ns: int | None
    memory_peak: int | None
    status: int | None
    id: str
    method: str
    host: str
    uri: str
    script: str
    uri_cut: bool = False
    pool: str = ""
    transaction: str = ""
    tags: Mapping[str, str] = field(default_factory=dict)

    @property
    def path(self) -> str:
        """The URI without its query string."""
        return self.uri.partition("?")[0]


def host_name(header: str) -> str:
    """Return the host of a Host header, in lower case, without port, brackets and the root's dot."""
    host = header[1:].partition("]")[0] if header.startswith("[") else _PORT.sub("", header)
    return host.lower().removesuffix(".")


def path_of(request: Request) -> str:
    """Return the path that globs are asked about: without a query string and without a fragment."""
    return request.path.partition("#")[0]
