"""From the end of a request to the webhook and the journal. Alone: python -m bench.delivery_latency."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from bench.clients import result, started
from bench.errors import BenchError
from bench.spread import Spread, spread
from bench.stand import Effort, Ground, built_ground
from bench.tables import at_most, ms, paragraph, table
from bench.told import Told, told
from lab.journald import Journald
from lab.receiver import Receiver

_SCRIPT = Path(__file__).resolve().parent / "php" / "waiting.php"
# A second, in the mean.
_RATE = 50
_TOLD_S = 30.0
_WEBHOOK_GOAL_NS, _JOURNAL_GOAL_NS = 50_000_000, 20_000_000
_NS_PER_US, _NS_PER_S = 1_000, 1_000_000_000
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)

_SETTINGS = """
[destinations.journal]
type = "journald"
[destinations.hook]
type = "webhook"
tell = "breaches"
url = "{receiver.webhook_url}"
"""
# Writes entries that say when they were sent.
_JOURNAL_CONTROL = """
import time
from bench.uneven_client import random_times
from systemd import journal
started = time.monotonic()
for at in random_times({rate}, {count}):
    time.sleep(max(0.0, started + at - time.monotonic()))
    journal.sendv(b"MESSAGE=control", b"COMPASS_SENT_AT=%d" % time.time_ns())
"""
_JOURNAL_CONTROL_COUNT = 500


@dataclass(frozen=True, slots=True)
class Latency:
    """How long it took, ns.

    Attributes:
        webhook: From the end of a request until the receiver had the whole document.
        journal: From the end of a request to the time that journald gave its entry.
        post: From before a POST of that size until the receiver had it, without compassd.
        entry: From before an entry was handed to libsystemd to the time that journald gave it.
    """

    webhook: Spread
    journal: Spread
    post: Spread
    entry: Spread


def measure_latency(ground: Ground) -> Latency:
    """Tell of requests one by one, and look when what is told of them arrives."""
    count = ground.effort.deliveries
    with told(ground, _SETTINGS) as all_:
        with started("bench.uneven_client", all_.server.socket, _SCRIPT, _RATE, count) as client:
            if result(client)["answered"] != count:
                raise BenchError(f"not all of {count} requests were answered")
        bodies = [received.body for received in all_.receiver.wait_for(count, _TOLD_S)]
        all_.stop()
        webhook, journal = _latencies(all_, count)
    size = sorted(map(len, bodies))[count // 2]
    latency = Latency(webhook, journal, post=_post_control(count, size), entry=_entry_control())
    ground.say(f"99 of 100 requests: webhook {ms(webhook.p99)}, journal {ms(journal.p99)}")
    return latency


def _latencies(all_: Told, count: int) -> tuple[Spread, Spread]:
    """Return how long it took to the webhook and to the journal, ns."""
    ends = ends_by_request(all_.documents())
    # The receiver's clock goes on from a time of its own.
    offset_ns = time.time_ns() - time.monotonic_ns()
    to_webhook = {
        str(received.json["request"]["id"]): round(received.at * _NS_PER_S) + offset_ns
        for received in all_.receiver.received
    }
    to_journal = {
        str(entry["COMPASS_REQUEST_ID"]): int(entry["__REALTIME_TIMESTAMP"]) * _NS_PER_US
        for entry in all_.entries()
    }
    for name, arrivals in (("the webhook", to_webhook), ("the journal", to_journal)):
        if arrivals.keys() != ends.keys() or len(ends) != count:
            raise BenchError(f"{name} was told of {len(arrivals)} requests of {count}")
    return (
        spread(at - ends[request] for request, at in to_webhook.items()),
        spread(at - ends[request] for request, at in to_journal.items()),
    )


def ends_by_request(documents: Iterable[Mapping[str, Any]]) -> dict[str, int]:
    """Return when requests ended, Unix time in ns, by their X-Request-ID."""
    return {
        document["request"]["id"]: unix_ns(document["request"]["started_at"])
        + document["request"]["duration_ns"]
        for document in documents
    }


def unix_ns(text: str) -> int:
    """Return an RFC 3339 time as Unix time, ns."""
    return (datetime.fromisoformat(text) - _EPOCH) // timedelta(microseconds=1) * _NS_PER_US


def _post_control(count: int, size: int) -> Spread:
    """Return how long documents of that size take to a receiver that nothing else is sent to, ns."""
    with Receiver() as receiver:
        with started("bench.post_client", receiver.webhook_url, _RATE, count, size) as client:
            result(client)
        offset_ns = time.time_ns() - time.monotonic_ns()
        return spread(
            round(received.at * _NS_PER_S) + offset_ns - received.json["sent_at"]
            for received in receiver.received
        )


def _entry_control() -> Spread:
    """Return how long entries take to a journal that nothing else is written to, ns."""
    with Journald() as journald:
        journald.python(_JOURNAL_CONTROL.format(rate=_RATE, count=_JOURNAL_CONTROL_COUNT))
        return spread(
            int(entry["__REALTIME_TIMESTAMP"]) * _NS_PER_US - int(entry["COMPASS_SENT_AT"])
            for entry in journald.entries("MESSAGE=control")
        )


def latency_section(latency: Latency) -> Iterator[str]:
    """Yield the part of the report."""
    yield "### From the end of a request to whoever is told\n"
    yield paragraph(f"""
        {latency.webhook.count} requests of a small page, all over budget, {_RATE} a second at random times,
        each told to the journal and, as a breach of its own, to a webhook on this machine. A request ends
        when PHP has done with it: by the time and the duration in its document. It has arrived when the
        receiver has the whole document, and by the time that journald gave its entry. The controls are a
        POST of the same size, and an entry, sent to the same programs without compassd.
    """)
    rows = [
        _row("webhook", latency.webhook, _WEBHOOK_GOAL_NS),
        _row("a POST alone, the control", latency.post),
        _row("journal", latency.journal, _JOURNAL_GOAL_NS),
        _row("an entry alone, the control", latency.entry),
    ]
    yield table(("to", "half within", "95 of 100", "99 of 100", "longest", "goal"), rows)


def _row(name: str, times: Spread, goal_ns: int | None = None) -> tuple[str, ...]:
    goal = "" if goal_ns is None else f"99 of 100 {at_most(times.p99, goal_ns, ms(goal_ns))}"
    return name, ms(times.p50), ms(times.p95), ms(times.p99), ms(times.greatest), goal


if __name__ == "__main__":
    with built_ground(Effort()) as ground_:
        sys.stdout.write("\n".join(latency_section(measure_latency(ground_))))
