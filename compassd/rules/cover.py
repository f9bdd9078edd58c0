"""Whether one match is about everything that another is about.

Every answer "yes" is a proof; "no" means "not as far as can be seen". Warnings are built on this, and a false
one costs more than a missing one.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection
from functools import lru_cache
from operator import eq
from typing import TypeVar

from compassd.rules.glob import compile_glob
from compassd.rules.model import Conditions, Match
from compassd.rules.path_regex import PathRegex, compile_path_regex
from compassd.rules.text_glob import compile_text_glob

MAX_COMPARISONS = 100_000
"""Of values, in one question: half a second. The daemon asks between two looks at what the kernel tells."""

_T = TypeVar("_T")

_SPECIAL = re.compile(r"[*?\[]")


def covers(wide: Match, narrow: Match) -> bool:
    """Return whether every request that narrow is about is one that wide is about."""
    return conditions_cover(wide, narrow) and all(
        # What wide leaves out must be left out of narrow, too.
        any(conditions_cover(own, excluded) for own in narrow.not_)
        for excluded in wide.not_
    )


def conditions_cover(wide: Conditions, narrow: Conditions) -> bool:
    """Return whether every request that meets the conditions of narrow meets those of wide."""
    return (
        _all_covered(wide.uri, narrow.uri, path_glob_covers)
        and _all_covered(wide.uri_regex, narrow.uri_regex, eq)
        and _all_covered(wide.method, narrow.method, eq)
        and _all_covered(wide.host, narrow.host, host_glob_covers)
        and (not wide.status or (narrow.status != () and _codes(narrow.status) <= _codes(wide.status)))
        and _all_covered(wide.pool, narrow.pool, _text_glob_covers)
        and _all_covered(wide.transaction, narrow.transaction, _text_glob_covers)
        and all(
            _all_covered(values, narrow.tags.get(name, ()), _text_glob_covers)
            for name, values in wide.tags.items()
        )
    )


def path_glob_covers(wide: str, narrow: str) -> bool:
    """Return whether every path that narrow matches is matched by wide."""
    if wide in {narrow, "**"}:
        return True
    if not _SPECIAL.search(narrow):
        return _path(wide).match(narrow) is not None
    # A glob that begins with "/shop/" is about what is below /shop, or it is "/shop/**", and about /shop too.
    folder = wide.removesuffix("/**")
    return folder != wide and not _SPECIAL.search(folder) and narrow.startswith(f"{folder}/")


def host_glob_covers(wide: str, narrow: str) -> bool:
    """Return whether every host that narrow matches is matched by wide."""
    if wide in {narrow, "**"}:
        return True
    if not _SPECIAL.search(narrow):
        return _path(wide).match(narrow) is not None
    # "*.example.com" is about what "*.shop.example.com" is about. Only "**" would match a "/" in a host.
    end = wide.removeprefix("*")
    return end != wide and not _SPECIAL.search(end) and "**" not in narrow and narrow.endswith(end)


def literal_prefix(glob: str) -> str:
    """Return what every path that a glob for paths matches begins with."""
    while glob.endswith("/**"):
        glob = glob.removesuffix("/**")
    found = _SPECIAL.search(glob)
    return glob[: found.start()] if found else glob


def never_both(globs: Collection[str], expressions: Collection[str]) -> bool:
    """Return whether no path is matched both by one of the globs and by one of the regular expressions."""
    if not globs or not expressions or len(globs) * len(expressions) > MAX_COMPARISONS:
        return False
    compiled = [compile_path_regex(expression) for expression in expressions]
    return not any(_may_meet(glob, expression) for glob in globs for expression in compiled)


@lru_cache(maxsize=1_024)
def _codes(statuses: tuple[int | str, ...]) -> frozenset[int]:
    """Return the status codes that 404 and "4xx" stand for."""
    found: set[int] = set()
    for status in statuses:
        first = status if isinstance(status, int) else int(status[0]) * 100
        found.update(range(first, first + (1 if isinstance(status, int) else 100)))
    return frozenset(found)


def _may_meet(glob: str, expression: PathRegex) -> bool:
    if not _SPECIAL.search(glob):
        return expression.matches(glob)
    prefix = literal_prefix(glob)
    return prefix.startswith(expression.prefix) or expression.prefix.startswith(prefix)


def _all_covered(
    wide: Collection[_T], narrow: Collection[_T], value_covers: Callable[[_T, _T], bool]
) -> bool:
    """Return whether wide allows every value that narrow allows; empty allows any."""
    if not wide:
        return True
    if not narrow or len(wide) * len(narrow) > MAX_COMPARISONS:
        return False
    return all(any(value_covers(each, own) for each in wide) for own in narrow)


def _text_glob_covers(wide: str, narrow: str) -> bool:
    if wide in {narrow, "*"}:
        return True
    return not _SPECIAL.search(narrow) and compile_text_glob(wide).match(narrow) is not None


_path = lru_cache(maxsize=1_024)(compile_glob)
