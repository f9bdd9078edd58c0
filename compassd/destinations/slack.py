"""Slack, through an incoming webhook."""

from __future__ import annotations

from compassd.destinations.base import Memory, SendError
from compassd.destinations.http import Poster
from compassd.destinations.slack_payload import payload
from compassd.message import encode
from compassd.notice import Message

# https://docs.slack.dev/messaging/sending-messages-using-incoming-webhooks#handling_errors; what is not here,
# such as invalid_payload, is about one message only.
_GONE = frozenset(
    {
        "action_prohibited",
        "channel_is_archived",
        "channel_not_found",
        "invalid_token",
        "no_active_hooks",
        "no_service",
        "no_service_id",
        "no_team",
        "posting_to_general_channel_denied",
        "team_disabled",
        "user_not_found",
    }
)


class SlackDestination:
    """Posts each message to the channel of the webhook, which can neither change a message nor reply to one.

    Slack takes one message a second from a webhook (https://docs.slack.dev/apis/web-api/rate-limits).

    Args:
        name: Its name in the settings.
        url: The webhook's URL, a secret.
        timeout: How long one attempt may take altogether, s.
    """

    min_interval = 1.0

    def __init__(self, name: str, url: str, *, timeout: float = 10.0) -> None:
        self.name = name
        self._poster = Poster(name, url, timeout, gone_words=_GONE)

    def send(self, message: Message, memory: Memory) -> None:  # noqa: ARG002 - a webhook has nothing to remember
        """Post the message.

        Raises:
            SendError: Slack did not answer "ok".
        """
        body = encode(payload(message))
        answer = self._poster.post(body, {"Content-Type": "application/json; charset=utf-8"})
        if answer.body.rstrip(b"\r\n") != b"ok":
            # Perhaps a proxy's or a maintenance page; if it is a wrong address, the log says so.
            fault = f"HTTP {answer.status}, but the answer is not Slack's ok"
            raise SendError(self.name, fault, uncertain=True)

    def close(self) -> None:
        """Close the connection."""
        self._poster.close()
