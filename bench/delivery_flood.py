"""A flood of requests over budget, and what became of each. Alone: python -m bench.delivery_flood."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

from bench.clients import result, started
from bench.errors import BenchError
from bench.flood_tally import Tally, tally
from bench.process import anonymous_bytes, cpu_ns, cpu_share
from bench.stand import Effort, Ground, built_ground
from bench.tables import paragraph, percent, table
from bench.told import Told, told
from lab.receiver import SLACK_PATH

_SCRIPT = Path(__file__).resolve().parent / "php" / "over.php"
_CLIENTS = 2
_RATE = 2_000
# Incidents are over, and everything is told, some seconds after the flood instead of some minutes.
_COOLDOWN_S, _INTERVAL_S = 5, 10
_TOLD_S = 90.0
_LOOK_S = 0.1
_NS_PER_S = 1_000_000_000

# Doubled braces are told()'s.
_SETTINGS = f"""
[incidents]
cooldown = "{_COOLDOWN_S}s"
interval = "{_INTERVAL_S}s"
[destinations.journal]
type = "journald"
[destinations.hook]
type = "webhook"
url = "{{receiver.webhook_url}}"
[destinations.slack]
type = "slack"
url = "{{receiver.slack_url}}"
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Flood:
    """What a flood came to.

    Attributes:
        seconds: How long it took.
        tally: What became of the requests.
        slack: How many messages Slack got.
        core: The daemon's CPU time over the time of the flood.
        most: The most anonymous memory that it had until all was told, bytes.
        after: Its anonymous memory then, bytes.
        idle: Its CPU time over the time before the flood, in which nothing happened.
    """

    seconds: float
    tally: Tally
    slack: int
    core: float
    most: int
    after: int
    idle: float


def measure_flood(ground: Ground) -> Flood:
    """Flood a daemon that tells the journal, a webhook and Slack.

    Raises:
        BenchError: A request was not answered, or what became of all does not add up.
    """
    with told(ground, _SETTINGS) as all_:
        daemon = all_.daemon
        idle = cpu_share(daemon.pid, ground.effort.idle_s)
        ground.say(f"{_RATE} requests over budget a second")
        before, began = cpu_ns(daemon.pid), time.monotonic()
        driven, most = _drive(all_.server.socket, ground.effort.flood_s, daemon.pid)
        seconds = time.monotonic() - began
        core = (cpu_ns(daemon.pid) - before) / _NS_PER_S / seconds
        _wait_until_told(all_, driven)
        after = anonymous_bytes(daemon.pid)
        all_.stop()
        counted = tally(driven, daemon.log_text(), all_.entries(), all_.documents())
        slack = sum(each.accepted for each in all_.receiver.received if each.path == SLACK_PATH)
        if faults := counted.faults():
            raise BenchError("the flood does not add up: " + "; ".join(faults) + f"\n{daemon.log_text()}")
    ground.say(f"{driven} requests, {counted.counted_losses} losses, {percent(core)} of a processor")
    return Flood(
        seconds=seconds,
        tally=counted,
        slack=slack,
        core=core,
        most=max(most, after),
        after=after,
        idle=idle,
    )


def _drive(socket: Path, seconds: int, pid: int) -> tuple[int, int]:
    """Flood; the results are how many requests were answered, and the most anonymous memory of pid, bytes."""
    arguments = (socket, _SCRIPT, _RATE // _CLIENTS, seconds)
    most = 0
    with ExitStack() as stack:
        clients = [stack.enter_context(started("bench.flood_client", *arguments)) for _ in range(_CLIENTS)]
        while any(client.poll() is None for client in clients):
            most = max(most, anonymous_bytes(pid))
            time.sleep(_LOOK_S)
        results = [result(client) for client in clients]
    if failed := sum(each["failed"] for each in results):
        raise BenchError(f"{failed} requests of the flood were not answered: the machine is too slow for it")
    return sum(each["answered"] for each in results), most


def _wait_until_told(all_: Told, driven: int) -> None:
    """Wait until every breach is in a message, or counted as lost; whether that is so, the tally says."""

    def is_told() -> bool:
        so_far = tally(driven, all_.daemon.log_text(), (), all_.documents())
        return so_far.in_incidents + so_far.lost + so_far.not_in_incidents >= driven

    deadline = time.monotonic() + _TOLD_S
    while not is_told() and time.monotonic() < deadline:
        time.sleep(_LOOK_S)


def flood_section(flood: Flood) -> Iterator[str]:
    """Yield the part of the report."""
    counted = flood.tally
    rate = counted.driven / flood.seconds
    yield "### A flood\n"
    yield paragraph(f"""
        {counted.driven:,} requests over budget in {flood.seconds:.0f} s, {rate:,.0f} a second, each of which
        waits once. The daemon tells the journal of every breach, one by one up to its rate and in sums beyond
        it, and a webhook and Slack of incidents; Slack got {flood.slack} messages. Afterwards everything is
        counted at both ends: if a breach is neither told nor counted as lost, or told twice, the benchmark
        fails.
    """)
    rows = [
        ("requests", f"{counted.driven:,}"),
        ("lost before they were judged, as compassd counted", f"{counted.lost:,}"),
        ("breaches", f"{counted.breaches:,}"),
        ("of these in the journal, one by one", f"{counted.entries:,}"),
        ("in the journal, in sums", f"{counted.summed:,}"),
        ("not in the journal, as compassd counted", f"{counted.not_journalled:,}"),
        (f"of these in the webhook's {counted.messages} messages", f"{counted.in_incidents:,}"),
        ("in no message, as compassd counted", f"{counted.not_in_incidents:,}"),
        ("call trees lost, their breaches told without", f"{counted.trees_lost:,}"),
    ]
    yield table(("what became of them", ""), rows)


if __name__ == "__main__":
    with built_ground(Effort()) as ground_:
        sys.stdout.write("\n".join(flood_section(measure_flood(ground_))))
