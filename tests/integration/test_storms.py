"""Storms, with the settings as they are, and a clock that only tests move: few messages, exact figures."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import datetime
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from compassd.post_office import PostOffice
from lab.breaches import make_breach
from lab.post_office import Times, post_office
from lab.processes import wait_until
from lab.receiver import SLACK_PATH, WEBHOOK_PATH, Receiver

S = 1_000_000_000
INTERVAL_S, COALESCE_S, COOLDOWN_S = 60, 2, 600

SETTINGS = """
[destinations.hook]
type = "webhook"
url = "{hook}"

[destinations.chat]
type = "slack"
url = "{chat}"
"""


class Storm:
    """A post office in a storm, and what came of it.

    Args:
        office: The post office.
        receiver: Who is told.
        times: The post office's time.
    """

    def __init__(self, office: PostOffice, receiver: Receiver, times: Times) -> None:
        self.times = times
        self._office = office
        self._receiver = receiver
        self._number = 0

    def hit(self, route: str, count: int) -> None:
        """Let so many requests of a route break a rule."""
        for _ in range(count):
            self._number += 1
            made = make_breach(destinations=("hook", "chat"), start_ns=self._number)
            self._office.accept(replace(made, host="shop.example", route=route))

    def settle(self) -> None:
        """Return when everything that was accepted is on disk, and what is collected is over."""
        self._until(lambda: self._office.counters().accepted == self._number, "the breaches to be kept")
        self.times.pass_by(COALESCE_S * S)

    def wait_for(self, messages: int) -> None:
        """Return when each destination has got so many messages."""
        self._until(
            lambda: len(self.documents()) == self.chats() == messages,
            f"{messages} messages",
        )

    def end(self) -> None:
        """Let nothing happen until all is over, and is told."""
        self.times.pass_by(COOLDOWN_S * S)
        self._until(lambda: self._office.incidents().open == 0, "the end")
        self.times.pass_by(COALESCE_S * S)

    def documents(self) -> list[dict[str, Any]]:
        """Return what the webhook was told."""
        return [request.json for request in self._receiver.received if request.path == WEBHOOK_PATH]

    def chats(self) -> int:
        """Return how many messages Slack has taken."""
        return sum(request.path == SLACK_PATH and request.accepted for request in self._receiver.received)

    def _until(self, condition: Callable[[], bool], what: str) -> None:
        wait_until(
            condition,
            timeout=60.0,
            what=what,
            detail=lambda: f"{len(self.documents())} documents, {self.chats()} chats, {self._office.stats()}",
        )


@pytest.fixture
def storm(tmp_path: Path) -> Iterator[Storm]:
    times = Times(stopped=True)
    with Receiver(slack_rate=None) as receiver:
        settings = SETTINGS.format(hook=receiver.webhook_url, chat=receiver.slack_url)
        with post_office(tmp_path, settings, times=times) as office:
            yield Storm(office, receiver, times)
            wait_until(
                lambda: all((stats.waiting, stats.dead) == (0, 0) for stats in office.stats().values()),
                timeout=60.0,
                what="the last message to be noted",
            )
            assert office.counters().overflowed == 0


def test_10000_breaches_of_a_route_in_a_minute_are_three_messages(storm: Storm) -> None:
    storm.hit("/cart", 100)
    storm.settle()
    storm.wait_for(1)
    for _ in range(25):
        storm.hit("/cart", 396)
        storm.settle()
    storm.times.pass_by(10 * S)
    storm.wait_for(2)
    storm.end()
    storm.wait_for(3)
    documents = storm.documents()
    assert [document["happening"] for document in documents] == ["opened", "updated", "closed"]
    assert len({document["incident_id"] for document in documents}) == 1
    assert sum(document["figures"]["new_hits"] for document in documents) == 10_000
    assert documents[-1]["figures"]["hits"] == 10_000


def test_500_routes_are_one_digest_for_each_interval(storm: Storm) -> None:
    def hit_all(count: int) -> None:
        for route in range(500):
            storm.hit(f"/{route}", count)
        storm.settle()

    hit_all(3)
    storm.wait_for(1)
    storm.times.pass_by(30 * S)
    hit_all(2)
    storm.times.pass_by(30 * S)
    storm.wait_for(2)
    hit_all(1)
    storm.times.pass_by(240 * S)
    storm.wait_for(3)
    storm.end()
    storm.wait_for(4)
    documents = storm.documents()
    assert {(document["type"], document["reason"]) for document in documents} == {("compass.digest", "storm")}
    assert [(document["incidents"], document["new_hits"]) for document in documents] == [
        (500, 1_500),
        (500, 1_000),
        (500, 500),
        (500, 0),
    ]
    at = [datetime.fromisoformat(document["timestamp"]) for document in documents]
    assert all((later - earlier).total_seconds() >= INTERVAL_S for earlier, later in pairwise(at))
