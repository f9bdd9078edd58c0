"""A post office of our own, and a clock for it that tests can move."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from compassd.clock import Clock
from compassd.courier import OUTAGE_NS
from compassd.destinations.factory import build_destinations
from compassd.outgoing import Backoff
from compassd.post_office import PostOffice
from compassd.settings import load_settings

# So that a test need not wait for what is tried again.
FAST = Backoff(base_s=0.005, cap_s=0.02)

STATE = "state"


class Times:
    """Time that passes faster on demand.

    Args:
        stopped: Whether it does not pass by itself. Nothing that has failed is then tried again.
    """

    def __init__(self, *, stopped: bool = False) -> None:
        self._passed = self._set = 0
        start, begun = time.time_ns(), time.monotonic_ns()

        def since_boot_ns() -> int:
            return self._passed + (0 if stopped else time.monotonic_ns() - begun)

        self.clock = Clock(lambda: start + self._set + since_boot_ns(), since_boot_ns)

    def pass_by(self, ns: int) -> None:
        """Let so many ns pass at once."""
        self._passed += ns

    def set(self, ns: int) -> None:
        """Set Unix time forward by so many ns, or back."""
        self._set += ns


@contextmanager
def post_office(
    directory: Path,
    settings: str,
    *,
    times: Times | None = None,
    backoff: Backoff = FAST,
    outage_ns: int = OUTAGE_NS,
) -> Iterator[PostOffice]:
    """Yield the post office of these settings, as TOML; its state is in directory / STATE."""
    path = directory / "compassd.toml"
    path.write_text(f'state_directory = "{directory / STATE}"\n{settings}')
    loaded = load_settings(path)
    office = PostOffice(
        loaded,
        "web1",
        build_destinations(loaded),
        backoff=backoff,
        outage_ns=outage_ns,
        clock=times.clock if times else None,
    )
    try:
        yield office
    finally:
        office.close()
