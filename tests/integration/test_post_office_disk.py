"""Disks without room and damaged files: breaches go on to be told, and what can be kept is kept."""

from __future__ import annotations

import random
import sqlite3
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from functools import partial
from pathlib import Path

import pytest

from compassd.post_office import PostOffice
from compassd.store.store import Store
from lab.breaches import make_breach
from lab.disk import fill, small_disk
from lab.post_office import STATE, post_office
from lab.processes import wait_until
from lab.receiver import Hang, Received, Receiver
from tests.conftest import PhpFpmFactory
from tests.integration.conftest import HOST, CompassdFactory, work

BEGUN, MENDED, DAMAGED = "cannot be written", "can be written again", "is damaged"

SETTINGS = """
[incidents]
coalesce = "0s"
cooldown = "1h"
max_messages = 1000

[destinations.each]
type = "webhook"
url = "{url}"
tell = "breaches"
headers = {{ X-Destination = "each" }}

[destinations.hook]
type = "webhook"
url = "{url}"
headers = {{ X-Destination = "hook" }}
"""


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with Receiver() as running:
        yield running


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let a store try soon whether it can write again."""
    monkeypatch.setattr(Store, "open", partial(Store.open, retry_s=0.1))


def until(condition: Callable[[], bool], what: str) -> None:
    wait_until(condition, timeout=60.0, what=what)


class Feeder:
    """Breaches of one incident, and what a receiver was told of them."""

    def __init__(self, receiver: Receiver) -> None:
        self._receiver = receiver
        self.fed = 0

    def feed(self, office: PostOffice, count: int, *destinations: str) -> None:
        """Let so many be accepted, one after the other."""
        for _ in range(count):
            before = office.counters().accepted
            office.accept(make_breach(start_ns=self.fed, id=f"r{self.fed}", destinations=destinations))
            self.fed += 1
            until(lambda: office.counters().accepted > before, "a breach to be accepted")  # noqa: B023

    def told(self) -> list[int]:
        """Return the numbers of the breaches that were told one by one, each message once."""
        each = {request.headers["webhook-id"]: request for request in self.to("each")}
        return [int(request.json["request"]["id"].removeprefix("r")) for request in each.values()]

    def to(self, destination: str) -> Sequence[Received]:
        """Return what a destination was sent."""
        return [
            request for request in self._receiver.received if request.headers["x-destination"] == destination
        ]


def test_a_full_disk_delays_nothing_and_is_made_good(
    receiver: Receiver, tmp_path: Path, impatient: None, caplog: pytest.LogCaptureFixture
) -> None:
    del impatient
    settings, feeder = SETTINGS.format(url=receiver.webhook_url), Feeder(receiver)
    with small_disk(tmp_path / STATE) as disk:
        with post_office(tmp_path, settings) as office:
            feeder.feed(office, 10, "each", "hook")
            filling = fill(disk)
            feeder.feed(office, 100, "each", "hook")
            until(lambda: len(feeder.told()) == 110, "all of them")
            assert caplog.text.count(BEGUN) == 1
            filling.unlink()
            until(lambda: MENDED in caplog.text, "the disk to be used again")
            receiver.misbehave(Hang())
            feeder.feed(office, 20, "each", "hook")
        with closing(sqlite3.connect(disk / "compassd.db")) as database:
            (waiting,) = database.execute("SELECT count(*) FROM message WHERE dead IS NULL").fetchone()
        assert waiting == 20
        with post_office(tmp_path, settings) as office:
            until(lambda: len(feeder.told()) == 130, "what waited")
            assert office.incidents().open == 1
    assert sorted(feeder.told()) == list(range(130))
    # The incident was told once, although its state was in memory for a while.
    assert len({request.headers["webhook-id"] for request in feeder.to("hook")}) == 1
    assert caplog.text.count(MENDED) == 1


def _damage(path: Path, first: int, length: int) -> None:
    with path.open("r+b") as file:
        file.seek(first)
        file.write(random.Random(3).randbytes(length))  # noqa: S311 - no secret


@pytest.mark.parametrize("whole", [False, True], ids=["in part", "as a whole"])
def test_damage_between_two_runs_is_said_and_breaches_go_on(
    receiver: Receiver, tmp_path: Path, caplog: pytest.LogCaptureFixture, *, whole: bool
) -> None:
    settings, feeder = SETTINGS.format(url=receiver.webhook_url), Feeder(receiver)
    path = tmp_path / STATE / "compassd.db"
    receiver.misbehave(Hang())
    with post_office(tmp_path, settings) as office:
        feeder.feed(office, 300, "each")
    size = path.stat().st_size
    _damage(path, 0, size) if whole else _damage(path, size * 3 // 4 // 4096 * 4096, 2 * 4096)
    with post_office(tmp_path, settings) as office:
        assert DAMAGED in caplog.text
        kept = office.stats()["each"].waiting
        assert kept == 0 if whole else 150 < kept < 300
        feeder.feed(office, 10, "each")
        until(lambda: office.stats()["each"].waiting == 0, "all that is left")
    assert set(range(300, 310)) <= set(feeder.told())
    with post_office(tmp_path, settings):
        pass
    assert caplog.text.count(DAMAGED) == 1


def test_damage_under_a_running_daemon_is_said_and_breaches_go_on(
    receiver: Receiver, tmp_path: Path, impatient: None, caplog: pytest.LogCaptureFixture
) -> None:
    del impatient
    settings, feeder = SETTINGS.format(url=receiver.webhook_url), Feeder(receiver)
    path = tmp_path / STATE / "compassd.db"
    # So much that SQLite does not keep it in memory: text that does not compress.
    source = random.Random(5)  # noqa: S311 - no secret
    receiver.misbehave(Hang())
    with post_office(tmp_path, settings) as office:
        for number in range(1_000):
            uri = "/" + "".join(source.choices("abcdefghijklmnopqrstuvwxyz", k=6_000))
            office.accept(make_breach(start_ns=-number, uri=uri, id="r-1", destinations=("each",)))
        until(lambda: office.counters().accepted == 1_000, "all of them")
    size = path.stat().st_size
    with post_office(tmp_path, settings) as office:
        _damage(path, 0, size)
        feeder.feed(office, 10, "each", "hook")
        until(lambda: DAMAGED in caplog.text, "that it is found")
        feeder.feed(office, 10, "each", "hook")
        until(lambda: set(range(10, 20)) <= set(feeder.told()), "the others")
        until(lambda: office.stats()["each"].waiting == 0, "what could be read")
        receiver.misbehave(Hang())
        feeder.feed(office, 10, "each", "hook")
    with post_office(tmp_path, settings):
        until(lambda: set(range(20, 30)) <= set(feeder.told()), "what the new file has kept")
    assert caplog.text.count(DAMAGED) == 1
    assert "others could not" in caplog.text


RULES = f"""
[[rule]]
name = "all"
match = {{ host = "{HOST}" }}
budget = {{ duration = "1us" }}
"""


@pytest.mark.ebpf
def test_a_daemon_starts_on_a_full_disk_and_keeps_what_it_can_when_it_ends(
    receiver: Receiver, php_fpm: PhpFpmFactory, compassd: CompassdFactory, tmp_path: Path
) -> None:
    settings = f'sampling = false\ndrain_timeout = "1s"\n{SETTINGS.format(url=receiver.webhook_url)}'
    fpm = php_fpm()
    with small_disk(tmp_path / "compassd" / STATE) as disk:
        filling = fill(disk)
        daemon = compassd(rules=RULES.replace("budget", 'destinations = ["each"]\nbudget'), settings=settings)
        daemon.wait_for_log(BEGUN)
        fpm.request(work("first"))
        receiver.wait_for(1, timeout=30.0)
        receiver.misbehave(Hang(), Hang())
        for number in range(5):
            fpm.request(work(f"kept{number}"))
        receiver.wait_for(2, timeout=30.0)
        filling.unlink()
        assert daemon.stop() == 0
        daemon.wait_for_log(MENDED)
        daemon.start()
        until(lambda: len({request.body for request in receiver.received}) == 6, "what was kept")
        assert daemon.stop() == 0
