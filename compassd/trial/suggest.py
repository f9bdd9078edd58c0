"""Budgets from what was seen: a rule for every kind of request of which there were enough. Pure."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace

from compassd.breach import State
from compassd.capture import CapturedRequest
from compassd.request import path_of
from compassd.routes import OTHER, RouteNamer, route_of
from compassd.rules.glob import compile_glob
from compassd.rules.overrides import way
from compassd.trial.route_glob import narrowness, path_glob, text_glob

MIN_REQUESTS = 20
"""Fewer say next to nothing of the slowest one in a hundred."""

_PERCENT = 99
_MS, _MIB = 1_000_000, 2**20
# Room above what all but one in a hundred take, so that only what is out of the ordinary is told.
_DURATION_ROOM, _MEMORY_ROOM = 1.5, 1.25
_LEAST_DURATION_MS, _LEAST_MEMORY_MIB = 50, 4
# Round numbers, in tenths of a power of ten.
_STEPS = (10, 12, 15, 20, 25, 30, 40, 50, 60, 80)
# From so many times on, hosts get budgets of their own.
_APART = 2
_MAX_PATHS = 100
_METHOD = re.compile(r"[A-Z][A-Z-]{0,31}")
_NO_NAME = re.compile(r"[^a-z0-9]+")
_NAME_LENGTH = 56  # which leaves room for a number


@dataclass(slots=True)
class _Seen:
    """What was seen of one kind of request on one host."""

    durations: list[int] = field(default_factory=list)
    memory: list[int] = field(default_factory=list)
    paths: dict[str, str] = field(default_factory=dict)

    def add(self, captured: CapturedRequest) -> None:
        request = captured.request
        self.durations.append(request.duration_ns)
        if request.memory_peak is not None:
            self.memory.append(request.memory_peak)
        if len(self.paths) < _MAX_PATHS:
            # One of a kind is enough, and only a transaction has several.
            self.paths.setdefault(route_of(path_of(request)), path_of(request))


@dataclass(frozen=True, slots=True, order=True)
class _Kind:
    method: str
    route: str
    is_transaction: bool

    @property
    def glob(self) -> str | None:
        return text_glob(self.route) if self.is_transaction else path_glob(self.route)

    @property
    def makes_a_rule(self) -> bool:
        return self.route != OTHER and self.glob is not None and bool(_METHOD.fullmatch(self.method))


@dataclass(frozen=True, slots=True, kw_only=True)
class Suggestion:
    """A rule for one kind of request.

    Attributes:
        name: Of the rule.
        method: HTTP method.
        host: The host that it is about; "" for all of them.
        route: Of the requests.
        glob: Of their paths, or of their transaction.
        is_transaction: Whether the route is one that the application named.
        paths: Of some of them, one of each kind.
        durations: Of the requests, ns, sorted.
        memory: Their peaks, bytes, sorted; empty if they are not known.
        overrides: Names of wider suggestions that are about these requests, too.
    """

    name: str
    method: str
    host: str
    route: str
    glob: str
    is_transaction: bool
    paths: tuple[str, ...]
    durations: Sequence[int]
    memory: Sequence[int]
    overrides: tuple[str, ...] = ()

    @property
    def duration_ms(self) -> int:
        """The budget of time, ms."""
        wanted = math.ceil(percentile(self.durations, _PERCENT) * _DURATION_ROOM / _MS)
        return _round_up(max(wanted, _LEAST_DURATION_MS))

    @property
    def memory_mib(self) -> int | None:
        """The budget of memory, MiB; None if memory is not known."""
        if not self.memory:
            return None
        wanted = math.ceil(percentile(self.memory, _PERCENT) * _MEMORY_ROOM / _MIB)
        return _round_up_binary(max(wanted, _LEAST_MEMORY_MIB))


@dataclass(frozen=True, slots=True, kw_only=True)
class Suggestions:
    """What a capture gives.

    Attributes:
        rules: The most frequent kind of request first.
        requests: How many requests there were.
        min_requests: How many of a kind were enough.
        few: How many kinds of requests are left out because there were too few of them.
        few_requests: How many requests these are.
        unnamed: Requests left out because no rule can name their method or path, or there were too many.
        died: Requests left out because their worker died, which says nothing of how long they take.
    """

    rules: tuple[Suggestion, ...]
    requests: int
    min_requests: int
    few: int
    few_requests: int
    unnamed: int
    died: int


def percentile(ordered: Sequence[int], percent: int) -> int:
    """Return the smallest of the sorted values that at least so many per cent of them do not exceed."""
    return ordered[max(0, math.ceil(len(ordered) * percent / 100) - 1)]


def suggest(captured: Iterable[CapturedRequest], min_requests: int = MIN_REQUESTS) -> Suggestions:
    """Return a rule for every kind of request, a method and a route, of which there are enough.

    Hosts are told apart where they differ much.

    Args:
        captured: Requests, whatever they took.
        min_requests: How many are enough.
    """
    namer = RouteNamer()
    kinds: dict[_Kind, dict[str, _Seen]] = {}
    requests = died = unnamed = 0
    for each in captured:
        requests += 1
        place = namer.name(each.request)
        kind = _Kind(each.request.method.upper(), place.route, bool(each.request.transaction))
        if each.state is State.DIED:
            died += 1
        elif not kind.makes_a_rule:
            unnamed += 1
        else:
            kinds.setdefault(kind, {}).setdefault(place.host, _Seen()).add(each)
    split = [
        (kind, host, seen)
        for kind, hosts in sorted(kinds.items())
        for host, seen in sorted(_split(hosts, min_requests).items())
    ]
    enough = [part for part in split if len(part[2].durations) >= min_requests]
    enough.sort(key=lambda part: -len(part[2].durations))
    few = [part for part in split if len(part[2].durations) < min_requests]
    return Suggestions(
        rules=tuple(_with_overrides(list(_named(enough)))),
        requests=requests,
        min_requests=min_requests,
        few=len(few),
        few_requests=sum(len(seen.durations) for _, _, seen in few),
        unnamed=unnamed,
        died=died,
    )


def _split(hosts: Mapping[str, _Seen], min_requests: int) -> Mapping[str, _Seen]:
    """Return what to make rules of: each host if those with enough requests are far apart, or all as one."""
    usual = [
        percentile(sorted(seen.durations), _PERCENT)
        for seen in hosts.values()
        if len(seen.durations) >= min_requests
    ]
    if len(usual) > 1 and max(usual) >= _APART * min(usual) and not hosts.keys() & {"", OTHER}:
        return hosts
    together = _Seen()
    for seen in hosts.values():
        together.durations += seen.durations
        together.memory += seen.memory
        together.paths |= seen.paths
    return {"": together}


def _named(parts: Iterable[tuple[_Kind, str, _Seen]]) -> Iterator[Suggestion]:
    names: set[str] = set()
    for kind, host, seen in parts:
        words = _NO_NAME.sub("-", f"{kind.method}-{kind.route}-{host}".lower()).strip("-")
        base = name = words[:_NAME_LENGTH].strip("-")
        number = 2
        while name in names:
            name, number = f"{base}-{number}", number + 1
        names.add(name)
        yield Suggestion(
            name=name,
            method=kind.method,
            host=host,
            route=kind.route,
            glob=kind.glob or "",
            is_transaction=kind.is_transaction,
            paths=tuple(seen.paths.values()),
            durations=sorted(seen.durations),
            memory=sorted(seen.memory),
        )


def _with_overrides(rules: Sequence[Suggestion]) -> Iterator[Suggestion]:
    """Let one of two rules that are about the same requests override the other: the one whose they are.

    Where each is about requests of the other, that is the narrower one. Where rules would override each other
    in a circle, which takes three of them, some requests are left to two rules.
    """
    overridden: dict[str, list[str]] = {rule.name: [] for rule in rules}
    narrowness = {rule.name: _narrowness(rule) for rule in rules}
    # In order, and quick to look up.
    shared = dict.fromkeys(_shared(rules))
    one_sided = [pair for pair in shared if pair[::-1] not in shared]
    mutual = [(one, two) for one, two in shared if (two, one) in shared and narrowness[two] < narrowness[one]]
    for winner, loser in one_sided:
        if not way(overridden, loser, winner):
            overridden[winner].append(loser)
    for narrow, wide in mutual:
        winner, loser = (wide, narrow) if way(overridden, wide, narrow) else (narrow, wide)
        overridden[winner].append(loser)
    for rule in rules:
        yield replace(rule, overrides=tuple(overridden[rule.name]))


def _shared(rules: Sequence[Suggestion]) -> Iterator[tuple[str, str]]:
    """Yield the names of every two rules of which the second is about requests of the first, too."""
    wide = [(rule, compile_glob(rule.glob)) for rule in rules if not rule.is_transaction]
    for rule in rules:
        for other, glob in wide:
            if (
                other.name != rule.name
                and other.method == rule.method
                and (other.host == rule.host or not (other.host and rule.host))
                and any(map(glob.match, rule.paths))
            ):
                yield rule.name, other.name


def _narrowness(rule: Suggestion) -> tuple[bool, tuple[int, int], str]:
    # With the name no two are equal.
    return rule.is_transaction, narrowness(rule.glob), rule.name


def _round_up(number: int) -> int:
    """Return the next round number, such as 50, 60, 80, 100, 120, 150 or 200."""
    power: int = 10 ** (len(str(number)) - 1)
    return next((step * power // 10 for step in _STEPS if step * power >= number * 10), 10 * power)


def _round_up_binary(number: int) -> int:
    """Return the next power of two, or one and a half of it."""
    power = 1 << (number - 1).bit_length()
    return power * 3 // 4 if power * 3 // 4 >= number else power
