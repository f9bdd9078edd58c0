"""What became of the breaches of a flood, and whether all of them are accounted for. Pure functions."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from compassd.destinations.journald import SUMMARY_ID
from compassd.incident_document import DIGEST_TYPE

_STOPPED = re.compile(r"compassd stopped: .* (\d+) breaches, ")
_LOST = re.compile(r"(\d+) requests over budget were lost")
_TREES_LOST = re.compile(r"(\d+) call trees were lost")
_NOT_JOURNALLED = re.compile(
    r"destination journal: \d+ sent, (\d+) failed, (\d+) dropped from a full queue, (\d+) not sent in time"
)
_UNDELIVERED = re.compile(r"messages sent, (\d+) dead letters, (\d+) wait in the outbox")
_NOT_KEPT = re.compile(r"(\d+) breaches are in no message")


@dataclass(frozen=True, slots=True, kw_only=True)
class Tally:
    """What became of requests that were all over budget.

    Attributes:
        driven: How many requests were answered.
        breaches: Of these, how many compassd has judged.
        lost: How many it says came faster than it could read them.
        trees_lost: Call trees of which it says that; their requests are told without.
        entries: Entries of the journal that tell of one breach.
        summed: Breaches that the journal has in sums.
        not_journalled: Breaches that compassd says the journal lacks.
        in_incidents: Breaches in what the webhook was told.
        not_in_incidents: Breaches that compassd says are in no message.
        messages: How many messages the webhook got.
        undelivered: Messages that no destination got: dead letters, and what was still waiting in the end.
    """

    driven: int
    breaches: int
    lost: int
    trees_lost: int
    entries: int
    summed: int
    not_journalled: int
    in_incidents: int
    not_in_incidents: int
    messages: int
    undelivered: int

    @property
    def counted_losses(self) -> int:
        """Requests or breaches that somebody was not told of, and that were counted instead."""
        return self.lost + self.not_journalled + self.not_in_incidents

    def faults(self) -> list[str]:
        """Return each sum that is not what it has to be, in words."""
        sums = {
            "requests": (self.driven, self.breaches + self.lost),
            "breaches in the journal": (self.breaches, self.entries + self.summed + self.not_journalled),
            "breaches in incidents": (self.breaches, self.in_incidents + self.not_in_incidents),
            "undelivered messages": (self.undelivered, 0),
        }
        return [
            f"{there} {what}, but {told} accounted for"
            for what, (there, told) in sums.items()
            if there != told
        ]


def tally(
    driven: int, log: str, entries: Iterable[Mapping[str, Any]], documents: Iterable[Mapping[str, Any]]
) -> Tally:
    """Count what became of the requests.

    Args:
        driven: How many there were.
        log: What compassd has logged, to its end.
        entries: Of the journal, those about the flood.
        documents: What the webhook got.
    """
    entries, documents = list(entries), list(documents)
    sums = [entry for entry in entries if entry["MESSAGE_ID"] == SUMMARY_ID]
    return Tally(
        driven=driven,
        breaches=_total(_STOPPED, log),
        lost=_total(_LOST, log),
        trees_lost=_total(_TREES_LOST, log),
        entries=len(entries) - len(sums),
        summed=sum(int(entry["COMPASS_SUPPRESSED"]) for entry in sums),
        not_journalled=_total(_NOT_JOURNALLED, log),
        in_incidents=new_hits(documents),
        not_in_incidents=_total(_NOT_KEPT, log),
        messages=len(documents),
        undelivered=_total(_UNDELIVERED, log),
    )


def new_hits(documents: Iterable[Mapping[str, Any]]) -> int:
    """Return how many breaches documents of incidents and digests tell of, each once."""
    return sum(
        document["new_hits"] if document["type"] == DIGEST_TYPE else document["figures"]["new_hits"]
        for document in documents
    )


def _total(pattern: re.Pattern[str], log: str) -> int:
    return sum(int(number) for found in pattern.finditer(log) for number in found.groups())
