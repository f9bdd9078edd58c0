"""Sends breaches one by one to a destination of messages."""

from __future__ import annotations

import time

from compassd.breach import Breach
from compassd.destinations.base import MessageDestination
from compassd.notice import BreachNotice, Message


class EachBreach:
    """Makes a message of each breach.

    Args:
        destination: Where the messages go.
    """

    def __init__(self, destination: MessageDestination) -> None:
        self._destination = destination
        self.name = destination.name
        self.min_interval = destination.min_interval

    def send(self, breach: Breach) -> None:
        """Send the breach.

        Raises:
            SendError: It was not taken, or it is not known whether it was.
        """
        message = Message(
            id=breach.message_id,
            destination=self.name,
            created_at=time.time_ns(),
            notice=BreachNotice(breach=breach),
        )
        self._destination.send(message, Forgetful())

    def close(self) -> None:
        """Close the destination."""
        self._destination.close()


class Forgetful:
    """A Memory that keeps nothing, for what is told at once and for good."""

    def get(self, key: str) -> None:
        """Return nothing."""

    def put(self, key: str, value: str | None) -> None:
        """Keep nothing."""
