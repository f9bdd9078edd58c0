"""Show a Slack message on a terminal, roughly as Slack would."""

from __future__ import annotations

import html
import re
from collections.abc import Iterator
from typing import Any

_BOLD = re.compile(r"\*([^*\n]+)\*")
_INDENT = "  "


def render(message: dict[str, Any], *, colour: bool = False) -> str:
    """Return the message's blocks, or its text if it has none, as lines for a terminal.

    Args:
        message: The body of a POST to an incoming webhook.
        colour: Whether what is bold in Slack is bold on the terminal, too.
    """
    lines = [line for block in message.get("blocks", []) for line in _block(block, colour=colour)]
    return "\n".join(lines or [_plain(message.get("text", ""))])


def _block(block: dict[str, Any], *, colour: bool) -> Iterator[str]:
    match block:
        case {"type": "header", "text": text}:
            yield _strong(_plain(text["text"]), colour=colour)
        case {"type": "section"}:
            if "text" in block:
                yield from (_INDENT + line for line in _text(block["text"], colour=colour).splitlines())
            for field in block.get("fields", []):
                label, _, value = _text(field, colour=colour).partition("\n")
                yield f"{_INDENT}{label}: {value}"
        case {"type": "context", "elements": elements}:
            yield _INDENT + " · ".join(_text(element, colour=colour) for element in elements)
        case {"type": "divider"}:
            yield _INDENT + "─" * 40


def _text(text: dict[str, Any], *, colour: bool) -> str:
    if text["type"] == "plain_text":
        return _plain(text["text"])
    # Every second part is code, in which a star is a star.
    parts = text["text"].split("`")
    for index in range(0, len(parts), 2):
        parts[index] = _BOLD.sub(lambda found: _strong(found[1], colour=colour), parts[index])
    return _plain("".join(parts))


def _plain(text: str) -> str:
    return html.unescape(text)


def _strong(text: str, *, colour: bool) -> str:
    return f"\033[1m{text}\033[0m" if colour else text
