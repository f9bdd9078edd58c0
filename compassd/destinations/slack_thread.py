"""What is remembered of an incident's message in Slack, to change it and to reply to it."""

from __future__ import annotations

import json
from collections.abc import Collection
from dataclasses import asdict, dataclass, replace

from compassd.destinations.base import Memory
from compassd.destinations.slack_api import Posted


@dataclass(frozen=True, slots=True)
class Thread:
    """An incident's message and the replies to it.

    Attributes:
        wanted: The channel in the settings when it was posted: an id or a name.
        channel: The channel's id.
        ts: What Slack identifies the message by within the channel.
        noticed_at: When people were last notified in the channel, Unix time in ns.
        told: What was told already, by ids: replies need not be repeated when a message is sent again.
    """

    wanted: str
    channel: str
    ts: str
    noticed_at: int
    told: tuple[str, ...] = ()

    @classmethod
    def begun(cls, wanted: str, posted: Posted, noticed_at: int, told: str) -> Thread:
        """Return the thread of a message just posted for the message with the id told."""
        return cls(wanted, posted.channel, posted.ts, noticed_at, (told,))

    @classmethod
    def recall(cls, memory: Memory, incident_id: str, wanted: str) -> Thread | None:
        """Return the incident's thread in the wanted channel; None if there is none."""
        value = memory.get(incident_id)
        if value is None:
            return None
        try:
            fields = json.loads(value)
            thread = cls(**{**fields, "told": tuple(fields["told"])})
        except (ValueError, TypeError, KeyError):
            # Of another version. A second message is better than none.
            return None
        # After a change of the settings the incident goes on in the new channel.
        return thread if thread.wanted == wanted else None

    def keep(self, memory: Memory, incident_id: str) -> None:
        """Remember the thread."""
        memory.put(incident_id, json.dumps(asdict(self)))

    def having(self, told: str) -> Thread:
        """Return the thread with one more thing told."""
        return replace(self, told=(*self.told, told))

    def only(self, ids: Collection[str]) -> Thread:
        """Return the thread without having told what is in question no more, so that it stays small."""
        return replace(self, told=tuple(each for each in self.told if each in ids))
