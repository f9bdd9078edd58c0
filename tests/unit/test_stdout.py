from __future__ import annotations

import io
import json
import os
from pathlib import Path

import pytest

from compassd.destinations.base import SendError
from compassd.destinations.stdout import StdoutDestination
from compassd.message import document
from lab.breaches import make_breach


def test_each_breach_is_one_line() -> None:
    stream = io.BytesIO()
    destination = StdoutDestination("out", stream)
    breaches = [make_breach(rule="a\nb\u2028c"), make_breach()]
    for breach in breaches:
        destination.send(breach)
    lines = stream.getvalue().removesuffix(b"\n").split(b"\n")
    assert [json.loads(line) for line in lines] == [document(breach) for breach in breaches]


def test_a_reader_that_went_away_is_a_permanent_failure_and_nothing_fails_later() -> None:
    reader, writer = os.pipe()
    os.close(reader)
    with os.fdopen(writer, "wb") as stream:
        with pytest.raises(SendError, match="nobody reads") as caught:
            StdoutDestination("out", stream).send(make_breach())
        assert caught.value.permanent


def test_a_full_disk_can_be_retried() -> None:
    full = Path("/dev/full").open("wb", buffering=0)  # noqa: SIM115 - closed by the other with
    with full as stream, pytest.raises(SendError, match="No space") as caught:
        StdoutDestination("out", stream).send(make_breach())
    assert not caught.value.permanent
