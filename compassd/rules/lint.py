"""What works in a rules file, and is hardly meant so.

Nothing here guesses: each warning is proven from the file (and the settings), and in doubt there is none.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from datetime import UTC, datetime

from compassd.rules.codes import Code
from compassd.rules.cover import (
    MAX_COMPARISONS,
    conditions_cover,
    covers,
    host_glob_covers,
    never_both,
    path_glob_covers,
)
from compassd.rules.glob import SYMBOL
from compassd.rules.model import Conditions, Match, Route, Rule, RulesFile
from compassd.rules.positions import KeyPath
from compassd.rules.problems import Finding
from compassd.rules.redundant import redundant_rules
from compassd.units import quoted

_NS_PER_S = 1_000_000_000
# A path ends before the first of these.
_IN_NO_PATH = frozenset({"#", "[#]", "[?]", "[?#]", "[#?]"})


def lint(content: RulesFile, destinations: Collection[str] | None, now_ns: int) -> Iterator[Finding]:
    """Yield every warning.

    Args:
        content: The file, without an error.
        destinations: Names of those the settings configure; None if they are not known.
        now_ns: When exceptions are compared with their date, Unix time in ns.
    """
    for number, rule in enumerate(content.rule):
        path: KeyPath = ("rule", number)
        yield from _match(rule.match, (*path, "match"))
        yield from _exceptions(rule, path, now_ns)
    overridden = _overridden(content.rule)
    for number, by in overridden.items():
        message = f"is never asked: rule {quoted(by)} overrides it and is about all that it is about"
        yield _warning(Code.SHADOWED, ("rule", number), message)
    for number, other, same in redundant_rules(content.rule):
        if number not in overridden:
            yield _redundant(content.rule, number, other, same=same)
    yield from _unused(content, destinations or ())
    yield from _routes(content.route)


def _match(match: Match, path: KeyPath) -> Iterator[Finding]:
    """Yield what can never match in a match."""
    for number, excluded in enumerate(match.not_):
        yield from _paths(excluded, (*path, "not", number))
        if conditions_cover(excluded, match):
            message = "this leaves out everything that the match is about, so that it never matches"
            yield _warning(Code.NEVER, (*path, "not", number), message)
    yield from _paths(match, path)


def _paths(conditions: Conditions, path: KeyPath) -> Iterator[Finding]:
    yield from _endless(conditions.uri, (*path, "uri"))
    if never_both(conditions.uri, conditions.uri_regex):
        message = "no path matches both uri and uri_regex, which must both match"
        yield _warning(Code.NEVER, (*path, "uri_regex"), message)


def _endless(globs: Collection[str], path: KeyPath) -> Iterator[Finding]:
    """Yield the globs that want what no path has."""
    for number, glob in enumerate(globs):
        if not _IN_NO_PATH.isdisjoint(SYMBOL.findall(glob)):
            message = f'{quoted(glob)} matches no path: a path ends before the first "?" or "#"'
            yield _warning(Code.NEVER, (*path, number), message)


def _exceptions(rule: Rule, path: KeyPath, now_ns: int) -> Iterator[Finding]:
    for number, exception in enumerate(rule.exceptions):
        own: KeyPath = (*path, "exception", number)
        yield from _match(exception.match, (*own, "match"))
        if exception.expires is not None and exception.expires <= now_ns:
            end = datetime.fromtimestamp(exception.expires // _NS_PER_S, UTC)
            message = f"has expired, at {end:%Y-%m-%d %H:%M} UTC; take the exception out, or renew it"
            yield _warning(Code.EXPIRED, (*own, "expires"), message)
        elif exception.expires is None and covers(exception.match, rule.match):
            message = "excepts everything that the rule is about, so that it never tells anything"
            yield _warning(Code.NEVER, (*own, "match"), message)


def _overridden(rules: Sequence[Rule]) -> dict[int, str]:
    """Return the numbers of rules that are never asked, each with the name of one that is asked instead."""
    numbers = {rule.name: number for number, rule in enumerate(rules)}
    found: dict[int, str] = {}
    for rule in rules:
        for number in (numbers[name] for name in rule.overrides):
            if covers(rule.match, rules[number].match):
                found.setdefault(number, rule.name)
    return dict(sorted(found.items()))


def _redundant(rules: Sequence[Rule], number: int, other: int, *, same: bool) -> Finding:
    name = quoted(rules[other].name)
    if same:
        return _warning(
            Code.DUPLICATE, ("rule", number), f"tells the same as rule {name}; take one of them out"
        )
    message = (
        f"tells nothing that rule {name} does not tell, which is about the same requests and is no less "
        f"strict; if it is an exception to that one, write overrides = [{name}], else take it out"
    )
    return _warning(Code.SHADOWED, ("rule", number), message)


def _unused(content: RulesFile, destinations: Collection[str]) -> Iterator[Finding]:
    used: set[str] = set()
    for rule in content.rule:
        if rule.destinations is None:
            return
        used.update(rule.destinations)
    for name in destinations:
        if name not in used:
            message = f"the settings have a destination {quoted(name)}, and no rule tells it anything"
            yield Finding(Code.UNUSED, (), at_key=True, message=message)


def _routes(routes: Collection[Route]) -> Iterator[Finding]:
    """Yield the patterns of routes whose requests all have a name by then.

    Where that took more than MAX_COMPARISONS, none is looked for.
    """
    few = sum(len(route.match) for route in routes) ** 2 <= MAX_COMPARISONS
    earlier: list[Route] = []
    for number, route in enumerate(routes):
        yield from _endless(route.match, ("route", number, "match"))
        for at, glob in enumerate(route.match):
            by = next((each for each in earlier if _names_all(each, route, glob)), None)
            if by is not None:
                message = (
                    f"{quoted(glob)} is never asked: the route {quoted(by.name)} above has all of its paths; "
                    "put the narrower one first"
                )
                yield _warning(Code.ROUTE_COVERED, ("route", number, "match", at), message)
        if few:
            earlier.append(route)


def _names_all(earlier: Route, route: Route, glob: str) -> bool:
    """Return whether earlier names every request that route would name for one of its globs."""
    hosts = not earlier.host or (
        bool(route.host)
        and all(any(host_glob_covers(wide, host) for wide in earlier.host) for host in route.host)
    )
    return hosts and any(path_glob_covers(wide, glob) for wide in earlier.match)


def _warning(code: Code, path: KeyPath, message: str) -> Finding:
    keys = ".".join(key for key in path[2:] if isinstance(key, str))
    return Finding(code, path, at_key=False, message=f"{keys}: {message}" if keys else message)
