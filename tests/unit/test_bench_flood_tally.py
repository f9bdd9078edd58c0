from __future__ import annotations

from typing import Any

import pytest

from bench.flood_tally import Tally, tally
from compassd.breach import State
from compassd.destinations.journald import MESSAGE_IDS, SUMMARY_ID

LOG = """compassd ready: attached to /x/compass.so; 1 rules; destinations: journal, hook
warning: 3 requests over budget were lost: they came faster than they could be read
warning: 2 call trees were lost: they came faster than they could be read
warning: 4 requests over budget were lost: they came faster than they could be read
warning: 5 breaches are in no message: they came faster than they could be kept, 10000 at a time
destination journal: 88 sent, 1 failed, 2 dropped from a full queue, 3 not sent in time
destination hook: 2 messages sent, 0 dead letters, 0 wait in the outbox
destination slack: 2 messages sent, 0 dead letters, 0 wait in the outbox
compassd stopped: 200 requests, 150 over the smallest budget, 93 breaches, 0 open incidents, 18 lost
"""
ENTRIES: list[dict[str, Any]] = [{"MESSAGE_ID": MESSAGE_IDS[State.FINISHED]}] * 40 + [
    {"MESSAGE_ID": SUMMARY_ID, "COMPASS_SUPPRESSED": "30"},
    {"MESSAGE_ID": SUMMARY_ID, "COMPASS_SUPPRESSED": "17"},
]
DOCUMENTS: list[dict[str, Any]] = [
    {"type": "compass.incident", "figures": {"hits": 50, "new_hits": 50}},
    # A digest says it once for all of its lines.
    {"type": "compass.digest", "new_hits": 38, "lines": [{"figures": {"hits": 88, "new_hits": 38}}]},
]


def test_what_is_told_and_what_is_counted_as_lost_adds_up() -> None:
    counted = tally(100, LOG, ENTRIES, DOCUMENTS)
    assert counted == Tally(
        driven=100,
        breaches=93,
        lost=7,
        trees_lost=2,
        entries=40,
        summed=47,
        not_journalled=6,
        in_incidents=88,
        not_in_incidents=5,
        messages=2,
        undelivered=0,
    )
    assert counted.counted_losses == 18
    assert counted.faults() == []


@pytest.mark.parametrize(
    ("driven", "log", "entries", "documents", "fault"),
    [
        (101, LOG, ENTRIES, DOCUMENTS, "101 requests, but 100 accounted for"),
        (99, LOG, ENTRIES, DOCUMENTS, "99 requests, but 100 accounted for"),
        (100, LOG, ENTRIES[1:], DOCUMENTS, "93 breaches in the journal, but 92 accounted for"),
        (100, LOG, ENTRIES, DOCUMENTS[:1], "93 breaches in incidents, but 55 accounted for"),
        (100, LOG, ENTRIES, DOCUMENTS * 2, "93 breaches in incidents, but 181 accounted for"),
        (
            100,
            LOG.replace("0 dead letters", "1 dead letters", 1),
            ENTRIES,
            DOCUMENTS,
            "1 undelivered messages, but 0 accounted for",
        ),
    ],
)
def test_one_more_or_less_is_a_fault(
    driven: int, log: str, entries: list[dict[str, Any]], documents: list[dict[str, Any]], fault: str
) -> None:
    assert tally(driven, log, entries, documents).faults() == [fault]


def test_a_daemon_that_did_not_say_how_it_ended_accounts_for_nothing() -> None:
    assert "100 requests, but 0 accounted for" in tally(100, "", [], []).faults()
