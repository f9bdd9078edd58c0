from __future__ import annotations

import json
import os
import threading
from collections.abc import Iterator
from dataclasses import replace
from typing import IO, Any

import pytest

from compassd.breach import Gate, Severity
from compassd.dry_run import NAME, DryRun
from compassd.outgoing import Counters
from compassd.settings import Settings
from lab.breaches import make_breach
from lab.processes import wait_until

MS = 1_000_000
SETTINGS = Settings.model_validate(
    {
        "incidents": {"coalesce": "50ms", "cooldown": "1s"},
        "queue_size": 50,
        "destinations": {
            "ops": {"type": "webhook", "url": "http://127.0.0.1:9/"},
            "each": {"type": "webhook", "url": "http://127.0.0.1:9/", "tell": "breaches"},
            "journal": {"type": "journald"},
        },
    }
)


class Terminal:
    """Reads what a dry run prints."""

    def __init__(self, *, as_json: bool) -> None:
        reader, self.writer = os.pipe()
        self.reader: IO[bytes] = os.fdopen(reader, "rb")
        self.gone = threading.Event()
        self.run = DryRun(SETTINGS, "web-1", self.writer, as_json=as_json, reader_gone=self.gone.set)

    def close(self) -> list[str]:
        """End the run and return all lines."""
        self.run.close()
        os.close(self.writer)
        return self.reader.read().decode().splitlines()


@pytest.fixture
def text() -> Iterator[Terminal]:
    terminal = Terminal(as_json=False)
    yield terminal
    terminal.reader.close()


@pytest.fixture
def as_json() -> Iterator[Terminal]:
    terminal = Terminal(as_json=True)
    yield terminal
    terminal.reader.close()


def test_breaches_and_messages_are_lines_for_people(text: Terminal) -> None:
    text.run.accept(make_breach(destinations=("ops", "each", "journal"), uri="/cart?secret=1"))
    assert text.run.drain(5) == 0
    lines = [line.partition(" ")[2] for line in text.close()]
    assert lines[0].startswith("breach: checkout: POST /cart took 1.24 s, budget 800 ms")
    assert lines[0].endswith("→ each, journal, ops with its incident")
    assert lines[1:] == ["message: opened, warning: checkout, 1 new breaches → ops"]
    assert text.run.stats() == {NAME: Counters(sent=1)}


def test_incidents_are_told_when_their_time_has_come(as_json: Terminal) -> None:
    as_json.run.accept(make_breach(severity=Severity.CRITICAL))
    lines: list[bytes] = []
    while len(lines) < 3:
        lines.append(as_json.reader.readline())
    documents: list[dict[str, Any]] = [json.loads(line) for line in lines]
    assert {(each["type"], each["version"]) for each in documents} == {("compass.dry_run", 1)}
    assert documents[0]["breach"]["rule"] == "checkout"
    assert (documents[0]["destinations"], documents[0]["incident_destinations"]) == ([], ["ops"])
    assert [each["message"]["happening"] for each in documents[1:]] == ["opened", "closed"]
    assert documents[1]["message"]["new_hits"] == 1
    assert documents[1]["destinations"] == ["ops"]
    assert as_json.close() == []


def test_rates_are_of_the_requests_that_were_noted(as_json: Terminal) -> None:
    gate = Gate(min_rate=0.01)
    as_json.run.note_requests(100)
    # Where counting begins.
    wait_until(lambda: as_json.run._book._requests._last == 100, timeout=5, what="the count")
    as_json.run.note_requests(150)
    as_json.run.accept(replace(make_breach(), gate=gate))
    as_json.run.drain(5)
    assert [("message" in json.loads(line)) for line in as_json.close()] == [False, True]


def test_a_reader_that_has_gone_is_told_and_the_breaches_are_counted(text: Terminal) -> None:
    text.reader.close()
    text.run.accept(make_breach())
    assert text.gone.wait(5)
    assert text.run.drain(5) == 0
    assert text.run.stats() == {NAME: Counters(failed=1)}
    text.run.close()
    os.close(text.writer)


def test_a_reader_that_does_not_read_delays_nobody(text: Terminal) -> None:
    breach = make_breach(uri="/" + "x" * 1_000, script="y" * 500)
    for _ in range(2_000):
        text.run.accept(breach)
    assert text.run.drain(0.1) > 0
    counters = text.run.stats()[NAME]
    assert counters.overflowed > 0
    assert counters.queued + counters.sent + counters.overflowed == 2_000
    # Whoever reads on gets the rest, and the thread ends.
    reader = threading.Thread(target=lambda: [None for _ in text.reader])
    reader.start()
    assert text.run.drain(5) == 0
    text.run.close()
    os.close(text.writer)
    reader.join()
