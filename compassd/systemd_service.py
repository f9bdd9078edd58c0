"""Tell systemd how the service is, and have it keep descriptors: the protocol of sd_notify(3)."""

from __future__ import annotations

import os
import time
from collections.abc import Sequence

from systemd import daemon

_US_PER_S = 1_000_000


class ServiceManager:
    """Messages to systemd; every one is a no-op when nobody listens ($NOTIFY_SOCKET is not set)."""

    def __init__(self) -> None:
        self._watchdog_s = _watchdog_interval_s()
        self._next_watchdog = 0.0

    def ready(self, status: str) -> None:
        """Say that start-up, or a reload, is complete."""
        daemon.notify(f"READY=1\nSTATUS={status}")

    def reloading(self) -> None:
        """Say that the configuration is being read again; ready() ends it."""
        daemon.notify(f"RELOADING=1\nMONOTONIC_USEC={time.monotonic_ns() // 1000}")

    def stopping(self, status: str, within_s: float) -> None:
        """Say that the service is about to end, and in which time, whatever the unit says."""
        daemon.notify(f"STOPPING=1\nSTATUS={status}\nEXTEND_TIMEOUT_USEC={round(within_s * _US_PER_S)}")

    def status(self, text: str) -> None:
        """Set the line that `systemctl status` shows."""
        daemon.notify(f"STATUS={text}")

    def alive(self) -> None:
        """Feed the watchdog, if it is due."""
        now = time.monotonic()
        if self._watchdog_s is not None and now >= self._next_watchdog:
            daemon.notify("WATCHDOG=1")
            self._next_watchdog = now + self._watchdog_s


def is_there() -> bool:
    """Return whether systemd has started this process, and listens."""
    return "NOTIFY_SOCKET" in os.environ


def keep(name: str, descriptors: Sequence[int]) -> None:
    """Have systemd keep descriptors for the next process of this service.

    What is more than the unit's FileDescriptorStoreMax= it closes, and says so in the log.

    Raises:
        OSError: It cannot be asked.
    """
    # Unless told otherwise it lets go of what poll(2) says something of, as it does of maps.
    daemon.notify(f"FDSTORE=1\nFDPOLL=0\nFDNAME={name}", fds=list(descriptors))


def forget(name: str) -> None:
    """Have systemd close what it keeps under that name."""
    daemon.notify(f"FDSTOREREMOVE=1\nFDNAME={name}")


def kept() -> dict[str, tuple[int, ...]]:
    """Return what systemd has kept for this process, by name. It is there for the first call only."""
    found: dict[str, tuple[int, ...]] = {}
    for descriptor, name in daemon.listen_fds_with_names().items():
        found[name] = (*found.get(name, ()), descriptor)
    return found


def _watchdog_interval_s() -> float | None:
    """Return how often to feed the watchdog: half its time-out, as sd_watchdog_enabled(3) recommends."""
    usec, pid = os.environ.get("WATCHDOG_USEC", ""), os.environ.get("WATCHDOG_PID", str(os.getpid()))
    if not usec.isdigit() or pid != str(os.getpid()):
        return None
    return int(usec) / _US_PER_S / 2
