"""From one process to the next with a store of descriptors, as systemd has one: every request is told, once."""

from __future__ import annotations

import threading
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import count
from pathlib import Path
from typing import Any

import pytest

from compassd.daemon import EXIT_AGAIN
from lab.compassd import Compassd
from lab.fd_store import FdStore
from lab.php_fpm import PhpFpm
from lab.processes import wait_until
from tests.conftest import PhpFpmFactory
from tests.integration.conftest import RULES, CompassdFactory, work

pytestmark = pytest.mark.ebpf

_DROP = ("--drop-privileges",)
# It looks for nothing new: any PHP-FPM of the machine would be.
_STAY = {"COMPASSD_RESCAN_INTERVAL": "1h"}
_STRICT = RULES.replace("100ms", "5ms")


@pytest.fixture
def store(tmp_path: Path) -> Iterator[FdStore]:
    with FdStore(tmp_path) as listening:
        yield listening


def _start(compassd: CompassdFactory, store: FdStore, **changes: Any) -> Compassd:  # noqa: ANN401 - passed on
    environment = {**_STAY, **store.environment, **changes.pop("environment", {})}
    return compassd(
        options=_DROP, environment=environment, wrapper=store.wrapper, **{"rules": _STRICT, **changes}
    )


def _ids(daemon: Compassd) -> list[str]:
    return [breach["request"]["id"] for breach in daemon.breaches()]


@contextmanager
def _stream(fpm: PhpFpm, sent: list[str], streams: int = 2) -> Iterator[None]:
    """Send requests over budget, one after the other, and add their ids to sent."""
    stopped = threading.Event()

    def send(stream: int) -> None:
        for number in count():
            if stopped.is_set():
                return
            name = f"{stream}-{number}"
            sent.append(name)
            fpm.request(work(name, ms=20))

    threads = [threading.Thread(target=send, args=(stream,)) for stream in range(streams)]
    for thread in threads:
        thread.start()
    try:
        yield
    finally:
        stopped.set()
        for thread in threads:
            thread.join()


def _is_told_as_a_whole(breach: dict[str, Any]) -> bool:
    return "usleep" in str(breach["call_tree"])


def test_a_process_that_is_started_again_tells_every_request_once(
    php_fpm: PhpFpmFactory, compassd: CompassdFactory, store: FdStore
) -> None:
    daemon = _start(compassd, store)
    fpm = php_fpm(workers=3)
    fpm.request(work(ms=20))
    sent: list[str] = []
    with _stream(fpm, sent):
        time.sleep(0.3)
        for _ in range(2):
            assert daemon.stop() == 0
            # Nobody reads, and both programs after that.
            daemon.start()
            time.sleep(0.3)
    wait_until(lambda: len(_ids(daemon)) > len(sent), timeout=10.0, what="all requests to be told")
    assert Counter(_ids(daemon)[1:]) == Counter(sent)
    without = [b["request"]["id"] for b in daemon.breaches() if not _is_told_as_a_whole(b)]
    assert without == []
