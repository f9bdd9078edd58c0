"""What the demo's destinations were told: shown to people, and held against what was driven."""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from rich.console import Console

from compassd.breach import State
from compassd.show.document import parse_breach
from compassd.show.terminal import show_breach
from lab.demo_traffic import Driven, Telling, Wanted
from lab.receiver import SLACK_PATH, WEBHOOK_PATH, Receiver
from lab.slack_news import News, Subject, news
from lab.slack_text import render

SLACK, HOOK, JOURNAL = "slack", "hook", "journal"

_NS_PER_MS = 1e6
_COLUMNS = 100
_STOPPED = re.compile(r"compassd stopped: (?P<requests>\d+) requests, .*?(?P<lost>\d+) lost")


@dataclass(frozen=True, slots=True)
class Told:
    """Everything that arrived.

    Attributes:
        slack: Messages that Slack took, in order.
        hook: Documents that the webhook's receiver took, in order.
        journal: Entries, in order; None where no journald runs.
    """

    slack: Sequence[Mapping[str, Any]]
    hook: Sequence[Mapping[str, Any]]
    journal: Sequence[Mapping[str, Any]] | None

    def tellings(self) -> Counter[Telling]:
        """Return what the webhook and the journal were told, and how often."""
        found = [
            Telling(HOOK, each["rule"], each["request"]["id"], each["state"] == State.RUNNING)
            for each in self.hook
        ]
        found += [
            Telling(
                JOURNAL,
                each["COMPASS_RULE"],
                each["COMPASS_REQUEST_ID"],
                each["COMPASS_STATE"] == State.RUNNING,
            )
            for each in self.journal or ()
        ]
        return Counter(found)

    def news(self) -> list[News]:
        """Return what Slack was told of incidents, in order."""
        return [news(message) for message in self.slack]

    def durations_ns(self) -> Iterator[tuple[str, int, bool]]:
        """Yield request id, duration and whether it still ran, wherever a destination was told in full."""
        for each in self.hook:
            request = each["request"]
            yield request["id"], request["duration_ns"], each["state"] == State.RUNNING
        for each in self.journal or ():
            duration_ns = round(float(each["COMPASS_DURATION_MS"]) * _NS_PER_MS)
            yield each["COMPASS_REQUEST_ID"], duration_ns, each["COMPASS_STATE"] == State.RUNNING


@dataclass(slots=True)
class Verdict:
    """What the comparison found.

    Attributes:
        lost: Breaches that a destination was not told of, and what compassd itself counted as lost.
        problems: Everything that is not as it should be, a line each.
    """

    lost: int = 0
    problems: list[str] = field(default_factory=list)


def received(receiver: Receiver, journal: Sequence[Mapping[str, Any]] | None) -> Told:
    """Return what the receiver accepted, and the journal's entries."""
    accepted = [each for each in receiver.received if each.accepted]
    return Told(
        slack=[each.json for each in accepted if each.path == SLACK_PATH],
        hook=[each.json for each in accepted if each.path == WEBHOOK_PATH],
        journal=journal,
    )


def compare(driven: Sequence[Driven], wanted: Wanted, told: Told, log: str) -> Verdict:
    """Hold what was told against what was wanted, PHP's own measurements and compassd's last words."""
    verdict = Verdict()
    got = told.tellings()
    # What compassd finds still running is told once more, before.
    allowed = wanted.each + Counter(replace(each, running=True) for each in wanted.each)
    missing, surplus = wanted.each - got, got - allowed
    verdict.problems += [f"not told: {_words(each, count)}" for each, count in sorted(missing.items())]
    verdict.problems += [
        f"{'told too often' if each in allowed else 'told without reason'}: {_words(each, count)}"
        for each, count in sorted(surplus.items())
    ]
    found = told.news()
    untold = wanted.incidents - counted(found)
    verdict.problems += _wrong_incidents(wanted.incidents, found)
    verdict.problems += _wrong_durations(driven, told.durations_ns())
    last = _STOPPED.search(log)
    if last is None:
        verdict.problems.append("compassd did not say how it ended")
    elif int(last["requests"]) < len(driven):
        # More are possible: compassd watches every PHP-FPM of the machine.
        verdict.problems.append(f"compassd counted {last['requests']} requests, driven were {len(driven)}")
    verdict.lost = missing.total() + untold.total() + (int(last["lost"]) if last else 0)
    if verdict.lost and not verdict.problems:
        verdict.problems.append(f"compassd counted {verdict.lost} lost")
    return verdict


def counted(found: Iterable[News]) -> Counter[Subject]:
    """Return how many breaches were told of each incident, over all its messages."""
    hits: Counter[Subject] = Counter()
    for each in found:
        hits[each.subject] += each.new_hits
    return hits


def show(told: Told, *, colour: bool) -> Iterator[str]:
    """Yield the lines that show a person what arrived: all of Slack and the journal, one webhook twice."""
    incidents = len(counted(told.news()))
    yield _title(f"Slack: {len(told.slack)} messages about {incidents} incidents")
    for message in told.slack:
        yield render(dict(message), colour=colour)
        yield ""
    yield _title(f"Webhook: {len(told.hook)} documents, this is one")
    if told.hook:
        document = max(told.hook, key=_known_waiting_ns)
        yield from _lines(document)
        yield ""
        yield _title("compassd show draws the same")
        yield _drawn(document, colour=colour)
    yield ""
    if told.journal is None:
        yield _title("Journal: skipped, no journald can run here")
        return
    yield _title(f"Journal: {len(told.journal)} entries")
    yield from (f"  <{each['PRIORITY']}> {each['MESSAGE']}" for each in told.journal)
    yield ""


def _known_waiting_ns(document: Mapping[str, Any]) -> int:
    """Return how long the request waited where it is known what for: that is worth looking at."""
    places = document["wait_places"] or ()
    return sum(place["off_cpu_ns"] for place in places if "waited_for" in place)


def _lines(document: Mapping[str, Any]) -> Iterator[str]:
    """Yield a document, a line for each member, and for each place in the code; without its call tree."""
    yield "{"
    for name, value in document.items():
        if name == "call_tree":
            yield '  "call_tree": …'
        elif isinstance(value, list):
            yield f'  "{name}": ['
            yield from (f"    {json.dumps(item, ensure_ascii=False)}," for item in value)
            yield "  ],"
        else:
            yield f'  "{name}": {json.dumps(value, ensure_ascii=False)},'
    yield "}"


def _drawn(document: Mapping[str, Any], *, colour: bool) -> str:
    console = Console(width=_COLUMNS, force_terminal=colour, no_color=not colour)
    with console.capture() as capture:
        show_breach(console, parse_breach(document))
    return "\n".join(line.rstrip() for line in capture.get().splitlines())


def _title(text: str) -> str:
    return f"━━ {text} " + "━" * max(0, 76 - len(text))


def _words(telling: Telling, count: int) -> str:
    while_ = " while it ran" if telling.running else ""
    times = f", {count} times" if count > 1 else ""
    return f"{telling.destination} of request {telling.request_id} by rule {telling.rule!r}{while_}{times}"


def _wrong_incidents(wanted: Counter[Subject], found: Sequence[News]) -> Iterator[str]:
    """Yield a problem for each incident that does not count what was driven, or is not told to its end."""
    hits = counted(found)
    for subject in sorted(wanted.keys() | hits.keys()):
        name = f"{SLACK} of rule {subject.rule!r} on {subject.route!r}"
        if subject not in wanted:
            yield f"told without reason: {name}, {hits[subject]} requests"
        elif hits[subject] != wanted[subject]:
            yield f"told of {hits[subject]} requests instead of {wanted[subject]}: {name}"
        else:
            yield from _wrong_course(name, [each for each in found if each.subject == subject])


def _wrong_course(name: str, found: Sequence[News]) -> Iterator[str]:
    """Yield a problem unless the messages are one incident, from its beginning to its end."""
    hits = 0
    for each in found:
        hits += each.new_hits
        if each.hits != hits:
            yield f"told that they are {each.hits} in all after {hits} were told: {name}"
    if [each.over for each in found] != [False] * (len(found) - 1) + [True]:
        yield f"not told once, and last, that it is over: {name}"


def _wrong_durations(driven: Sequence[Driven], durations: Iterable[tuple[str, int, bool]]) -> Iterator[str]:
    """Yield a problem for each duration that is less than the page's work or more than the client's wait."""
    by_id = {each.request_id: each for each in driven}
    for request_id, told_ns, running in durations:
        each = by_id.get(request_id)
        # The journal has whole microseconds.
        if each and not (0 if running else each.work_ns - 1_000) <= told_ns <= each.total_ns + 1_000:
            least, most = each.work_ns / _NS_PER_MS, each.total_ns / _NS_PER_MS
            yield (
                f"request {request_id} was told with {told_ns / _NS_PER_MS:.3f} ms, "
                f"but PHP worked for {least:.3f} ms and the client waited {most:.3f} ms"
            )
