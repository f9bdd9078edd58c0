"""A breach as a Slack message: for the developer who will mend it."""

from __future__ import annotations

from typing import Any

from compassd.breach import Breach, Excess, Metric, State
from compassd.calltree import Frame, Step
from compassd.destinations.slack_text import (
    ICONS,
    MAX_FIELDS,
    Block,
    code,
    context,
    envelope,
    field,
    fields_section,
    header,
    section,
)
from compassd.hot_path import at, kind, notable_waits, percent, waits
from compassd.message import amount_text, death, summary, what
from compassd.request import Request
from compassd.units import format_duration

_URI, _FIELD, _ELEMENT = 1_000, 300, 300
_MAX_TAGS = 8
_MAX_FUNCTIONS = 4
_MAX_STEPS, FUNCTION = 8, 120
_WAITED_FOR = 300

LABELS = {
    Metric.DURATION: "Time",
    Metric.CPU: "CPU time",
    Metric.MEMORY: "Peak memory",
    Metric.WAITS: "Waits",
    Metric.FUNCTION_TIME: "Time in functions",
    Metric.FUNCTION_WAITS: "Waits in functions",
}


def breach_payload(breach: Breach) -> dict[str, Any]:
    """Return the message about a single breach."""
    return envelope(
        summary(breach),
        [
            header(f"{ICONS[breach.severity]} {breach.rule} {_headline(breach)}"),
            section(code(what(breach.request, _URI), _URI)),
            *where_blocks(breach),
            fields_section(_fields(breach)),
            context(_context(breach)),
        ],
    )


def where_blocks(breach: Breach) -> list[Block]:
    """Return the sections that say where the request is, where its time went and what it waited for."""
    return [section(text) for text in (_now(breach), _where(breach), _waits(breach)) if text]


def place(frame: Frame) -> str:
    """Return a function and where it is, as code."""
    file = at(frame).removeprefix(" at ")
    function = code(frame.function, FUNCTION)
    return f"{function} {code(file, FUNCTION)}" if file else function


def excess_amount(excess: Excess) -> str:
    """Return what was exceeded, in words, without its label: "1.24 s, budget 800 ms"."""
    amount = _amount(excess.metric, excess.actual, excess.budget)
    return f"{code(excess.function, FUNCTION)}: {amount}" if excess.function else amount


def _headline(breach: Breach) -> str:
    match breach.state:
        case State.RUNNING:
            return "is over budget and still running"
        case State.DIED:
            return f"never ended: {death(breach)}"
        case State.FINISHED:
            return "was over budget and has ended" if breach.told_running else "is over budget"


def _now(breach: Breach) -> str:
    """Return where a request that has not finished is, or was seen last; "" if that is not known."""
    seen = breach.last_seen
    if seen is None:
        return ""
    title = "Last seen" if breach.state is State.DIED else "Now"
    doing = "" if breach.waiting_ns is None else f"waiting for {format_duration(breach.waiting_ns)} "
    # Without a wait it is not known what for.
    text = code(seen.waited_for, _WAITED_FOR) if seen.waited_for and breach.waiting_ns is not None else ""
    return f"*{title}*: {doing}in {place(seen.frame)} {text}".rstrip()


def _waits(breach: Breach) -> str:
    """Return what it waited for, "" if that says nothing."""
    places = notable_waits(breach.tree) if breach.tree else []
    if not places:
        return ""
    lines = ["*What it waited for*"]
    for each in places:
        lines.append(f"{waits(each.totals)} in {place(each.frame)}")
        if each.waited_for:
            lines.append(code(each.waited_for, _WAITED_FOR))
    return "\n".join(lines)


def _where(breach: Breach) -> str:
    """Return where the time went, "" if that is not known."""
    path = breach.tree.hot_path() if breach.tree else []
    if not path:
        return ""
    lines = [_step(step) for step in path]
    if len(lines) > _MAX_STEPS:
        # The beginning is the framework's, the end is what counts.
        lines = [lines[0], f"… {len(lines) - _MAX_STEPS} more", *lines[-_MAX_STEPS + 1 :]]
    return "\n".join([f"*Where the time went*: {kind(path[-1].totals)}", *lines])


def _step(step: Step) -> str:
    return f"{percent(step.share)} {place(step.frame)}"


def _fields(breach: Breach) -> list[str]:
    request = breach.request
    over = {excess.metric: excess.budget for excess in breach.excesses}
    amounts = {
        Metric.DURATION: request.duration_ns,
        Metric.CPU: request.cpu_ns,
        Metric.MEMORY: request.memory_peak,
        # Of no interest as long as there are not too many.
        Metric.WAITS: next((e.actual for e in breach.excesses if e.metric is Metric.WAITS), None),
    }
    fields = [
        field(LABELS[metric], _amount(metric, amount, over.get(metric)))
        for metric, amount in amounts.items()
        if amount is not None
    ]
    fields += _functions([excess for excess in breach.excesses if excess.function])
    if request.status is not None:
        fields.append(field("Status", str(request.status)))
    fields += [field(label, code(value, _FIELD)) for label, value in _places(breach) if value]
    return fields[:MAX_FIELDS]


def _functions(excesses: list[Excess]) -> list[str]:
    """Return a field for each function over budget; those without room are counted in the last."""
    fields = [field(LABELS[excess.metric], excess_amount(excess)) for excess in excesses]
    if len(fields) > _MAX_FUNCTIONS:
        more = len(fields) - _MAX_FUNCTIONS + 1
        fields[_MAX_FUNCTIONS - 1 :] = [field("Functions", f"{more} more over budget")]
    return fields


def _amount(metric: Metric, amount: int, budget: int | None) -> str:
    shown = amount_text(metric, amount)
    return shown if budget is None else f"{shown}, budget {amount_text(metric, budget)}"


def _places(breach: Breach) -> list[tuple[str, str]]:
    request = breach.request
    return [
        ("Route", _route(breach.route or request.transaction, request)),
        ("Host", request.host),
        ("Pool", request.pool),
        ("Script", request.script),
    ]


def _route(route: str, request: Request) -> str:
    """Return the route, "" where it says no more than the path."""
    return "" if route == request.uri.partition("?")[0] else route


def _context(breach: Breach) -> list[str]:
    request = breach.request
    tags = [f"{key}={value}" for key, value in list(request.tags.items())[:_MAX_TAGS]]
    return [
        f"server {code(breach.server, _ELEMENT)}",
        f"request {code(request.id, _ELEMENT)}",
        *[code(tag, _ELEMENT) for tag in tags],
    ]
