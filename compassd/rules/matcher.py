"""Matches in the form they are evaluated in.

Some of a request is known only at its end. A rule waits for that: while the request runs, what is not known
yet counts as what keeps the rule from being asked. Of a request whose worker died it will never be known, so
nothing matches it.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial

from compassd.rules.glob import compile_glob
from compassd.rules.model import Conditions, Match
from compassd.rules.path_regex import compile_path_regex
from compassd.rules.subject import Subject
from compassd.rules.text_glob import compile_text_glob


@dataclass(frozen=True, slots=True)
class FieldTest:
    """What one field of a match says.

    Attributes:
        field: Its key in the rules file; of a tag "tags." and its name.
        wanted: What it wants one of, as written.
        seen: Returns what the request has, None if it has none.
        accepts: Returns whether that is wanted.
        is_late: Whether it is known only at the end of the request.
    """

    field: str
    wanted: tuple[str, ...]
    seen: Callable[[Subject], str | None]
    accepts: Callable[[str], object]
    is_late: bool = False

    def holds(self, subject: Subject, *, unknown: bool) -> bool:
        """Return whether the request has what is wanted; unknown is the answer if that is not known yet."""
        if self.is_late and subject.is_running:
            return unknown
        seen = self.seen(subject)
        return seen is not None and bool(self.accepts(seen))


@dataclass(frozen=True, slots=True)
class Matcher:
    """A match.

    Attributes:
        fields: All must hold.
        exclusions: Of each at least one field must not hold.
    """

    fields: tuple[FieldTest, ...]
    exclusions: tuple[tuple[FieldTest, ...], ...] = ()

    def matches(self, subject: Subject, *, unknown: bool = False) -> bool:
        """Return whether the match is about a request; unknown is the answer if that is not known yet."""
        for test in self.fields:
            if not test.holds(subject, unknown=unknown):
                return False
        return not any(
            all(test.holds(subject, unknown=not unknown) for test in exclusion)
            for exclusion in self.exclusions
        )


def compile_match(match: Match) -> Matcher:
    """Return a match in the form it is evaluated in."""
    exclusions = tuple(tuple(_tests(exclusion)) for exclusion in match.not_)
    return Matcher(tuple(_tests(match)), exclusions)


def _tests(conditions: Conditions) -> Iterator[FieldTest]:
    """Yield a test for every field that is given, the cheap ones first."""
    if wanted := conditions.method:
        yield FieldTest("method", wanted, lambda subject: subject.method, frozenset(wanted).__contains__)
    if conditions.status:
        wanted = tuple(map(str, conditions.status))
        codes = frozenset(code for status in conditions.status for code in _codes(status))
        yield FieldTest("status", wanted, _status, codes.__contains__, is_late=True)
    if wanted := conditions.pool:
        yield FieldTest("pool", wanted, lambda subject: subject.pool, _any_text_glob(wanted))
    if wanted := conditions.host:
        yield FieldTest("host", wanted, lambda subject: subject.host, _any(list(map(compile_glob, wanted))))
    if wanted := conditions.uri:
        yield FieldTest("uri", wanted, _path, _any(list(map(compile_glob, wanted))))
    if wanted := conditions.uri_regex:
        expressions = [compile_path_regex(text) for text in wanted]
        accepts = partial(_any_of, [expression.matches for expression in expressions])
        yield FieldTest("uri_regex", wanted, _path, accepts)
    if wanted := conditions.transaction:
        yield FieldTest("transaction", wanted, _transaction, _any_text_glob(wanted), is_late=True)
    for name, globs in conditions.tags.items():
        yield FieldTest(f"tags.{name}", globs, partial(_tag, name), _any_text_glob(globs), is_late=True)


def _path(subject: Subject) -> str:
    return subject.path


def _status(subject: Subject) -> str | None:
    return None if subject.status is None else str(subject.status)


def _transaction(subject: Subject) -> str | None:
    return subject.transaction


def _tag(name: str, subject: Subject) -> str | None:
    return subject.tags.get(name)


def _codes(status: int | str) -> Iterator[str]:
    """Yield the status codes that 404 or "4xx" stands for."""
    if isinstance(status, int):
        yield str(status)
    else:
        yield from (f"{status[0]}{rest:02}" for rest in range(100))


def _any_text_glob(globs: Sequence[str]) -> Callable[[str], object]:
    return _any([compile_text_glob(glob) for glob in globs])


def _any(patterns: Sequence[re.Pattern[str]]) -> Callable[[str], object]:
    return partial(_any_of, [pattern.match for pattern in patterns])


def _any_of(tests: Sequence[Callable[[str], object]], value: str) -> bool:
    return any(test(value) for test in tests)
