"""The two methods of Slack's Web API that a bot needs, and what their errors mean."""

from __future__ import annotations

import json
import re
import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from compassd.destinations.base import SendError
from compassd.destinations.http import Poster
from compassd.message import encode

POST, UPDATE = "chat.postMessage", "chat.update"

# An answer repeats the message, with all that is not ASCII as six characters.
_MAX_BODY = 262_144
_WORD = re.compile(r"[a-z][a-z0-9_]{0,63}")

# https://docs.slack.dev/reference/methods/chat.postMessage#errors. What may pass:
_RETRYABLE = frozenset(
    {
        "fatal_error",
        "internal_error",
        "message_limit_exceeded",
        "org_login_required",
        "rate_limited",
        "ratelimited",
        "request_timeout",
        "service_unavailable",
        "team_added_to_org",
    }
)
# What would meet every message, and what to do about it.
_INVITE = "invite the app into the channel, and check the channel's name or id"
_TOKEN = "check the token"  # noqa: S105 - advice
_ADMIN = "ask an administrator of the workspace"
_GONE = {
    "access_denied": _ADMIN,
    "accesslimited": _ADMIN,
    "account_inactive": _TOKEN,
    "channel_not_found": _INVITE,
    "ekm_access_denied": _ADMIN,
    "enterprise_is_restricted": _ADMIN,
    "invalid_auth": _TOKEN,
    "is_archived": "choose a channel that is not archived",
    "messages_tab_disabled": "enable the app's messages tab, or choose a channel",
    "missing_scope": "give the app the scope chat:write, and install it again",
    "no_permission": _INVITE,
    "not_allowed_token_type": _TOKEN,
    "not_authed": _TOKEN,
    "not_in_channel": _INVITE,
    "restricted_action": _ADMIN,
    "restricted_action_read_only_channel": _ADMIN,
    "restricted_action_thread_only_channel": _ADMIN,
    "team_access_not_granted": _ADMIN,
    "team_not_found": "write the channel's id instead of its name",
    "token_expired": _TOKEN,
    "token_revoked": _TOKEN,
    "two_factor_setup_required": _ADMIN,
}


class RefusedError(SendError):
    """Slack answered with an error.

    Args:
        destination: Name of the destination.
        method: Which method it was.
        word: Slack's word for the error.
        retry_after: How long Slack asks to be left alone, s; None if it does not say.
    """

    def __init__(self, destination: str, method: str, word: str, retry_after: float | None = None) -> None:
        advice = f"; {_GONE[word]}" if word in _GONE else ""
        super().__init__(
            destination,
            f"{method} refused ({word}){advice}",
            permanent=word not in _RETRYABLE,
            gone=word in _GONE,
            retry_after=retry_after,
        )
        self.word = word


@dataclass(frozen=True, slots=True)
class Posted:
    """Where a message is.

    Attributes:
        channel: The channel's id, also where it was posted by name.
        ts: What Slack identifies the message by within the channel.
    """

    channel: str
    ts: str


class SlackApi:
    """Posts and changes messages; for one thread.

    Args:
        name: Name of the destination, for errors.
        url: Where the methods are, without a slash at the end.
        token: The bot's token, a secret.
        timeout: How long one call may take altogether, s.
    """

    def __init__(self, name: str, url: str, token: str, timeout: float) -> None:
        self._name = name
        self._headers = {
            "Authorization": f"Bearer {token}",
            "Content-Type": "application/json; charset=utf-8",
        }
        self._posters = {
            method: Poster(name, f"{url}/{method}", timeout, max_body=_MAX_BODY) for method in (POST, UPDATE)
        }
        self._next_post = 0.0

    def post(self, arguments: Mapping[str, Any], interval: float) -> Posted:
        """Post a message, if need be after a pause.

        Args:
            arguments: As Slack documents them.
            interval: The least time since the last post, s.

        Raises:
            SendError: It was not taken, or it is not known whether it was.
        """
        time.sleep(max(0.0, self._next_post - time.monotonic()))
        self._next_post = time.monotonic() + interval
        answer = self._call(POST, arguments)
        channel, ts = answer.get("channel"), answer.get("ts")
        if not isinstance(channel, str) or not isinstance(ts, str):
            fault = f"{POST}: the answer does not say where the message is"
            raise SendError(self._name, fault, uncertain=True)
        return Posted(channel, ts)

    def update(self, arguments: Mapping[str, Any]) -> None:
        """Change a message.

        Raises:
            SendError: It was not changed, or it is not known whether it was.
        """
        self._call(UPDATE, arguments)

    def close(self) -> None:
        """Close the connections."""
        for poster in self._posters.values():
            poster.close()

    def _call(self, method: str, arguments: Mapping[str, Any]) -> dict[str, Any]:
        answer = self._posters[method].post(encode(arguments), self._headers)
        document = _document(answer.body)
        if document.get("ok") is True:
            return document
        word = document.get("error")
        if document.get("ok") is not False or not isinstance(word, str) or not _WORD.fullmatch(word):
            fault = f"{method}: HTTP {answer.status}, but the answer is not Slack's"
            raise SendError(self._name, fault, uncertain=True)
        raise RefusedError(self._name, method, word, answer.retry_after)


def _document(body: bytes) -> dict[str, Any]:
    """Return the JSON object in an answer, an empty one if there is none or it was cut off."""
    try:
        document = json.loads(body)
    except (ValueError, RecursionError):
        return {}
    return document if isinstance(document, dict) else {}
