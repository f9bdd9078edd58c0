"""What a test of rules expected, held against what was told. Pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass, field

from compassd.breach import Breach, Severity
from compassd.notice import DigestNotice, IncidentNotice, Message
from compassd.rules.values import suggestion
from compassd.trial.cases import AlertCase, Case, MessageCase
from compassd.units import format_duration, quoted

_SHOWN = 10  # lines of what was got instead


@dataclass(slots=True)
class Outcome:
    """What was told in one test.

    Attributes:
        began_at: When the test began, Unix time in ns.
        breaches: Of each request the index of its table in the file, and its breaches.
        messages: When each was sent, Unix time in ns, and what it says.
    """

    began_at: int
    breaches: list[tuple[int, list[Breach]]] = field(default_factory=list)
    messages: list[tuple[int, Message]] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Unmet:
    """An expectation that was not met.

    Attributes:
        path: Where it is, from the test's table on.
        expected: In words.
        got: What there was instead, a line each.
    """

    path: tuple[str | int, ...]
    expected: str
    got: Sequence[str]


def unknown_rules(case: Case, known: Collection[str]) -> Iterator[Unmet]:
    """Yield where a test names rules that do not exist: what it expects of them would mean nothing."""
    named: list[tuple[tuple[str | int, ...], str]] = [
        (("request", index, "breaks"), name)
        for index, request in enumerate(case.requests)
        for name in request.breaks or ()
    ]
    named += [(("alert", index), alert.rule) for index, alert in enumerate(case.alerts)]
    named += [(("silent",), name) for name in ([] if case.silent == "all" else case.silent)]
    named += [(("message", index), each.rule) for index, each in enumerate(case.messages) if each.rule]
    for path, name in named:
        if name not in known:
            yield Unmet(path, f"a rule {quoted(name)}", [f"no such rule{suggestion(name, known)}"])


def unmet_expectations(case: Case, outcome: Outcome) -> Iterator[Unmet]:
    """Yield what a test expected in vain, in the order of its keys."""
    for index, request in enumerate(case.requests):
        if request.breaks is None:
            continue
        broken = [[breach.rule for breach in found] for table, found in outcome.breaches if table == index]
        wrong = {_listed(rules) for rules in broken if set(rules) != set(request.breaks)}
        if wrong:
            what = f"{request.method} {request.uri} to break {_listed(request.breaks)}"
            yield Unmet(("request", index, "breaks"), what, sorted(wrong))
    breaches = [breach for _, found in outcome.breaches for breach in found]
    for index, alert in enumerate(case.alerts):
        if not _enough(sum(_is_alert(alert, breach) for breach in breaches), alert.count):
            yield Unmet(("alert", index), _alert_text(alert), _counted(breaches))
    loud = [breach for breach in breaches if case.silent == "all" or breach.rule in case.silent]
    if loud:
        what = "every rule" if case.silent == "all" else _listed(case.silent)
        yield Unmet(("silent",), f"silence of {what}", _counted(loud))
    sent = [(at - outcome.began_at, message) for at, message in outcome.messages]
    for index, expected in enumerate(case.messages):
        if not _enough(sum(_is_message(expected, at, message) for at, message in sent), expected.count):
            got = _some([_message_text(at, message) for at, message in sent])
            yield Unmet(("message", index), _expected_message_text(expected), got)


def _enough(found: int, count: int | None) -> bool:
    return found >= 1 if count is None else found == count


def _is_alert(expected: AlertCase, breach: Breach) -> bool:
    return (
        expected.rule == breach.rule
        and expected.severity in (None, breach.severity)
        and expected.host in (None, breach.host)
        and expected.route in (None, breach.route)
        and (expected.destination is None or expected.destination in breach.destinations)
    )


def _is_message(expected: MessageCase, at: int, message: Message) -> bool:
    notice = message.notice
    if not isinstance(notice, IncidentNotice | DigestNotice):
        return False
    happening, hits, keys = _told(notice)
    return (
        expected.destination in (None, message.destination)
        and expected.happening in (None, happening)
        and expected.severity in (None, notice.severity)
        and expected.new_hits in (None, hits)
        and expected.at in (None, at)
        and any(expected.rule in (None, rule) and expected.route in (None, route) for rule, route in keys)
    )


def _told(notice: IncidentNotice | DigestNotice) -> tuple[str, int, list[tuple[str, str]]]:
    """Return what happened, the new breaches, and the rules and routes that are named."""
    if isinstance(notice, DigestNotice):
        return "digest", notice.new_hits, [(line.key.rule, line.key.route) for line in notice.lines]
    return str(notice.happening), notice.figures.new_hits, [(notice.key.rule, notice.key.route)]


def _alert_text(alert: AlertCase) -> str:
    where = [alert.severity, alert.host, alert.route, alert.destination and f"to {alert.destination}"]
    return f"{_times(alert.count)} {_joined(alert.rule, *where)}"


def _counted(breaches: Iterable[Breach]) -> list[str]:
    """Return how often there was which breach."""
    kinds = Counter(
        _joined(each.rule, each.severity, each.host, each.route, f"to {', '.join(each.destinations)}")
        for each in breaches
    )
    return _some([f"{count} times {kind}" for kind, count in kinds.items()])


def _expected_message_text(expected: MessageCase) -> str:
    hits = expected.new_hits
    return f"{_times(expected.count)} " + _joined(
        "message",
        expected.happening,
        expected.rule,
        expected.severity,
        expected.route,
        None if hits is None else f"with {hits} new breaches",
        None if expected.at is None else f"after {_moment(expected.at)}",
        expected.destination and f"to {expected.destination}",
    )


def _message_text(at: int, message: Message) -> str:
    notice = message.notice
    if not isinstance(notice, IncidentNotice | DigestNotice):
        return type(notice).__name__
    happening, hits, keys = _told(notice)
    rule, route = keys[0] if isinstance(notice, IncidentNotice) else (f"of {notice.incidents} incidents", "")
    severity: Severity = notice.severity
    return "message " + _joined(
        happening,
        rule,
        severity,
        route,
        f"with {hits} new breaches after {_moment(at)} to {message.destination}",
    )


def _times(count: int | None) -> str:
    return "at least once" if count is None else f"{count} times"


def _moment(at: int) -> str:
    return format_duration(at) if at else "0 s"


def _joined(*words: str | None) -> str:
    return " ".join(str(word) for word in words if word)


def _listed(names: Iterable[str]) -> str:
    return ", ".join(names) or "no rule"


def _some(lines: Sequence[str]) -> list[str]:
    more = len(lines) - _SHOWN
    return [*lines[:_SHOWN], *([f"{more} more"] if more > 0 else [])] or ["nothing"]
