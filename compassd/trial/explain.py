"""Why each rule tells a request or does not, in words. Pure."""

from __future__ import annotations

from collections.abc import Iterator

from compassd.breach import Gate, Metric, State
from compassd.capture import CapturedRequest
from compassd.message import amount_text, signal_name, what
from compassd.routes import Place
from compassd.rules.match import RuleSet
from compassd.rules.model import RuleException
from compassd.rules.verdict import LimitVerdict, Mismatch, Outcome, Verdict, explain
from compassd.text import shorten
from compassd.units import format_duration, quoted

_MAX_URI = 200
_MAX_WANTED = 5
_NAMES = {
    Metric.DURATION: "took",
    Metric.CPU: "CPU",
    Metric.MEMORY: "memory",
    Metric.WAITS: "waits",
    Metric.FUNCTION_TIME: "time in",
    Metric.FUNCTION_WAITS: "waits in",
}


def explanation(ruleset: RuleSet, captured: CapturedRequest, place: Place, only: str = "") -> list[str]:
    """Return what each rule says of a request, as lines.

    Args:
        ruleset: The rules.
        captured: The request.
        place: What it is counted under.
        only: Name of the rule to tell about; "" for all of them.
    """
    verdicts = explain(ruleset, captured.request, lambda: captured.tree, captured.state)
    wanted = [verdict for verdict in verdicts if only in ("", verdict.rule.name)]
    width = max((len(verdict.rule.name) for verdict in wanted), default=0)
    lines = [_title(captured), f"  counted under {place.host or 'no host'}, {place.route or 'no route'}"]
    for verdict in wanted:
        first, *more = _reasons(verdict)
        lines.append(f"  {verdict.rule.name:{width}}  {str(verdict.outcome).upper()}: {first}")
        lines += [f"  {'':{width}}  {line}" for line in more]
    return lines


def _title(captured: CapturedRequest) -> str:
    request = captured.request
    facts = [
        what(request, _MAX_URI),
        f"took {format_duration(request.duration_ns)}",
        "" if request.status is None else f"HTTP {request.status}",
        _death(captured),
        captured.place and f"at {captured.place}",
    ]
    return ", ".join(filter(None, facts))


def _death(captured: CapturedRequest) -> str:
    if captured.state is not State.DIED:
        return ""
    return f"killed by {signal_name(captured.signal)}" if captured.signal else "its worker exited"


def _reasons(verdict: Verdict) -> Iterator[str]:
    """Yield one line at least."""
    match verdict.outcome:
        case Outcome.NO_MATCH | Outcome.LATER if verdict.mismatches:
            yield from map(_mismatch, verdict.mismatches)
        case Outcome.OVERRIDDEN:
            yield f"by {', '.join(verdict.overridden_by)}"
        case Outcome.EXCEPTED if verdict.exception:
            yield _exception(verdict.exception)
        case Outcome.BROKEN:
            destinations = ", ".join(verdict.rule.destinations or ("every destination",))
            yield f"{verdict.severity}, tells {destinations}{_gate(verdict.rule.gate)}"
            yield from map(_limit, verdict.limits)
        case _:
            yield ", ".join(map(_limit, verdict.limits)) or "its end is not known yet"


def _mismatch(mismatch: Mismatch) -> str:
    seen = "not there" if mismatch.seen is None else quoted(mismatch.seen)
    wanted = [quoted(each) for each in mismatch.wanted[:_MAX_WANTED]]
    wanted += [f"{more} more"] if (more := len(mismatch.wanted) - _MAX_WANTED) > 0 else []
    verb = "which leaves out" if mismatch.field.startswith("not.") else "the rule wants"
    return f"{mismatch.field} is {seen}, {verb} {' or '.join(wanted)}"


def _exception(exception: RuleException) -> str:
    name = f"{exception.name}: " if exception.name else ""
    return f"{name}{shorten(exception.reason, _MAX_URI)}"


def _limit(limit: LimitVerdict) -> str:
    function = f" {limit.function}" if limit.function else ""
    budget = amount_text(limit.metric, limit.budget)
    if limit.actual is None:
        return f"{_NAMES[limit.metric]}{function} is not known, budget {budget}"
    over = "over" if limit.is_exceeded else "within"
    actual = amount_text(limit.metric, limit.actual)
    return f"{_NAMES[limit.metric]}{function} {actual}, {over} the budget of {budget}"


def _gate(gate: Gate) -> str:
    """Return how many such breaches it takes, "" if each counts."""
    needs = [f"{gate.min_hits} of them"] if gate.min_hits > 1 else []
    needs += [f"{gate.min_rate:.3%} of all requests"] if gate.min_rate is not None else []
    return f", once there are {' and '.join(needs)} within {format_duration(gate.within_ns)}" if needs else ""
