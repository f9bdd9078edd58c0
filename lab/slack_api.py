"""Slack's chat.postMessage and chat.update, as documented, with the messages that they were told.

https://docs.slack.dev/reference/methods/chat.postMessage and …/chat.update. Stricter in one point: an
argument that is not documented is an error.
"""

from __future__ import annotations

import json
from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from lab.rate import Rate
from lab.slack_rules import fault

API_PATH = "/api/"
TOKEN = "xoxb-1-2-" + "stand-in"
CHANNEL, CHANNEL_ID = "alerts", "C0123456789"

_MAX_TEXT = 40_000
_SHOWN = {"channel", "text", "blocks", "parse", "link_names", "metadata"}
_ARGUMENTS = {
    "chat.postMessage": _SHOWN
    | {"mrkdwn", "thread_ts", "reply_broadcast", "unfurl_links", "unfurl_media", "username", "icon_emoji"},
    "chat.update": _SHOWN | {"ts", "reply_broadcast"},
}


@dataclass(slots=True)
class Posted:
    """One message in the channel.

    Attributes:
        ts: What identifies it.
        versions: What it showed, the newest last.
        thread_ts: The message that it is a reply to, "" for none.
        broadcast: Whether a reply is shown in the channel, too.
    """

    ts: str
    versions: list[dict[str, Any]]
    thread_ts: str = ""
    broadcast: bool = False

    @property
    def shown(self) -> dict[str, Any]:
        """What it shows now."""
        return self.versions[-1]


@dataclass(frozen=True, slots=True)
class ApiAnswer:
    """What a method answers.

    Attributes:
        document: The JSON object.
        code: HTTP status.
        headers: HTTP headers.
    """

    document: dict[str, Any]
    code: int = 200
    headers: Mapping[str, str] = field(default_factory=dict)

    @property
    def is_ok(self) -> bool:
        """Whether the method did what it was asked to."""
        return bool(self.document["ok"])


class SlackApi:
    """One workspace with one channel and one bot, a member of it. Not for several threads at once.

    Args:
        rate: Posts a second to the channel after a short burst; None: any number.
    """

    def __init__(self, rate: float | None) -> None:
        self.messages: list[Posted] = []
        self.calls: list[str] = []
        self._rate = Rate(rate)
        self._words: deque[str] = deque()

    def refuse(self, *words: str) -> None:
        """Answer the next calls with these errors, one each; "" takes a call."""
        self._words.extend(words)

    def delete(self, ts: str) -> None:
        """Delete a message, as people can."""
        self.messages = [message for message in self.messages if message.ts != ts]

    def answer(self, path: str, headers: Mapping[str, str], body: bytes) -> ApiAnswer:
        """Carry a call out.

        Args:
            path: The request's path.
            headers: Its headers, names in lower case.
            body: Its body.
        """
        method = path.removeprefix(API_PATH)
        word = self._words.popleft() if self._words else ""
        word = word or _refusal(method, headers, body)
        if not word and method == "chat.postMessage" and not self._rate.take():
            return ApiAnswer({"ok": False, "error": "ratelimited"}, 429, {"Retry-After": "1"})
        if word:
            return ApiAnswer({"ok": False, "error": word})
        self.calls.append(method)
        arguments = json.loads(body)
        return self._post(arguments) if method == "chat.postMessage" else self._update(arguments)

    def _post(self, arguments: dict[str, Any]) -> ApiAnswer:
        thread_ts = arguments.get("thread_ts", "")
        if arguments["channel"].removeprefix("#") not in {CHANNEL, CHANNEL_ID}:
            return ApiAnswer({"ok": False, "error": "channel_not_found"})
        if thread_ts and not self._find(thread_ts):
            return ApiAnswer({"ok": False, "error": "thread_not_found"})
        number = int(self.messages[-1].ts.partition(".")[2]) + 1 if self.messages else 1
        posted = Posted(
            f"1790000000.{number:06}", [arguments], thread_ts, arguments.get("reply_broadcast", False)
        )
        self.messages.append(posted)
        return self._done(posted)

    def _update(self, arguments: dict[str, Any]) -> ApiAnswer:
        # A name will not do here.
        if arguments["channel"] != CHANNEL_ID:
            return ApiAnswer({"ok": False, "error": "channel_not_found"})
        posted = self._find(arguments.get("ts", ""))
        if not posted:
            return ApiAnswer({"ok": False, "error": "message_not_found"})
        posted.versions.append(arguments)
        return self._done(posted)

    def _find(self, ts: str) -> Posted | None:
        return next((message for message in self.messages if message.ts == ts), None)

    def _done(self, posted: Posted) -> ApiAnswer:
        return ApiAnswer({"ok": True, "channel": CHANNEL_ID, "ts": posted.ts, "message": posted.shown})


def _refusal(method: str, headers: Mapping[str, str], body: bytes) -> str:
    """Return the error of a call that is wrong in itself, "" if there is none."""
    if method not in _ARGUMENTS:
        return "unknown_method"
    if (word := _no_access(headers)) or (word := _wrong_type(headers.get("content-type", ""))):
        return word
    try:
        arguments = json.loads(body)
    except ValueError:
        return "invalid_json"
    if not isinstance(arguments, dict):
        return "json_not_object"
    if arguments.keys() - _ARGUMENTS[method] or not isinstance(arguments.get("channel"), str):
        return "invalid_arguments"
    # Posts are cut at this length, changes refused: neither is wanted.
    return "msg_too_long" if len(arguments.get("text", "")) > _MAX_TEXT else fault(arguments)


def _no_access(headers: Mapping[str, str]) -> str:
    scheme, _, token = headers.get("authorization", "").partition(" ")
    if scheme != "Bearer":
        return "not_authed"
    return "" if token == TOKEN else "invalid_auth"


def _wrong_type(content_type: str) -> str:
    media_type, _, charset = content_type.partition(";")
    if media_type.strip() != "application/json":
        return "invalid_post_type"
    return "" if charset.strip() in {"", "charset=utf-8"} else "invalid_charset"
