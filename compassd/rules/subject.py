"""A request as rules look at it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from compassd.breach import State
from compassd.request import Request, host_name, path_of


@dataclass(frozen=True, slots=True)
class Subject:
    """What rules look at, worked out once for a request.

    Attributes:
        path: Without query string and fragment.
        method: In upper case.
        host: In lower case, without port.
        status: None without one.
        pool: The FPM pool, None if it is unknown.
        transaction: The route that the application named, None without one.
        tags: By their names.
        until: When the request ended, or for one that runs the present, Unix time in ns.
        is_running: Whether status, transaction and tags are not known yet.
    """

    path: str
    method: str
    host: str
    status: int | None
    pool: str | None
    transaction: str | None
    tags: Mapping[str, str]
    until: int
    is_running: bool


def subject_of(request: Request, state: State) -> Subject:
    """Return what rules look at."""
    return Subject(
        path=path_of(request),
        method=request.method.upper(),
        host=host_name(request.host),
        status=request.status,
        pool=request.pool or None,
        transaction=request.transaction or None,
        tags=request.tags,
        until=request.started_at + request.duration_ns,
        is_running=state is State.RUNNING,
    )
