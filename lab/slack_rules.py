"""What Slack accepts as a message, from its documentation.

Limits: https://docs.slack.dev/reference/block-kit/blocks (50 blocks a message; header 150; section 3,000, ten
fields of 2,000 each; context ten elements) and …/composition-objects/text-object (1 to 3,000 characters).
Errors: https://api.slack.com/changelog/2016-05-17-changes-to-errors-for-incoming-webhooks.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any

_MAX_BLOCKS, _MAX_FIELDS, _MAX_ELEMENTS = 50, 10, 10
_MAX_TEXT, _MAX_HEADER, _MAX_FIELD = 3_000, 150, 2_000
_OUR_BLOCKS, _OUR_TEXT, _OUR_LINES = 20, 10_000, 10
# A label, amounts, shares, times, and the circles of severities.
_OURS = re.compile(
    r"[A-Za-z0-9\s*%.,;:()?…\N{LARGE BLUE CIRCLE}\N{LARGE ORANGE CIRCLE}\N{LARGE RED CIRCLE}"
    r"\N{MEDIUM WHITE CIRCLE}-]*"
)

# <!channel>, <@U024BE7LH>, <#C024BE7LR>, <!subteam^SAZ94GDB8>, <https://example.com|link>
_ACTIVE = re.compile(r"<[^<>]*>")
_BROADCAST = re.compile(r"@(?:channel|here|everyone)\b", re.IGNORECASE)
_BARE = re.compile(r"&(?!(?:amp|lt|gt);)|[<>]")


def refusal(content_type: str, body: bytes) -> str:
    """Return the word with which a webhook refuses this request with status 400, "" if it takes it."""
    if content_type.partition(";")[0].strip() != "application/json":
        return "invalid_payload"
    try:
        message = json.loads(body)
    except ValueError:
        return "invalid_payload"
    return fault(message) if isinstance(message, dict) else "invalid_payload"


def fault(message: dict[str, Any]) -> str:
    """Return the word for what is wrong with a message's text and blocks, "" for nothing."""
    if not message.get("text") and not message.get("blocks"):
        return "no_text"
    blocks = message.get("blocks", [])
    if not isinstance(blocks, list):
        return "invalid_blocks_format"
    return "" if len(blocks) <= _MAX_BLOCKS and all(map(_is_block, blocks)) else "invalid_blocks"


def violations(message: dict[str, Any]) -> list[str]:
    """Return every text of the message in which something could act: a mention, a link, an unescaped sign."""
    return [
        text
        for text in texts(message)
        if _ACTIVE.search(text) or _BROADCAST.search(text) or _BARE.search(text)
    ]


def objections(message: dict[str, Any]) -> list[str]:
    """Return what is wrong with a message of ours, which keeps more than Slack's rules.

    It has a text, and at most 20 blocks and 10,000 characters. In mrkdwn all that is not ours is code, and no
    code is empty, so that backticks come in pairs. No text has many lines.
    """
    found = [refusal("application/json", json.dumps(message).encode()), *violations(message)]
    shown = list(texts(message))
    if not message.get("text") or message.get("parse") != "none" or message.get("mrkdwn") is not False:
        found.append("the text could act")
    if len(message["blocks"]) > _OUR_BLOCKS or sum(map(len, shown)) > _OUR_TEXT:
        found.append("too long")
    for text in _mrkdwn_texts(message):
        outside = text.split("`")[::2]
        if text.count("`") % 2 or "``" in text or not all(_OURS.fullmatch(part) for part in outside):
            found.append(f"not code: {text}")
    found += [f"many lines: {text}" for text in shown if len(text.splitlines()) > _OUR_LINES]
    return list(filter(None, found))


def texts(message: object) -> Iterator[str]:
    """Yield every text that the message shows."""
    if isinstance(message, dict):
        for key, value in message.items():
            if key == "text" and isinstance(value, str):
                yield value
            else:
                yield from texts(value)
    elif isinstance(message, list):
        for item in message:
            yield from texts(item)


def _mrkdwn_texts(message: object) -> Iterator[str]:
    match message:
        case {"type": "mrkdwn", "text": str(text)}:
            yield text
        case dict():
            for value in message.values():
                yield from _mrkdwn_texts(value)
        case list():
            for item in message:
                yield from _mrkdwn_texts(item)


def _is_block(block: object) -> bool:
    match block:
        case {"type": "header", "text": {"type": "plain_text"} as text}:
            return _is_text(text, _MAX_HEADER)
        case {"type": "section"}:
            return _is_section(block)
        case {"type": "context", "elements": [_, *_] as elements}:
            return len(elements) <= _MAX_ELEMENTS and all(
                _is_text(element, _MAX_TEXT) for element in elements
            )
        case {"type": "divider"}:
            return True
    return False


def _is_section(block: object) -> bool:
    if not isinstance(block, dict) or not block.keys() & {"text", "fields"}:
        return False
    fields = block.get("fields", [None])
    return (
        ("text" not in block or _is_text(block["text"], _MAX_TEXT))
        and isinstance(fields, list)
        and 1 <= len(fields) <= _MAX_FIELDS
        and ("fields" not in block or all(_is_text(field, _MAX_FIELD) for field in fields))
    )


def _is_text(candidate: object, limit: int) -> bool:
    match candidate:
        case {"type": "plain_text", "text": str(text), **rest}:
            known = {"emoji"}
        case {"type": "mrkdwn", "text": str(text), **rest}:
            known = {"verbatim"}
        case _:
            return False
    return 1 <= len(text) <= limit and rest.keys() <= known
