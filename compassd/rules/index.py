"""Which rules may be about a request, without asking each of them.

A rule stands in the index under one of its fields: under the beginnings of its paths, its hosts, or its
methods, whichever it shares with the fewest other rules. A request asks for the rules under every beginning
of its path, under its host, every domain above that, and its method. Rules that have none of these are asked
always.
"""

from __future__ import annotations

import re
from bisect import bisect_right
from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence

from compassd.rules.model import Match
from compassd.rules.path_regex import compile_path_regex
from compassd.rules.subject import Subject

_Key = tuple[str, str]
"""A kind of key, and the key."""
_PATH, _HOST, _DOMAIN, _METHOD = "path", "host", "domain", "method"

# Lengths of the beginnings of paths, as each in use takes a look-up; one in between is cut.
_LENGTHS = (*range(2, 33), 40, 48, 64)
_MAX_LABELS = 128
"""Of a host: names have no more, and headers may have any number."""
_WILDCARD = re.compile(r"[*?\[]")


class RuleIndex:
    """Finds the rules that may be about a request.

    Args:
        matches: What each rule is about, in the order of the rules.
    """

    def __init__(self, matches: Sequence[Match]) -> None:
        choices = [list(_choices(match)) for match in matches]
        shared = Counter(key for keys in choices for choice in keys for key in choice)
        found: defaultdict[_Key, list[int]] = defaultdict(list)
        always = []
        for number, keys in enumerate(choices):
            if not keys:
                always.append(number)
                continue
            for key in min(keys, key=lambda choice: max(shared[key] for key in choice)):
                found[key].append(number)
        self._always = always
        self._paths, self._hosts, self._domains, self._methods = (
            {key: numbers for (kind, key), numbers in found.items() if kind == wanted}
            for wanted in (_PATH, _HOST, _DOMAIN, _METHOD)
        )
        self._lengths = sorted(set(map(len, self._paths)))

    def lookup(self, subject: Subject) -> list[int]:
        """Return the numbers of the rules to ask, in order: too many perhaps, never too few."""
        numbers = set(self._always)
        path, host = subject.path, subject.host
        # A path that is shorter is looked up as a whole again, which does no harm.
        for length in self._lengths:
            numbers.update(self._paths.get(path[:length], ()))
        numbers.update(self._hosts.get(host, ()))
        numbers.update(self._methods.get(subject.method, ()))
        at = len(host) if self._domains else -1
        for _ in range(_MAX_LABELS):
            at = host.rfind(".", 0, max(0, at))
            if at < 0:
                break
            numbers.update(self._domains.get(host[at:], ()))
        return sorted(numbers)


def _choices(match: Match) -> Iterator[set[_Key]]:
    """Yield sets of keys; a request that a rule is about has at least one key of each set."""
    paths = [_beginning(path_prefix(glob)) for glob in match.uri]
    regexes = [_beginning(compile_path_regex(text).prefix) for text in match.uri_regex]
    hosts = [_host_key(glob) for glob in match.host]
    methods = [(_METHOD, method) for method in match.method]
    for keys in (paths, regexes, hosts, methods):
        usable = {key for key in keys if key is not None}
        if usable and None not in keys:
            yield usable


def path_prefix(glob: str) -> str:
    """Return what every path that a glob matches begins with."""
    while glob.endswith("/**"):
        glob = glob.removesuffix("/**")
    return _WILDCARD.split(glob, maxsplit=1)[0]


def _beginning(prefix: str) -> _Key | None:
    """Return the key for paths that begin like this, None if that says nothing: all begin with a "/"."""
    fitting = bisect_right(_LENGTHS, len(prefix))
    return (_PATH, prefix[: _LENGTHS[fitting - 1]]) if fitting else None


def _host_key(glob: str) -> _Key | None:
    """Return the key for hosts that a glob matches, None if there is none."""
    if not _WILDCARD.search(glob):
        return _HOST, glob
    tail = re.split(r"[*?\]]", glob)[-1]
    domain = tail[tail.find(".") :] if "." in tail else ""
    return (_DOMAIN, domain) if domain and domain.count(".") < _MAX_LABELS else None
