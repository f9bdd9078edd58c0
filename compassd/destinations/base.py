"""What every destination is to those who send, and how it fails."""

from __future__ import annotations

from typing import Protocol, runtime_checkable

from compassd.breach import Breach
from compassd.errors import DeliveryError
from compassd.notice import Message


class SendError(DeliveryError):
    """One attempt to send one breach failed.

    The message names the destination and what happened, never a URL or another secret.

    Args:
        destination: Name of the destination.
        fault: What happened, in a few words.
        permanent: Whether the same attempt would fail again, so that it is not repeated.
        gone: Whether every message would fail: the destination exists no more, or refuses us as such.
        retry_after: How long the destination asks to be left alone, s; None if it does not say.
        uncertain: Whether it may have been taken all the same, as the answer was cut off or never came.
        unreached: Whether nothing could be sent at all, so that the fault is not what was to be sent.
    """

    def __init__(  # noqa: PLR0913 - each is a fact of its own, most with a default
        self,
        destination: str,
        fault: str,
        *,
        permanent: bool = False,
        gone: bool = False,
        retry_after: float | None = None,
        uncertain: bool = False,
        unreached: bool = False,
    ) -> None:
        super().__init__(f"destination {destination}: {fault}")
        self.permanent = permanent or gone
        self.gone = gone
        self.retry_after = retry_after
        self.uncertain = uncertain
        self.unreached = unreached


class Destination(Protocol):
    """One place that breaches are sent to. Used by one thread only.

    Attributes:
        name: Its name in the settings.
        min_interval: The least time between the starts of two attempts, s.
    """

    @property
    def name(self) -> str: ...  # noqa: D102 - above

    @property
    def min_interval(self) -> float: ...  # noqa: D102 - above

    def send(self, breach: Breach) -> None:
        """Send the breach; it may arrive twice if an earlier attempt failed late.

        Raises:
            SendError: It was not taken, or it is not known whether it was.
        """

    def close(self) -> None:
        """Free what the destination holds; never raises."""


@runtime_checkable
class Deferring(Protocol):
    """A destination that holds something back, to send it a while later."""

    def idle(self) -> None:
        """Send what is due. Called while no breach waits.

        Raises:
            SendError: It was not taken; it is tried again.
        """

    def pause(self) -> float | None:
        """Return in how many seconds something will be due, None if nothing is held back."""


class Memory(Protocol):
    """What a destination keeps of its own, on disk, from one message to the next."""

    def get(self, key: str) -> str | None:
        """Return what was put under key, None if nothing was."""

    def put(self, key: str, value: str | None) -> None:
        """Keep value under key; None forgets it."""


class MessageDestination(Protocol):
    """One place that messages are sent to. Used by one thread only.

    Attributes:
        name: Its name in the settings.
        min_interval: The least time between the starts of two attempts, s.
    """

    @property
    def name(self) -> str: ...  # noqa: D102 - above

    @property
    def min_interval(self) -> float: ...  # noqa: D102 - above

    def send(self, message: Message, memory: Memory) -> None:
        """Send the message; it may arrive twice if an earlier attempt failed late.

        Raises:
            SendError: It was not taken, or it is not known whether it was.
        """

    def close(self) -> None:
        """Free what the destination holds; never raises."""
