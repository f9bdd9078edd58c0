"""kill -9 at any moment: what was committed is sent, and sent twice only what was about to be sent."""

from __future__ import annotations

import random
import signal
import sys
import time
from collections import Counter, defaultdict
from contextlib import closing
from pathlib import Path

import pytest

from compassd.store.store import Store
from lab.processes import start, stop, tail, wait_until
from tests.integration.killed_courier import Recorder, make_courier

KILLS = 30


def _kill_at_random(directory: Path, root: Path, mode: str, source: random.Random) -> None:
    ready, log = directory / "ready", directory / "log"
    ready.unlink(missing_ok=True)
    with log.open("ab") as output:
        child = start(
            [sys.executable, "-m", "tests.integration.killed_courier", directory, mode],
            output=output,
            cwd=root,
        )
    try:
        wait_until(ready.exists, timeout=20.0, what="the process", detail=lambda: tail(log))
        time.sleep(source.uniform(0.0, 0.25))
        assert child.poll() is None, tail(log)
    finally:
        stop(child, first=signal.SIGKILL)


def _sent(directory: Path) -> list[tuple[str, str, int]]:
    """Return process, id and breaches of every message that arrived, in order."""
    lines = (directory / "sent").read_text().splitlines()
    return [(pid, name, int(breaches)) for pid, name, breaches in map(str.split, lines)]


@pytest.mark.parametrize("mode", ["steady", "broken"])
def test_no_kill_loses_a_message_or_repeats_one_that_was_not_in_flight(
    tmp_path: Path, root: Path, mode: str
) -> None:
    source = random.Random(4)  # noqa: S311 - no secret
    for _ in range(KILLS):
        _kill_at_random(tmp_path, root, mode, source)
    with closing(Store.open(tmp_path / "state")) as store:
        committed = int(store.incidents()["number"])
        # What the process saw committed is there; the last line of a killed one may be missing.
        assert committed >= int((tmp_path / "committed").read_text().split()[-1])
        recorder = Recorder(tmp_path / "sent", broken=False)
        courier = make_courier(recorder, store, merges=mode == "broken")
        deadline = time.monotonic() + 60.0
        courier.hurry(deadline)
        courier.wait_idle(deadline)
        courier.close()
        assert courier.stats().waiting == 0
    sent = _sent(tmp_path)
    # Every breach once, alone or in a digest, if a receiver ignores ids that it knows.
    assert sum({name: breaches for _, name, breaches in sent}.values()) == committed
    if mode == "steady":
        assert {name for _, name, _ in sent} == {f"m{number}" for number in range(committed)}
    by_process: dict[str, list[str]] = defaultdict(list)
    for pid, name, _ in sent:
        by_process[pid].append(name)
    last_ones = {names[-1] for names in by_process.values()}
    repeated = {name: count for name, count in Counter(name for _, name, _ in sent).items() if count > 1}
    assert set(repeated) <= last_ones
    assert sum(repeated.values()) - len(repeated) <= KILLS
