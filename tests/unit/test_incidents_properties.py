"""What holds whatever breaches come, whenever the daemon is asked, and whenever it is killed."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field, replace

import pytest
from hypothesis import given
from hypothesis import settings as configure
from hypothesis import strategies as st

from compassd.breach import Breach, Gate, Severity, State
from compassd.incidents import storm
from compassd.notice import DigestNotice, Happening, IncidentNotice, Message
from compassd.settings import IncidentSettings
from tests.unit.incident_desk import HOUR, START, Desk, S, new_hits

# Those with a gate tell one destination each, so that what is suppressed is missing nowhere else.
GATES = {"all": Gate(), "many": Gate(min_hits=3, within_ns=20 * S), "rate": Gate(2, 30 * S, 0.5)}
DESTINATIONS = {"all": (("ops",), ("ops", "hook"), ("hook",)), "many": (("ops",),), "rate": (("hook",),)}


@dataclass(frozen=True)
class Step:
    """A breach, and what happens before.

    Attributes:
        after_s: How long after the one before, s.
        rule: Of its rule.
        route: Its route.
        destinations: Whom to tell.
        severity: How bad it is.
        running: Whether it is told while it runs; then it ends with the next such step.
        restart: Whether the daemon is killed and started again before.
    """

    after_s: int
    rule: str
    route: str
    destinations: tuple[str, ...]
    severity: Severity
    running: bool
    restart: bool


@st.composite
def _steps(draw: st.DrawFn) -> Step:
    rule = draw(st.sampled_from(sorted(GATES)))
    return Step(
        after_s=draw(st.one_of(st.just(0), st.integers(0, 3), st.integers(0, 120), st.integers(0, 1_200))),
        rule=rule,
        route=draw(st.sampled_from(["/a", "/b", "/c", "/d", "/e"])),
        destinations=draw(st.sampled_from(DESTINATIONS[rule])),
        severity=draw(st.sampled_from(Severity)),
        running=draw(st.booleans()),
        restart=draw(st.booleans()),
    )


STEPS = st.lists(_steps(), max_size=40)
SETTINGS = st.builds(
    IncidentSettings.model_construct,
    coalesce=st.sampled_from([0, 2 * S, 15 * S]),
    cooldown=st.sampled_from([5 * S, 60 * S, 600 * S]),
    max_messages=st.integers(2, 4),
    interval=st.sampled_from([1 * S, 10 * S, 60 * S]),
)


@pytest.fixture(scope="module", autouse=True)
def all_lines() -> Iterator[None]:
    """Let digests say all there is, so that it can be checked."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(storm, "MAX_DIGEST_LINES", 1_000)
        yield


@dataclass
class Run:
    """A daemon that is given breaches.

    Attributes:
        desk: Its book.
        restarts: Whether it is killed where the steps say so.
        each_second: Whether the book is asked each second; otherwise only when it says so.
        taken: Breaches that count, by destination.
        suppressed: Breaches that were suppressed, before and after restarts.
    """

    desk: Desk
    restarts: bool = True
    each_second: bool = False
    taken: Counter[str] = field(default_factory=Counter)
    suppressed: int = 0
    _running: tuple[Breach, tuple[str, ...]] | None = None

    def do(self, steps: list[Step]) -> None:
        """Give it all breaches, and wait until nothing more can come."""
        for step in steps:
            self._wait(step.after_s)
            if self.restarts and step.restart:
                self._restart()
            # A request a second finishes.
            self.desk.book.note_requests((self.desk.now - START) // S, self.desk.now)
            if step.running and self._running is not None:
                self._end(*self._running)
                self._running = None
            self._hit(step)
            self._wait(0)
        self._wait(2 * HOUR // S)
        self.suppressed += self.desk.book.counters.suppressed

    def _wait(self, seconds: int) -> None:
        if not self.each_second:
            self.desk.at(self.desk.now + seconds * S - START)
            self.desk.commit()
            return
        for _ in range(seconds):
            self.desk.now += S
            self.desk.tell()
        self.desk.tell()

    def _restart(self) -> None:
        self.suppressed += self.desk.book.counters.suppressed
        self.desk.restart()

    def _hit(self, step: Step) -> None:
        state = State.RUNNING if step.running else State.FINISHED
        made = self.desk.hit(
            *step.destinations,
            rule=step.rule,
            route=step.route,
            gate=GATES[step.rule],
            severity=step.severity,
            state=state,
        )
        self.taken.update(step.destinations)
        if step.running:
            self._running = made, step.destinations

    def _end(self, running: Breach, destinations: tuple[str, ...]) -> None:
        # It counts if its incident is over.
        if running.id not in self.desk.book._running:
            self.taken.update(destinations)
        self.desk.take(replace(running, state=State.DIED, told_running=True), destinations)


def _run(steps: list[Step], settings: IncidentSettings) -> Run:
    run = Run(Desk(settings))
    run.do(steps)
    return run


@configure(max_examples=300)
@given(STEPS, SETTINGS)
def test_every_breach_is_told_once_to_each_destination_or_suppressed(
    steps: list[Step], settings: IncidentSettings
) -> None:
    run = _run(steps, settings)
    told: Counter[str] = Counter()
    for message in run.desk.messages:
        told[message.destination] += new_hits(message)
    missing = {name: taken - told[name] for name, taken in run.taken.items()}
    assert all(number >= 0 for number in missing.values())
    assert sum(missing.values()) == run.suppressed
    # All is over, and nothing is kept of it.
    counters = run.desk.book.counters
    assert (counters.open, counters.pending, counters.unreadable) == (0, 0, 0)
    assert run.desk.book.next_due(run.desk.now) is None
    assert set(run.desk.kept) <= {"ceilings"}
    assert (run.desk.book._incidents, run.desk.book._running, run.desk.book._nodes) == ({}, {}, 0)


@configure(max_examples=300)
@given(STEPS, SETTINGS)
def test_no_interval_has_too_many_messages_and_none_follows_a_digest_in_it(
    steps: list[Step], settings: IncidentSettings
) -> None:
    times: dict[str, list[int]] = defaultdict(list)
    silent_until: Counter[str] = Counter()
    for message in _run(steps, settings).desk.messages:
        times[message.destination].append(message.created_at)
        assert message.created_at >= silent_until[message.destination]
        if isinstance(message.notice, DigestNotice):
            silent_until[message.destination] = message.created_at + settings.interval
    for found in times.values():
        assert found == sorted(found)
        for first, beyond in zip(found, found[settings.max_messages :], strict=False):
            assert beyond - first >= settings.interval


@configure(max_examples=300)
@given(STEPS, SETTINGS)
def test_each_incident_is_told_from_its_beginning_to_its_end(
    steps: list[Step], settings: IncidentSettings
) -> None:
    stories: dict[tuple[str, str], list[Happening]] = defaultdict(list)
    worst: dict[str, list[Severity]] = defaultdict(list)
    for message in _run(steps, settings).desk.messages:
        for incident, happening, severity in _happenings(message):
            stories[message.destination, incident].append(happening)
            worst[incident].append(severity)
    for first, *between, last in stories.values():
        assert first is Happening.OPENED
        assert last is Happening.CLOSED
        assert set(between) <= {Happening.UPDATED, Happening.ESCALATED}
    ranks = list(Severity)
    for severities in worst.values():
        assert severities == sorted(severities, key=ranks.index)


@configure(max_examples=200)
@given(STEPS, SETTINGS)
def test_no_two_messages_have_the_same_id(steps: list[Step], settings: IncidentSettings) -> None:
    messages = _run(steps, settings).desk.messages
    assert len({message.id for message in messages}) == len(messages)


@configure(max_examples=150)
@given(st.lists(_steps(), max_size=20), SETTINGS)
def test_who_asks_only_when_told_to_misses_nothing(steps: list[Step], settings: IncidentSettings) -> None:
    seldom = Run(Desk(settings), restarts=False)
    often = Run(Desk(settings), restarts=False, each_second=True)
    seldom.do(steps)
    often.do(steps)
    assert seldom.desk.messages == often.desk.messages
    assert (seldom.suppressed, seldom.taken) == (often.suppressed, often.taken)


@configure(max_examples=150)
@given(STEPS, SETTINGS)
def test_who_sleeps_until_something_is_due_comes_to_rest(
    steps: list[Step], settings: IncidentSettings
) -> None:
    desk = Desk(settings)
    for step in steps:
        desk.now += step.after_s * S
        desk.hit(*step.destinations, route=step.route, severity=step.severity)
        desk.tell()
        due = desk.book.next_due(desk.now)
        assert due is not None
        assert due > desk.now


def _happenings(message: Message) -> list[tuple[str, Happening, Severity]]:
    notice = message.notice
    if isinstance(notice, IncidentNotice):
        assert notice.figures.first_at <= notice.figures.last_at <= message.created_at
        assert notice.exemplars
        return [(notice.incident_id, notice.happening, notice.severity)]
    assert isinstance(notice, DigestNotice)
    assert notice.since <= notice.until == message.created_at
    assert notice.incidents == len(notice.lines) > 1
    assert notice.new_hits == sum(line.figures.new_hits for line in notice.lines)
    return [(line.incident_id, line.happening, line.severity) for line in notice.lines]
