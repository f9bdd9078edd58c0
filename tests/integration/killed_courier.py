"""A process that commits and sends until it is killed: see test_store_kill.py."""

from __future__ import annotations

import os
import random
import sys
import time
from pathlib import Path

from compassd.courier import OUTAGE_NS, Courier
from compassd.destinations.base import Memory, SendError
from compassd.notice import Message
from compassd.notice_facts import told_breaches
from compassd.outgoing import Backoff
from compassd.store.store import Store
from lab.outbox import make_message

_BACKOFF = Backoff(base_s=0.005, cap_s=0.02)
# Of each of these times, s, the destination is out of order for the second.
_PERIOD_S, _OUTAGE_S = 0.2, 0.08


class Recorder:
    """A destination that appends what it takes to a file, as a receiver would see it.

    Args:
        path: The file; a line is the process, the message's id and its number of breaches.
        broken: Whether it is out of order at times.
    """

    name = "ops"
    min_interval = 0.0

    def __init__(self, path: Path, *, broken: bool) -> None:
        self._file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
        self._broken = broken

    def send(self, message: Message, memory: Memory) -> None:
        """Take the message, or refuse it."""
        if self._broken and time.monotonic() % _PERIOD_S < _OUTAGE_S:
            raise SendError(self.name, "out of order")
        os.write(self._file, f"{os.getpid()} {message.id} {told_breaches(message.notice)}\n".encode())
        memory.put("last", message.id)

    def close(self) -> None:
        """Close the file."""
        os.close(self._file)


def make_courier(recorder: Recorder, store: Store, *, merges: bool) -> Courier:
    """Return a courier that makes a digest after any outage, or one that makes none within the test's time.

    Without an outage there may be one, too: a send that a kill cut off asks for it.
    """
    return Courier(recorder, store, backoff=_BACKOFF, outage_ns=0 if merges else OUTAGE_NS)


def main(directory: Path, *, broken: bool) -> None:
    """Commit messages and send them, until somebody ends it."""
    store = Store.open(directory / "state")
    courier = make_courier(Recorder(directory / "sent", broken=broken), store, merges=broken)
    committed = os.open(directory / "committed", os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    number = int(store.incidents().get("number", b"0"))
    (directory / "ready").touch()
    while True:
        count = random.randint(1, 5)  # noqa: S311 - no secret
        store.commit(
            messages=[make_message(f"m{number + index}") for index in range(count)],
            incidents={"number": str(number + count).encode()},
        )
        number += count
        os.write(committed, f"{number}\n".encode())
        courier.kick()
        time.sleep(random.uniform(0.0, 0.01))  # noqa: S311


if __name__ == "__main__":
    main(Path(sys.argv[1]), broken=sys.argv[2] == "broken")
