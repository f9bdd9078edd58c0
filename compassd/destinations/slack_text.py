"""The parts of a Slack message, in which nothing that a client sends can act.

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
from collections.abc import Iterable, Sequence
from typing import Any

from compassd.breach import Severity
from compassd.text import ELLIPSIS, clean_text

Block = dict[str, Any]

ICONS = {
    Severity.INFO: "\N{LARGE BLUE CIRCLE}",
    Severity.WARNING: "\N{LARGE ORANGE CIRCLE}",
    Severity.CRITICAL: "\N{LARGE RED CIRCLE}",
}
QUIET_ICON = "\N{MEDIUM WHITE CIRCLE}"
"""Of what is over. Not a tick: that nothing happens does not mean that anybody mended it."""

MAX_FIELDS = 10

_ENTITIES = str.maketrans({"&": "&amp;", "<": "&lt;", ">": "&gt;"})
_UNIT = re.compile(r"&(?:amp|lt|gt);|.", re.DOTALL)
_BROADCAST = re.compile(r"@(?=channel|here|everyone)", re.IGNORECASE)
_WORD_JOINER = "\N{WORD JOINER}"
_GRAVE = "\N{MODIFIER LETTER GRAVE ACCENT}"

_TEXT, _HEADER = 600, 150
_MAX_ELEMENTS = 10


def envelope(text: str, blocks: Iterable[Block]) -> dict[str, Any]:
    """Return a message.

    Args:
        text: What notifications show and screen readers read; escaped and cut here.
        blocks: What everybody else sees.
    """
    return {
        "text": plain(text, _TEXT),
        "mrkdwn": False,
        "parse": "none",
        "unfurl_links": False,
        "unfurl_media": False,
        "blocks": list(blocks),
    }


def header(text: str) -> Block:
    """Return a header; text is escaped and cut here."""
    return {"type": "header", "text": {"type": "plain_text", "text": plain(text, _HEADER), "emoji": False}}


def section(text: str) -> Block:
    """Return a section; of text, what comes from outside is code already."""
    return {"type": "section", "text": _mrkdwn(text)}


def fields_section(fields: Sequence[str]) -> Block:
    """Return a section of fields, those without room left out; made as for section()."""
    return {"type": "section", "fields": [_mrkdwn(each) for each in fields[:MAX_FIELDS]]}


def context(elements: Sequence[str]) -> Block:
    """Return a context, elements without room left out; made as for section()."""
    return {"type": "context", "elements": [_mrkdwn(element) for element in elements[:_MAX_ELEMENTS]]}


def field(label: str, value: str) -> str:
    """Return a field, its label in bold."""
    return f"*{label}*\n{value}"


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
