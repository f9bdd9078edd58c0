"""A breach as a Slack message, in which nothing that a client sends can act.

Limits, from Slack's reference of Block Kit: header 150 characters of plain text, section 3,000, ten fields of
2,000, ten elements in a context, 50 blocks. Ours are tighter: 20 blocks and 10,000 characters of text in all.

What comes from outside is shown as code, where Slack knows no formatting, emoji or mentions, or as plain
text:

- & < > become entities first, so that no <!channel>, <@U123> or <https://…|link> can form, and are cut after
  that, between entities;
- a backtick would end the code, so it becomes U+02CB, which looks alike;
- @channel, @here and @everyone get a word joiner after the @;
- the text that notifications show is sent with mrkdwn off and parse "none".
"""

from __future__ import annotations

import re
from typing import Any

from compassd.breach import Breach, Excess, Metric, Severity, State
from compassd.calltree import Frame, Step
from compassd.hot_path import at, kind, notable_waits, percent, waits
from compassd.message import amount_text, death, summary, what
from compassd.request import Request
from compassd.text import ELLIPSIS, clean_text
from compassd.units import format_duration

_ENTITIES = str.maketrans({"&": "&amp;", "<": "&lt;", ">": "&gt;"})
_UNIT = re.compile(r"&(?:amp|lt|gt);|.", re.DOTALL)
_BROADCAST = re.compile(r"@(?=channel|here|everyone)", re.IGNORECASE)
_WORD_JOINER = "\N{WORD JOINER}"
_GRAVE = "\N{MODIFIER LETTER GRAVE ACCENT}"

_TEXT, _HEADER, _URI, _FIELD, _ELEMENT = 600, 150, 2_000, 300, 300
_MAX_FIELDS, _MAX_ELEMENTS = 10, 10
_MAX_TAGS = 8
_MAX_FUNCTIONS = 4
_MAX_STEPS, _FUNCTION = 8, 120
_WAITED_FOR = 300

_ICONS = {
    Severity.INFO: "\N{LARGE BLUE CIRCLE}",
    Severity.WARNING: "\N{LARGE ORANGE CIRCLE}",
    Severity.CRITICAL: "\N{LARGE RED CIRCLE}",
}
_LABELS = {
    Metric.DURATION: "Time",
    Metric.CPU: "CPU time",
    Metric.MEMORY: "Peak memory",
    Metric.WAITS: "Waits",
    Metric.FUNCTION_TIME: "Time in functions",
    Metric.FUNCTION_WAITS: "Waits in functions",
}


def payload(breach: Breach) -> dict[str, Any]:
    """Return the body of the POST to an incoming webhook."""
    header = plain(f"{_ICONS[breach.severity]} {breach.rule} {_headline(breach)}", _HEADER)
    return {
        "text": plain(summary(breach), _TEXT),
        "mrkdwn": False,
        "parse": "none",
        "unfurl_links": False,
        "unfurl_media": False,
        "blocks": [
            {"type": "header", "text": {"type": "plain_text", "text": header, "emoji": False}},
            {"type": "section", "text": _mrkdwn(code(what(breach.request, _URI), _URI))},
            *_now(breach),
            *_where(breach),
            *_waits(breach),
            {"type": "section", "fields": [_mrkdwn(field) for field in _fields(breach)]},
            {"type": "context", "elements": [_mrkdwn(element) for element in _context(breach)]},
        ],
    }


def _headline(breach: Breach) -> str:
    match breach.state:
        case State.RUNNING:
            return "is over budget and still running"
        case State.DIED:
            return f"never ended: {death(breach)}"
        case State.FINISHED:
            return "was over budget and has ended" if breach.told_running else "is over budget"


def plain(text: str, limit: int) -> str:
    """Return text for a place without formatting, escaped and at most limit characters long."""
    return _cut(_escape(text[: limit + 1]), limit)


def code(text: str, limit: int) -> str:
    """Return text as inline code for mrkdwn, escaped, at most limit characters with its backticks."""
    # Code with nothing but spaces would not be code.
    shown = text[: limit + 1].replace("`", _GRAVE).strip() or "-"
    return f"`{_cut(_escape(shown), limit - 2)}`"


def _escape(text: str) -> str:
    # It only gets longer, so callers cut roughly before: a URI can be long, and most of it is not shown.
    return _BROADCAST.sub(f"@{_WORD_JOINER}", clean_text(text)).translate(_ENTITIES)


def _cut(escaped: str, limit: int) -> str:
    """Cut to limit characters, the last one an ellipsis, never within an entity."""
    if len(escaped) <= limit:
        return escaped
    kept, room = [], limit - 1
    for unit in _UNIT.findall(escaped[: limit + 8]):
        if len(unit) > room:
            break
        kept.append(unit)
        room -= len(unit)
    return "".join(kept) + ELLIPSIS


def _mrkdwn(text: str) -> dict[str, Any]:
    # Verbatim: no names or addresses become links.
    return {"type": "mrkdwn", "text": text, "verbatim": True}


def _now(breach: Breach) -> list[dict[str, Any]]:
    """Return the section that says where a request that has not finished is, or was seen last."""
    seen = breach.last_seen
    if seen is None:
        return []
    title = "Last seen" if breach.state is State.DIED else "Now"
    doing = "" if breach.waiting_ns is None else f"waiting for {format_duration(breach.waiting_ns)} "
    # Without a wait it is not known what for.
    text = code(seen.waited_for, _WAITED_FOR) if seen.waited_for and breach.waiting_ns is not None else ""
    return [{"type": "section", "text": _mrkdwn(f"*{title}*: {doing}in {_at(seen.frame)} {text}".rstrip())}]


def _waits(breach: Breach) -> list[dict[str, Any]]:
    """Return the section that says what it waited for, or none."""
    places = notable_waits(breach.tree) if breach.tree else []
    if not places:
        return []
    lines = ["*What it waited for*"]
    for place in places:
        lines.append(f"{waits(place.totals)} in {_at(place.frame)}")
        if place.waited_for:
            lines.append(code(place.waited_for, _WAITED_FOR))
    return [{"type": "section", "text": _mrkdwn("\n".join(lines))}]


def _at(frame: Frame) -> str:
    place = at(frame).removeprefix(" at ")
    function = code(frame.function, _FUNCTION)
    return f"{function} {code(place, _FUNCTION)}" if place else function


def _where(breach: Breach) -> list[dict[str, Any]]:
    """Return the section that says where the time went, or none."""
    path = breach.tree.hot_path() if breach.tree else []
    if not path:
        return []
    lines = [_step(step) for step in path]
    if len(lines) > _MAX_STEPS:
        # The beginning is the framework's, the end is what counts.
        lines = [lines[0], f"… {len(lines) - _MAX_STEPS} more", *lines[-_MAX_STEPS + 1 :]]
    text = "\n".join([f"*Where the time went*: {kind(path[-1].totals)}", *lines])
    return [{"type": "section", "text": _mrkdwn(text)}]


def _step(step: Step) -> str:
    return f"{percent(step.share)} {_at(step.frame)}"


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
        f"*{_LABELS[metric]}*\n{_amount(metric, amount, over.get(metric))}"
        for metric, amount in amounts.items()
        if amount is not None
    ]
    fields += _functions([excess for excess in breach.excesses if excess.function])
    if request.status is not None:
        fields.append(f"*Status*\n{request.status}")
    fields += [f"*{label}*\n{code(value, _FIELD)}" for label, value in _places(request) if value]
    return fields[:_MAX_FIELDS]


def _functions(excesses: list[Excess]) -> list[str]:
    """Return a field for each function over budget; those without room are counted in the last."""
    fields = [
        f"*{_LABELS[excess.metric]}*\n{code(excess.function, _FUNCTION)}: "
        f"{_amount(excess.metric, excess.actual, excess.budget)}"
        for excess in excesses
    ]
    if len(fields) > _MAX_FUNCTIONS:
        more = len(fields) - _MAX_FUNCTIONS + 1
        fields[_MAX_FUNCTIONS - 1 :] = [f"*Functions*\n{more} more over budget"]
    return fields


def _amount(metric: Metric, amount: int, budget: int | None) -> str:
    shown = amount_text(metric, amount)
    return shown if budget is None else f"{shown}, budget {amount_text(metric, budget)}"


def _places(request: Request) -> list[tuple[str, str]]:
    return [
        ("Route", request.transaction),
        ("Host", request.host),
        ("Pool", request.pool),
        ("Script", request.script),
    ]


def _context(breach: Breach) -> list[str]:
    request = breach.request
    first = [
        f"server {code(breach.server, _ELEMENT)}",
        f"request {code(request.id, _ELEMENT)}",
    ]
    tags = [code(f"{key}={value}", _ELEMENT) for key, value in list(request.tags.items())[:_MAX_TAGS]]
    return (first + tags)[:_MAX_ELEMENTS]
