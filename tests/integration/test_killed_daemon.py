"""kill -9 of the whole daemon while requests go on: what its store had arrives."""

from __future__ import annotations

import random
import sqlite3
import threading
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from itertools import count

import pytest

from lab.compassd import Compassd
from lab.php_fpm import PhpFpm
from lab.processes import wait_until
from lab.receiver import Hang, Received, Receiver
from tests.conftest import PhpFpmFactory
from tests.integration.conftest import HOST, CompassdFactory, work

pytestmark = pytest.mark.ebpf

KILLS = 10
RULES = f"""
[[rule]]
name = "all"
match = {{ host = "{HOST}" }}
budget = {{ duration = "1us" }}
"""
SETTINGS = """
sampling = false

[destinations.out]
type = "stdout"

[destinations.hook]
type = "webhook"
url = "{url}"
tell = "breaches"
timeout = "1m"
"""


@contextmanager
def traffic(fpm: PhpFpm) -> Iterator[None]:
    """Let one request follow the other."""
    stopped = threading.Event()

    def serve() -> None:
        for number in count():
            if stopped.is_set():
                return
            fpm.request(work(f"r{number}", ms=5))

    thread = threading.Thread(target=serve)
    thread.start()
    try:
        yield
    finally:
        stopped.set()
        thread.join()


def waiting(daemon: Compassd) -> set[str]:
    """Return the ids of the messages in the outbox, as the receiver is told them."""
    with closing(sqlite3.connect(daemon.directory / "state" / "compassd.db")) as database:
        return {f"msg_{name}" for (name,) in database.execute("SELECT id FROM message WHERE dead IS NULL")}


def identity(request: Received) -> str:
    return request.headers["webhook-id"]


@pytest.mark.timeout(300)
def test_a_killed_daemon_loses_nothing_that_its_store_had(
    php_fpm: PhpFpmFactory, compassd: CompassdFactory
) -> None:
    source = random.Random(10)  # noqa: S311 - no secret
    with Receiver() as receiver:
        daemon = compassd(rules=RULES, settings=SETTINGS.format(url=receiver.webhook_url))
        kept: set[str] = set()
        with traffic(php_fpm()):
            for _ in range(KILLS):
                receiver.misbehave(Hang())
                wait_until(lambda: len(waiting(daemon)) >= 10, timeout=60.0, what="messages that wait")
                time.sleep(source.uniform(0.0, 0.2))
                daemon.kill()
                kept |= waiting(daemon)
                lines = len(daemon.breaches())
                daemon.start()
            daemon.wait_for_breaches(lines + 20)
        assert daemon.stop() == 0
        assert not waiting(daemon)
        arrived = receiver.received
    assert kept <= {identity(request) for request in arrived}
    by_request: dict[str, set[str]] = {}
    for request in arrived:
        by_request.setdefault(request.json["request"]["id"], set()).add(identity(request))
    assert all(len(same) == 1 for same in by_request.values())
    # What the last daemon, which was not killed, told on its standard output.
    last = {breach["request"]["id"] for breach in daemon.breaches()[lines:]}
    assert last <= by_request.keys()
    # The attempts that hung are repeated, and nothing else.
    clean = [identity(request) for request in arrived if request.accepted]
    assert len(clean) == len(set(clean))
    assert len(arrived) - len(clean) == KILLS
