"""Slack, through a bot: one message an incident, kept up to date, with the worst requests in its thread.

Slack notifies of new messages only, not of changed ones. That suits updates and the end of an incident, but
people have to hear that it became worse, and that it still goes on after hours, when its message has scrolled
away: then a line in the thread is shown in the channel, too.

A post whose answer is lost is repeated, and then there are two messages: Slack documents nothing by which it
would recognise the second one. Changes can be repeated without harm.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from compassd.destinations.base import Memory
from compassd.destinations.slack_api import Posted, RefusedError, SlackApi
from compassd.destinations.slack_breach import breach_payload
from compassd.destinations.slack_incident import closing_payload, incident_payload, reminder_payload
from compassd.destinations.slack_payload import payload
from compassd.destinations.slack_thread import Thread
from compassd.notice import DigestLine, DigestNotice, Happening, IncidentNotice, Message

_MAX_EXEMPLARS = 2
"""New ones for each message, so that an incident that gets worse and worse stays within Slack's rate."""

_REMIND_AFTER_NS = 4 * 3_600 * 1_000_000_000

# Nothing can be changed there any more; the incident gets another message.
_LOST = {"message_not_found", "cant_update_message", "edit_window_closed", "is_inactive"}
_NO_THREADS = {
    "cannot_reply_to_message",
    "restricted_action_non_threadable_channel",
    "restricted_action_thread_locked",
    "thread_not_found",
}


class SlackBotDestination:
    """Posts to one channel with a bot's token.

    Slack takes one message a second for a channel (https://docs.slack.dev/apis/web-api/rate-limits).

    Args:
        name: Its name in the settings.
        token: The bot's token, a secret.
        channel: The channel's id or name.
        api_url: Where the methods of the Web API are.
        timeout: How long one call may take altogether, s.
    """

    min_interval = 1.0

    def __init__(self, name: str, token: str, channel: str, *, api_url: str, timeout: float = 10.0) -> None:
        self.name = name
        self._channel = channel
        self._api = SlackApi(name, api_url.rstrip("/"), token, timeout)

    def send(self, message: Message, memory: Memory) -> None:
        """Post the message, or bring the one of its incident up to date.

        Raises:
            SendError: Slack did not take all of it. Sent again, it goes on where it stopped.
        """
        notice = message.notice
        if isinstance(notice, IncidentNotice):
            self._tell(message, notice, memory)
            return
        if isinstance(notice, DigestNotice):
            # Before the post, which must not be repeated when a change fails.
            for line in notice.lines:
                if line.happening is Happening.CLOSED:
                    self._end(line, message, memory)
        self._post(payload(message))

    def close(self) -> None:
        """Close the connections."""
        self._api.close()

    def _tell(self, message: Message, notice: IncidentNotice, memory: Memory) -> None:
        over = notice.happening is Happening.CLOSED
        thread = Thread.recall(memory, notice.incident_id, self._channel)
        if thread is not None and not self._update(thread, incident_payload(notice, message.created_at)):
            thread = None
        if thread is None and over:
            self._post(closing_payload(notice, message.created_at))
        elif thread is None:
            posted = self._post(incident_payload(notice, message.created_at))
            thread = Thread.begun(self._channel, posted, message.created_at, message.id)
            thread.keep(memory, notice.incident_id)
        if thread is not None:
            self._reply(thread, message, notice, memory)
        if over:
            memory.put(notice.incident_id, None)

    def _end(self, line: DigestLine, message: Message, memory: Memory) -> None:
        """Change the message of an incident whose end a digest tells."""
        thread = Thread.recall(memory, line.incident_id, self._channel)
        if thread is not None:
            self._update(thread, closing_payload(line, message.created_at))
            memory.put(line.incident_id, None)

    def _update(self, thread: Thread, shown: Mapping[str, Any]) -> bool:
        """Change the incident's message; return whether there still is one."""
        arguments = {key: shown[key] for key in ("text", "blocks", "parse")}
        try:
            self._api.update({"channel": thread.channel, "ts": thread.ts, **arguments})
        except RefusedError as refusal:
            if refusal.word in _LOST:
                return False
            raise
        return True

    def _reply(self, thread: Thread, message: Message, notice: IncidentNotice, memory: Memory) -> None:
        """Add what people have to be notified of, and the worst requests that the thread does not have."""
        exemplars = {each.message_id: each for each in notice.exemplars}
        thread = thread.only({message.id, *exemplars})
        if message.id not in thread.told and _is_due(thread, message, notice):
            self._add(thread, reminder_payload(notice, message.created_at), broadcast=True)
            thread = replace(thread.having(message.id), noticed_at=message.created_at)
            thread.keep(memory, notice.incident_id)
        if notice.figures.hits == 1:
            # The incident's message has it all.
            return
        missing = [each for key, each in exemplars.items() if key not in thread.told]
        for exemplar in missing[:_MAX_EXEMPLARS]:
            self._add(thread, breach_payload(exemplar), broadcast=False)
            thread = thread.having(exemplar.message_id)
            thread.keep(memory, notice.incident_id)

    def _add(self, thread: Thread, shown: Mapping[str, Any], *, broadcast: bool) -> None:
        try:
            self._post(shown, channel=thread.channel, thread_ts=thread.ts, reply_broadcast=broadcast)
        except RefusedError as refusal:
            if refusal.word not in _NO_THREADS:
                raise
            # The incident's message names the worst requests anyway.
            if broadcast:
                self._post(shown)

    def _post(self, shown: Mapping[str, Any], **arguments: Any) -> Posted:  # noqa: ANN401 - as Slack documents them
        return self._api.post({"channel": self._channel, **shown, **arguments}, self.min_interval)


def _is_due(thread: Thread, message: Message, notice: IncidentNotice) -> bool:
    if notice.happening is Happening.CLOSED:
        return False
    return (
        notice.happening is Happening.ESCALATED or message.created_at - thread.noticed_at >= _REMIND_AFTER_NS
    )
