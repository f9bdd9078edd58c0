from __future__ import annotations

import json
import os
import resource
import subprocess
import sys
import time
from pathlib import Path

import pytest

from compassd.delivery import Delivery
from compassd.destinations.base import SendError
from compassd.destinations.stdout import StdoutDestination
from compassd.errors import ConfigurationError
from compassd.incident_document import message_document
from compassd.message import document
from compassd.notice import TestNotice
from compassd.outgoing import Backoff
from lab.breaches import make_breach
from lab.notices import BEGAN, make_message


def test_each_breach_is_one_line(tmp_path: Path) -> None:
    path = tmp_path / "out"
    breaches = [make_breach(rule="a\nb\u2028c"), make_breach()]
    with path.open("wb") as file:
        destination = StdoutDestination("out", file.fileno())
        for breach in breaches:
            destination.send(breach)
    lines = path.read_bytes().removesuffix(b"\n").split(b"\n")
    assert [json.loads(line) for line in lines] == [document(breach) for breach in breaches]


def test_a_reader_that_went_away_is_a_permanent_failure_for_ever() -> None:
    reader, writer = os.pipe()
    os.close(reader)
    destination = StdoutDestination("out", writer)
    for _ in range(3):
        with pytest.raises(SendError, match="nobody reads") as caught:
            destination.send(make_breach())
        assert caught.value.permanent
    destination.close()
    os.close(writer)


def test_no_breach_is_counted_as_sent_after_the_reader_went_away(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("INFO")
    reader, writer = os.pipe()
    delivery = Delivery([StdoutDestination("ops", writer)], queue_size=10)
    delivery.accept(make_breach())
    assert delivery.drain(10.0) == 0
    delivery.close()
    os.close(reader)
    delivery = Delivery([StdoutDestination("ops", writer)], queue_size=10)
    for _ in range(3):
        delivery.accept(make_breach())
    assert delivery.drain(10.0) == 0
    delivery.close()
    os.close(writer)
    stats = delivery.stats()["ops"]
    assert (stats.sent, stats.failed) == (0, 3)
    assert "works again" not in caplog.text


def test_a_full_disk_can_be_retried() -> None:
    full = os.open("/dev/full", os.O_WRONLY)
    with pytest.raises(SendError, match="No space") as caught:
        StdoutDestination("out", full).send(make_breach())
    os.close(full)
    assert not caught.value.permanent


def test_a_disk_that_was_full_has_whole_lines_and_all_that_was_sent(tmp_path: Path) -> None:
    path = tmp_path / "out"
    breaches = [make_breach(id=f"r{n}") for n in range(20)]
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    with path.open("ab") as file:
        delivery = Delivery(
            [StdoutDestination("ops", file.fileno())],
            queue_size=100,
            backoff=Backoff(0.001, 0.001, attempts=3),
        )
        try:
            # One line is torn, and what comes after it fails altogether.
            resource.setrlimit(resource.RLIMIT_FSIZE, (2_000, hard))
            for breach in breaches[:10]:
                delivery.accept(breach)
            deadline = time.monotonic() + 10.0
            while delivery.pending and time.monotonic() < deadline:
                time.sleep(0.01)
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
        assert path.stat().st_size == 2_000
        full = delivery.stats()["ops"]
        for breach in breaches[10:]:
            delivery.accept(breach)
        assert delivery.drain(10.0) == 0
        delivery.close()
    stats = delivery.stats()["ops"]
    assert full.sent > 0
    assert full.failed > 0
    assert stats.sent == full.sent + 10
    told = [json.loads(line)["request"]["id"] for line in path.read_text().splitlines()]
    # The torn one was counted as failed, as nobody knew whether it would ever be finished.
    assert told == [f"r{n}" for n in [*range(full.sent + 1), *range(10, 20)]]


def test_a_standard_output_that_is_closed_is_an_error_with_a_hint(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stdout", None)
    with pytest.raises(ConfigurationError, match="destination out: standard output is closed") as caught:
        StdoutDestination("out")
    assert caught.value.hint


def test_nothing_fails_at_the_end_of_a_process_whose_reader_went_away() -> None:
    program = """
from compassd.destinations.base import SendError
from compassd.destinations.stdout import StdoutDestination
from lab.breaches import make_breach
try:
    StdoutDestination("out").send(make_breach())
except SendError:
    pass
"""
    reader, writer = os.pipe()
    os.close(reader)
    ended = subprocess.run(
        [sys.executable, "-c", program], stdout=writer, stderr=subprocess.PIPE, check=False, timeout=30
    )
    os.close(writer)
    assert (ended.returncode, ended.stderr) == (0, b"")


def test_a_test_is_a_line_of_its_own(tmp_path: Path) -> None:
    message = make_message(TestNotice(server="web1", at=BEGAN))
    with (tmp_path / "out").open("wb") as file:
        StdoutDestination("out", file.fileno()).send_test(message)
    assert json.loads((tmp_path / "out").read_text()) == message_document(message)
