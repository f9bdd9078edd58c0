"""kill -9 at any moment: nothing that was accepted is lost, and what comes twice has the same id.

COMPASS_SEED repeats a run as far as the machine allows; it is printed with a failure.
"""

from __future__ import annotations

import os
import random
import signal
import sqlite3
import subprocess
import sys
import time
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from lab.post_office import STATE, post_office
from lab.processes import wait_until
from lab.receiver import SLACK_PATH, Cut, Hang, Mode, Received, Receiver, Reset, SlowBytes, Status

KILLS = 200
# So many of them are killed while they start; the others after they have begun to take breaches.
EARLY = 0.2
# The number of a process's first breach is a multiple of this.
RANGE = 1_000_000

# Three of four requests are treated well.
MODES: Sequence[Mode] = (
    *[Status(500)] * 6,
    *[Status(429, {"Retry-After": "0"})] * 3,
    Status(429, {"Retry-After": "1"}),
    *[Reset()] * 5,
    *[Cut()] * 5,
    SlowBytes(),
    SlowBytes(after_head=False),
    Hang(),
)

SETTINGS = """
[incidents]
coalesce = "50ms"
cooldown = "1s"
max_messages = 1000
interval = "1s"
"""
HOOK = """
[destinations.{name}]
type = "webhook"
url = "{url}"
tell = "{tell}"
timeout = "3s"
headers = {{ X-Destination = "{name}", X-Run = "{run}" }}
"""
SLACK = """
[destinations.slack]
type = "slack"
url = "{url}"
timeout = "3s"
"""


@dataclass
class Witness:
    """What the processes said before they were killed.

    Attributes:
        accepted: Numbers of breaches that were on disk.
        fed: Numbers of breaches that may have been.
    """

    accepted: set[int] = field(default_factory=set)
    fed: set[int] = field(default_factory=set)

    def hear(self, first: int, lines: Iterable[str]) -> None:
        """Take what a process has said whose first breach has this number."""
        said = {"fed": 0, "accepted": 0, **{what: int(count) for what, count in map(str.split, lines)}}
        self.fed.update(range(first, first + said["fed"]))
        self.accepted.update(range(first, first + said["accepted"]))


@dataclass
class Servers:
    """One that always works, and one that does not."""

    steady: Receiver
    moody: Receiver

    def settings(self, run: int) -> str:
        """Return the settings of the process of that number."""
        hooks = (
            ("steady", self.steady.webhook_url, "breaches"),
            ("each", self.moody.webhook_url, "breaches"),
            ("hook", self.moody.webhook_url, "incidents"),
        )
        tables = [HOOK.format(name=name, url=url, tell=tell, run=run) for name, url, tell in hooks]
        return SETTINGS + "".join(tables) + SLACK.format(url=self.moody.slack_url)

    def arrived(self, destination: str) -> list[Received]:
        """Return what a webhook got, in order, but what it refused."""
        receiver = self.steady if destination == "steady" else self.moody
        return [
            request
            for request in receiver.received
            if request.headers.get("x-destination") == destination and not request.refused
        ]


@pytest.fixture
def servers() -> Iterator[Servers]:
    with Receiver() as steady, Receiver(slack_rate=None) as moody:
        yield Servers(steady, moody)


@contextmanager
def feeders(directory: Path, root: Path) -> Iterator[subprocess.Popen[str]]:
    """Start the process that forks those to be killed."""
    command = ["setpriv", "--pdeathsig", "KILL", "--", sys.executable, "-u", "-m"]
    with (
        (directory / "log").open("ab") as log,
        subprocess.Popen(
            [*command, "tests.integration.killed_post_office", str(directory)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=log,
            cwd=root,
            text=True,
        ) as process,
    ):
        yield process
        assert process.stdin
        process.stdin.close()
        assert process.wait(20.0) == 0, (directory / "log").read_text()[-4_000:]


def kill_one(
    process: subprocess.Popen[str], first: int, source: random.Random, servers: Servers, witness: Witness
) -> None:
    """Start a process, let the servers misbehave, and kill it at some moment."""
    assert process.stdin
    assert process.stdout
    print(first, source.randrange(2**32), file=process.stdin, flush=True)
    what, pid = process.stdout.readline().split()
    assert what == "pid"
    modes = source.choices((*MODES, None), (*[1] * len(MODES), 3 * len(MODES)), k=source.randint(0, 30))
    servers.moody.misbehave(*modes)
    said = []
    if source.random() < EARLY:
        time.sleep(source.uniform(0.0, 0.1))
    else:
        said.append(process.stdout.readline())
        time.sleep(source.uniform(0.0, 0.3))
    os.kill(int(pid), signal.SIGKILL)
    while not (line := process.stdout.readline()).startswith("ended"):
        assert line
        said.append(line)
    assert line == f"ended {int(signal.SIGKILL)}\n"
    witness.hear(first, said)


def drain(directory: Path, servers: Servers) -> None:
    """Run a last one until all is sent, and nothing is left to be told."""
    left = "SELECT (SELECT count(*) FROM message), (SELECT count(*) FROM incident WHERE key <> 'ceilings')"
    with (
        post_office(directory, servers.settings(KILLS), outage_ns=0) as office,
        closing(sqlite3.connect(directory / STATE / "compassd.db")) as database,
    ):
        wait_until(
            lambda: database.execute(left).fetchone() == (0, 0),
            timeout=100.0,
            what="everything to be sent",
            detail=lambda: f"{office.stats()} {database.execute(left).fetchone()}",
        )


def numbers(requests: Iterable[Received]) -> dict[str, int]:
    """Return the numbers of the single breaches by the ids of their messages."""
    return {
        request.headers["webhook-id"]: int(request.json["request"]["id"].removeprefix("r"))
        for request in requests
        if request.json["type"] == "compass.breach"
    }


def told(requests: Iterable[Received]) -> int:
    """Return how many breaches incidents and digests tell of, if each id counts once."""
    documents = {request.headers["webhook-id"]: request.json for request in requests}
    return sum(
        document["figures"]["new_hits"]
        if "figures" in document
        else document["new_hits"] + document["dropped"]
        for document in documents.values()
        if document["type"] != "compass.breach"
    )


def check_repeated(requests: Sequence[Received]) -> int:
    """Check what came more than once, and return how much that is."""
    last_of_run = {request.headers["x-run"]: request for request in requests}
    by_id: dict[str, list[Received]] = defaultdict(list)
    for request in requests:
        by_id[request.headers["webhook-id"]].append(request)
    for same in by_id.values():
        assert len({request.body for request in same}) == 1
        for request in same[:-1]:
            # Its answer was no clear one, or its sender was killed before it could take note of it.
            assert not request.accepted or request is last_of_run[request.headers["x-run"]]
    return len(requests) - len(by_id)


@pytest.mark.timeout(600)
def test_no_kill_loses_or_repeats_what_was_accepted(tmp_path: Path, root: Path, servers: Servers) -> None:
    seed = int(os.environ.get("COMPASS_SEED") or time.time_ns() % 2**32)
    print(f"COMPASS_SEED={seed}")  # noqa: T201 - shown if it fails
    source, witness = random.Random(seed), Witness()  # noqa: S311 - no secret
    with feeders(tmp_path, root) as process:
        for run in range(KILLS):
            (tmp_path / "settings.toml").write_text(servers.settings(run))
            kill_one(process, run * RANGE, source, servers, witness)
    drain(tmp_path, servers)

    steady, each, hook = map(servers.arrived, ("steady", "each", "hook"))
    committed = numbers(steady)
    assert told(steady) == 0
    assert len(set(committed.values())) == len(committed)
    assert witness.accepted <= set(committed.values()) <= witness.fed
    # Most were killed in the midst of it.
    assert len(witness.accepted) > KILLS
    # After an outage what waited is a digest.
    single = numbers(each)
    assert single.items() <= committed.items()
    assert len(single) + told(each) == len(committed)
    assert told(hook) == len(committed)
    for requests in (steady, each, hook):
        check_repeated(requests)
    assert any(request.path == SLACK_PATH and request.accepted for request in servers.moody.received)
