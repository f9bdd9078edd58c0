"""Post offices that take breaches until they are killed: see test_kills.py.

This process imports what they need and forks one whenever a line on its standard input says so, because
starting Python takes longer than most of them live. What they do is told on standard output, a line each.
"""

from __future__ import annotations

import os
import random
import signal
import sys
import time
from dataclasses import replace
from pathlib import Path

from compassd.breach import Breach
from lab.breaches import make_breach
from lab.post_office import post_office

# So many breaches that follow each other are of one incident, and of so many incidents Slack is told one.
_PER_INCIDENT, _PER_SLACK = 40, 8
_RULES = ("checkout", "search", "api")


def numbered(number: int) -> Breach:
    """Return the breach of this number, which can be read from its request's id."""
    incident = number // _PER_INCIDENT
    slack = () if incident % _PER_SLACK else ("slack",)
    made = make_breach(
        rule=_RULES[incident % len(_RULES)],
        destinations=("steady", "each", "hook", *slack),
        start_ns=number,
        id=f"r{number}",
    )
    return replace(made, host="shop.example", route=f"/r{incident}")


def feed(directory: Path, first: int, seed: int) -> None:
    """Feed breaches from the number first on, and say how many before, and how many are on disk after."""
    source, parent = random.Random(seed), os.getppid()  # noqa: S311 - no secret
    settings = (directory / "settings.toml").read_text()
    # Any failure is an outage, or Slack, at a message a second, would be behind for minutes.
    with post_office(directory, settings, outage_ns=0) as office:
        fed = 0
        while os.getppid() == parent:
            burst = source.randint(1, 8)
            _say("fed", fed + burst)
            for number in range(first + fed, first + fed + burst):
                office.accept(numbered(number))
            fed += burst
            time.sleep(source.uniform(0.0, 0.05))
            _say("accepted", office.counters().accepted)


def _say(what: str, number: int) -> None:
    # In one piece, whatever happens to the process.
    os.write(1, f"{what} {number}\n".encode())


def main(directory: Path) -> None:
    """Fork a feeder for each line, and say when it has ended."""
    for line in sys.stdin:
        first, seed = map(int, line.split())
        pid = os.fork()
        if not pid:
            feed(directory, first, seed)
            os._exit(0)
        _say("pid", pid)
        _, status = os.waitpid(pid, 0)
        _say("ended", os.WTERMSIG(status) if os.WIFSIGNALED(status) else 0)


if __name__ == "__main__":
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    main(Path(sys.argv[1]))
