"""What requests are counted under: a host, and a route without the ids, names and secrets of one request.

A route tells people which page it is, and machines which requests belong together, so it may neither hold
what differs between requests to one page nor grow without bound: paths and hosts are whatever clients send.
In doubt a part of a path becomes a placeholder, which merges two pages rather than telling a secret.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple
from urllib.parse import quote

from compassd.redact import MASK, mask_tokens
from compassd.request import Request, host_name, path_of
from compassd.rules.glob import compile_glob
from compassd.rules.model import Route
from compassd.text import shorten

OTHER = "<other>"
"""Stands for every host or route beyond the bound; no path and no host can be written so."""

MAX_HOSTS = 200
MAX_ROUTES = 200
MAX_HOST = 253
"""Characters of a host, as many as DNS allows."""
MAX_ROUTE = 200
"""Characters of a route."""

# Twice what the kernel keeps of one.
_MAX_PATH = 2_048
_MAX_SEGMENTS = 12
_MAX_SEGMENT = 64
_MORE = "…"
_HOST = re.compile(r"[a-z0-9._:-]*")

_VERSION = re.compile(r"[vV][0-9]{1,3}(?:\.[0-9]{1,3}){0,2}")
_EMAIL = re.compile(r"[^@]+(?:@|%40)[^@]+\.[^@.]+")
_UUID = re.compile(r"(?<![0-9A-Za-z])[0-9A-Fa-f]{8}(?:-[0-9A-Fa-f]{4}){3}-[0-9A-Fa-f]{12}(?![0-9A-Za-z])")
# What may be base64 in one of its alphabets, with its padding.
_RUN = re.compile(r"(?:[A-Za-z0-9_+=-]|%2[BFbf]|%3[Dd]){16,}")
_SEPARATOR = re.compile(r"%[0-9A-Fa-f]{2}|[_+=-]")
# An escape is no part of what stands beside it.
_PIECE = re.compile(r"%[0-9A-Fa-f]{2}|\{[a-z]+\}|[A-Za-z0-9]+")
_SEVERAL = re.compile(r"\{n\}(?:[,;.:_+-]\{n\})+")
_HEX = re.compile(r"[0-9a-f]{8,}|[0-9A-F]{8,}")
_HEX_WORD = 16  # from so many on, no word is made of a to f only
_DIGITS = re.compile(r"[0-9]+")
_LONG_NUMBER = re.compile(r"[0-9]{3,}")
_NAME_WITH_NUMBER = re.compile(r"[A-Za-z]+[0-9]+")
# The words of camelCase, abbreviations and numbers.
_WORD = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+|[0-9]+")
_SHORTEST, _LONG = 8, 16
# Of all characters, how many begin a word in the middle: about 0.45 in base64, 0.2 in camelCase. The more
# characters there are, the less of that is chance.
_BROKEN, _BROKEN_LONG = 0.4, 0.25


class Place(NamedTuple):
    """What a request is counted under.

    Attributes:
        host: In lower case, without port; OTHER beyond the bound, or if it is no host.
        route: The transaction, the name of a pattern, or the path with placeholders; OTHER beyond the bound.
    """

    host: str
    route: str


class RouteNamer:
    """Names places, and keeps their number bounded: the first ones keep their names as long as this lives.

    Args:
        patterns: The user's names for paths; the first that matches wins.
        max_hosts: How many hosts have names.
        max_routes: How many transactions, and how many paths besides, have names on each host.
    """

    def __init__(
        self,
        patterns: Sequence[Route] = (),
        max_hosts: int = MAX_HOSTS,
        max_routes: int = MAX_ROUTES,
    ) -> None:
        self._patterns = tuple(_CompiledPattern.of(pattern) for pattern in patterns)
        self._max_hosts = max_hosts
        self._max_routes = max_routes
        # Transactions are the application's, paths the client's: the one must not crowd out the other.
        self._known: dict[str, tuple[set[str], set[str]]] = {}

    def name(self, request: Request) -> Place:
        """Return the host and the route of a request."""
        host = host_name(request.host)
        bounded = self._bounded_host(host)
        transactions, paths = self._known.setdefault(bounded, (set(), set()))
        if request.transaction:
            return Place(bounded, self._bounded(shorten(request.transaction, MAX_ROUTE), transactions))
        path = path_of(request)
        for pattern in self._patterns:
            if pattern.matches(path, host):
                return Place(bounded, pattern.name)
        return Place(bounded, self._bounded(route_of(path, cut=_path_cut(request)), paths))

    def _bounded_host(self, host: str) -> str:
        if host in self._known:
            return host
        named = len(self._known) - (OTHER in self._known)
        usable = len(host) <= MAX_HOST and _HOST.fullmatch(host) and named < self._max_hosts
        return host if usable else OTHER

    def _bounded(self, route: str, known: set[str]) -> str:
        if route in known:
            return route
        if len(known) >= self._max_routes:
            return OTHER
        known.add(route)
        return route


def route_of(path: str, *, cut: bool = False) -> str:
    """Return the path with placeholders, printable ASCII and "…", at most MAX_ROUTE characters.

    Args:
        path: The raw path.
        cut: Whether its end is missing.
    """
    # As before a request is told, so that one that was captured has the route it had.
    masked = mask_tokens(path[:_MAX_PATH])
    cut = cut or len(path) > _MAX_PATH
    # One more than is shown.
    segments = masked.split("/", _MAX_SEGMENTS + 1)
    whole = len(segments) <= _MAX_SEGMENTS
    shown = [_segment(segment) for segment in segments[:_MAX_SEGMENTS]]
    if not whole:
        shown.append(_MORE)
    elif cut:
        # Half an id looks like a name.
        shown[-1] = _MORE
    route = "/".join(shown)
    if len(route) > MAX_ROUTE:
        # A single segment is never as long.
        route = route[: route.rindex("/", 0, MAX_ROUTE - 1)] + "/" + _MORE
    return route


@dataclass(frozen=True, slots=True)
class _CompiledPattern:
    name: str
    paths: tuple[re.Pattern[str], ...]
    hosts: tuple[re.Pattern[str], ...]

    @classmethod
    def of(cls, pattern: Route) -> _CompiledPattern:
        return cls(
            pattern.name,
            tuple(compile_glob(glob) for glob in pattern.match),
            tuple(compile_glob(glob) for glob in pattern.host),
        )

    def matches(self, path: str, host: str) -> bool:
        return (not self.hosts or any(glob.match(host) for glob in self.hosts)) and any(
            glob.match(path) for glob in self.paths
        )


def _path_cut(request: Request) -> bool:
    """Tell whether the end of the path, rather than that of the query string, is missing."""
    return request.uri_cut and not re.search("[?#]", request.uri)


def _segment(raw: str) -> str:
    """Return a segment of a path with placeholders; printable ASCII."""
    if len(raw) > _MAX_SEGMENT:
        return "{text}"
    # What the client did not escape, as braces, so that nobody can write a placeholder.
    segment = quote(raw, safe="%!$&'()*+,;=:@~")
    if len(segment) > _MAX_SEGMENT:
        return "{text}"
    if _VERSION.fullmatch(segment):
        return segment
    if _EMAIL.fullmatch(segment):
        return "{email}"
    masked = _RUN.sub(_mask_run, _UUID.sub("{uuid}", segment.replace(MASK, "{token}")))
    return _SEVERAL.sub("{n}", _PIECE.sub(_mask_piece, masked))


def _mask_run(found: re.Match[str]) -> str:
    """Mask what changes between cases and digits all the time, over separators: base64."""
    pieces = [piece for piece in _SEPARATOR.split(found[0]) if piece]
    breaks = sum(_breaks(piece) for piece in pieces)
    return "{token}" if breaks > _BROKEN_LONG * sum(map(len, pieces)) else found[0]


def _mask_piece(found: re.Match[str]) -> str:
    """Mask letters and digits that are an id; escapes and placeholders stay."""
    piece = found[0]
    if not piece.isalnum():
        return piece
    if piece.isdigit():
        return "{n}"
    if _HEX.fullmatch(piece) and (len(piece) >= _HEX_WORD or not piece.isalpha()):
        return "{hash}"
    if _is_token(piece):
        return "{token}"
    return _LONG_NUMBER.sub("{n}", piece)


def _is_token(piece: str) -> bool:
    """Tell random letters and digits from words, which may have a number at their end."""
    if len(piece) < _SHORTEST or _NAME_WITH_NUMBER.fullmatch(piece):
        return False
    if _breaks(piece) > len(piece) * (_BROKEN_LONG if len(piece) >= _LONG else _BROKEN):
        return True
    numbers = len(_DIGITS.findall(piece))
    camel_case = not (piece.islower() or piece.isupper())
    return numbers > 1 or (numbers == 1 and len(piece) >= _LONG and not camel_case)


def _breaks(piece: str) -> int:
    """Return how many words begin in the middle of letters and digits."""
    return len(_WORD.findall(piece)) - 1
