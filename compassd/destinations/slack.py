"""Slack, through an incoming webhook."""

from __future__ import annotations

from compassd.breach import Breach
from compassd.destinations.base import SendError
from compassd.destinations.http import Poster
from compassd.destinations.slack_payload import payload
from compassd.message import encode


class SlackDestination:
    """Posts each breach as a message.

    Slack takes one message a second from a webhook (https://docs.slack.dev/apis/web-api/rate-limits).

    Args:
        name: Its name in the settings.
        url: The webhook's URL, a secret.
        timeout: How long one attempt may take altogether, s.
    """

    min_interval = 1.0

    def __init__(self, name: str, url: str, *, timeout: float = 10.0) -> None:
        self.name = name
        self._poster = Poster(name, url, timeout)

    def send(self, breach: Breach) -> None:
        """Post the breach.

        Raises:
            SendError: Slack did not answer "ok".
        """
        body = encode(payload(breach))
        answer = self._poster.post(body, {"Content-Type": "application/json; charset=utf-8"})
        if answer.body.rstrip(b"\r\n") != b"ok":
            # Perhaps a proxy's or a maintenance page; if it is a wrong address, the log says so.
            raise SendError(self.name, f"HTTP {answer.status}, but the answer is not Slack's ok")

    def close(self) -> None:
        """Close the connection."""
        self._poster.close()
