"""A destination of messages, used like one of breaches: for tests of how both treat a server."""

from __future__ import annotations

import time

from compassd.breach import Breach
from compassd.destinations.base import MessageDestination
from compassd.notice import BreachNotice, Message
from lab.memory import InMemory


class EachBreach:
    """Makes each breach a message of its own.

    Args:
        destination: Where to send them; it has nothing to remember from one such message to the next.
    """

    def __init__(self, destination: MessageDestination) -> None:
        self.name = destination.name
        self.min_interval = destination.min_interval
        self._destination = destination

    def send(self, breach: Breach) -> None:
        """Send the breach.

        Raises:
            SendError: It was not taken, or it is not known whether it was.
        """
        notice = BreachNotice(breach=breach)
        message = Message(
            id=breach.message_id, destination=self.name, created_at=time.time_ns(), notice=notice
        )
        self._destination.send(message, InMemory())

    def close(self) -> None:
        """Close the destination."""
        self._destination.close()
