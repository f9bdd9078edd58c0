"""Messages about the same incident reach a destination in the order in which they were made."""

from __future__ import annotations

import random
import sqlite3
from collections import defaultdict
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import given
from hypothesis import settings as configure
from hypothesis import strategies as st

from compassd.breach import State
from compassd.courier import Courier
from compassd.incidents.catch_up import catch_up
from compassd.notice import DigestNotice, Happening, IncidentNotice, Message
from compassd.notice_facts import topics
from compassd.outgoing import Backoff
from compassd.store import schema
from compassd.store.store import Store
from lab.breaches import make_breach
from lab.outbox import FakeDestination, fail, make_incident, make_message
from lab.processes import wait_until

BACKOFF = Backoff(base_s=0.001, cap_s=0.05)
MINUTE_NS = 60 * 10**9
NOW = 1_790_000_000_000_000_000

# Of incidents a and c, which are of the same key, and of b.
LIVES = [
    ("a", "/cart", Happening.OPENED),
    ("a", "/cart", Happening.UPDATED),
    ("b", "/search", Happening.OPENED),
    ("a", "/cart", Happening.CLOSED),
    ("c", "/cart", Happening.OPENED),
]


def lives() -> list[Message]:
    return [
        make_message(f"{name}-{happening}", make_incident(name * 32, happening=happening, route=route))
        for name, route, happening in LIVES
    ]


def digest_of(*routes: str) -> DigestNotice:
    merged = catch_up(
        make_message(route, make_incident(route[-1] * 32, route=route), created_at=NOW) for route in routes
    )
    assert merged
    return merged.notice


def sent_by(store: Store, destination: FakeDestination, count: int) -> list[str]:
    """Return the ids of the first count messages that a courier brings to the destination."""
    courier = Courier(destination, store, backoff=BACKOFF, poll_s=0.005)
    wait_until(lambda: courier.stats().sent == count, timeout=30.0, what="delivery")
    courier.close()
    return destination.ids


@pytest.mark.parametrize("seed", range(10))
def test_whatever_has_failed_what_is_told_of_an_incident_keeps_its_order(tmp_path: Path, seed: int) -> None:
    chance = random.Random(seed)  # noqa: S311 - no secret
    outage = [
        fail(unreached=chance.random() < 0.3, uncertain=chance.random() < 0.3)
        for _ in range(chance.randint(6, 60))
    ]
    ops = FakeDestination()
    ops.behaviours = [*outage]
    with closing(Store.open(tmp_path)) as store:
        store.commit(messages=lives())
        ids = sent_by(store, ops, len(LIVES))
    assert [found for found in ids if found != "b-opened"] == [
        "a-opened",
        "a-updated",
        "a-closed",
        "c-opened",
    ]
    assert len(ops.attempts) == len(outage) + len(LIVES)


def test_where_nobody_is_reached_the_oldest_stays_the_first(tmp_path: Path) -> None:
    ops = FakeDestination()
    ops.behaviours = [fail(unreached=True)] * 30
    with closing(Store.open(tmp_path)) as store:
        store.commit(messages=lives())
        assert sent_by(store, ops, len(LIVES)) == [message.id for message in lives()]
    assert [tried for _, tried in ops.attempts[:31]] == ["a-opened"] * 31


def test_a_message_that_always_fails_holds_up_only_its_incident_and_not_for_ever(tmp_path: Path) -> None:
    ops = FakeDestination()
    ops.always = fail(only="a-opened")
    with closing(Store.open(tmp_path)) as store:
        store.commit(messages=lives())
        assert sent_by(store, ops, 1) == ["b-opened"]
        assert store.outbox.backlog("ops") == 4
        again = FakeDestination()
        again.always = fail(only="a-opened", permanent=True)
        assert sent_by(store, again, 3) == ["a-updated", "a-closed", "c-opened"]


def test_what_waits_for_another_is_not_due(tmp_path: Path) -> None:
    first, second = lives()[:2]
    with closing(Store.open(tmp_path)) as store:
        store.commit(messages=[first, second])
        store.outbox.postpone(first, NOW + MINUTE_NS, "HTTP 500")
        assert store.outbox.next("ops", NOW) is None
        assert store.outbox.due_at("ops", NOW) == NOW + MINUTE_NS
        store.outbox.bury(first, "expired")
        assert store.outbox.due_at("ops", NOW) == NOW
        waiting = store.outbox.next("ops", NOW)
        assert waiting is not None
        assert waiting.message == second


def test_a_digest_waits_for_what_it_lists_and_is_waited_for(tmp_path: Path) -> None:
    messages = [
        make_message("opened", make_incident(route="/a")),
        make_message("digest", digest_of("/a", "/b")),
        make_message("closed", make_incident(happening=Happening.CLOSED, route="/b")),
        make_message("other", make_incident(route="/c")),
    ]
    with closing(Store.open(tmp_path)) as store:
        store.commit(messages=messages)
        store.outbox.postpone(messages[0], NOW + MINUTE_NS, "HTTP 500")
        waiting = store.outbox.next("ops", NOW)
        assert waiting is not None
        assert waiting.message.id == "other"


def test_a_request_is_not_told_as_running_after_it_has_ended(tmp_path: Path) -> None:
    running, ended, other = (
        make_message("running", make_breach(state=State.RUNNING)),
        make_message("ended", make_breach(told_running=True)),
        make_message("other", make_breach(pid=1)),
    )
    with closing(Store.open(tmp_path)) as store:
        store.commit(messages=[running, ended, other])
        store.outbox.postpone(running, NOW + MINUTE_NS, "HTTP 500")
        waiting = store.outbox.next("ops", NOW)
        assert waiting is not None
        assert waiting.message.id == "other"


def test_what_has_to_wait_for_what_may_have_arrived_is_in_no_digest(tmp_path: Path) -> None:
    messages = [
        *lives(),
        make_message("digest", digest_of("/cart", "/wishes")),
        make_message("wishes", make_incident(route="/wishes")),
    ]
    with closing(Store.open(tmp_path)) as store:
        store.commit(messages=messages)
        store.outbox.postpone(messages[0], NOW, "no answer", uncertain=True)
        assert [message.id for message in store.outbox.mergeable("ops")] == ["b-opened"]


@pytest.mark.parametrize("refused", [False, True], ids=["arrives", "refused"])
def test_what_waited_for_what_may_have_arrived_is_a_digest_afterwards(tmp_path: Path, refused: bool) -> None:  # noqa: FBT001
    other, *same = (
        make_message(f"{name}-{number}", make_incident(name * 32, route=f"/{name}"))
        for name, count in (("b", 1), ("a", 9))
        for number in range(count)
    )
    ops = FakeDestination()
    ops.always = fail(only="a-0", permanent=True) if refused else None
    with closing(Store.open(tmp_path)) as store:
        store.commit(messages=[other, *same])
        # What the process did that was killed.
        store.outbox.postpone(other, 1, "HTTP 500")
        store.outbox.begin(same[0])
        courier = Courier(ops, store, backoff=BACKOFF, poll_s=0.005, outage_ns=0)
        wait_until(lambda: not store.outbox.backlog("ops"), timeout=30.0, what="delivery")
        courier.close()
    assert [tried for _, tried in ops.attempts[:2]] == ["b-0", "a-0"]
    assert len(ops.attempts) == 3


def test_a_slow_destination_has_its_digest_as_soon_as_the_outage_is_over(tmp_path: Path) -> None:
    ops = FakeDestination(min_interval=60.0)
    messages = [make_message(f"a-{number}", make_incident("a" * 32, route="/a")) for number in range(9)]
    with closing(Store.open(tmp_path)) as store:
        store.commit(messages=messages)
        store.outbox.postpone(messages[0], 1, "HTTP 500")
        courier = Courier(ops, store, backoff=BACKOFF, poll_s=0.005, outage_ns=0)
        wait_until(lambda: store.outbox.backlog("ops") == 1, timeout=30.0, what="a digest")
        courier.close()
    assert ops.ids == ["a-0"]


def test_a_file_of_the_first_format_is_brought_up_to_date(tmp_path: Path) -> None:
    path = _first_format(tmp_path, lives())
    with closing(Store.open(tmp_path)) as store:
        store.commit(messages=[make_message("new")])
        assert [message.id for message in store.outbox.mergeable("ops")] == [
            *(message.id for message in lives()),
            "new",
        ]
    with closing(sqlite3.connect(path)) as connection:
        assert schema.version(connection) == schema.VERSION


def test_what_a_damaged_file_of_the_first_format_holds_is_carried_over(tmp_path: Path) -> None:
    path = _first_format(tmp_path, lives())
    # The table of incidents, which is empty.
    with path.open("r+b") as file:
        file.seek(2 * 4096)
        file.write(b"\xff" * 4096)
    with closing(Store.open(tmp_path)) as store:
        assert [message.id for message in store.outbox.mergeable("ops")] == [
            message.id for message in lives()
        ]


def _first_format(directory: Path, messages: Sequence[Message]) -> Path:
    """Return a database as the first format had it, closed, with messages."""
    with closing(Store.open(directory)) as store:
        store.commit(messages=messages)
    path = directory / "compassd.db"
    with closing(sqlite3.connect(path)) as connection:
        connection.executescript("""
            DROP INDEX waiting;
            ALTER TABLE message DROP COLUMN topics;
            CREATE INDEX waiting ON message (destination, number, not_before, in_flight, size)
                WHERE dead IS NULL;
            PRAGMA user_version = 1;
        """)
    return path


_NOTICES = st.one_of(
    st.sampled_from("abc").map(lambda route: make_incident(route * 32, route=route)),
    st.lists(st.sampled_from("abc"), min_size=1, unique=True).map(lambda routes: digest_of(*routes)),
)
_STEPS = st.one_of(_NOTICES, st.sampled_from(["send", "fail", "uncertain", "bury", "wait", "merge"]))


def _merge(store: Store, number: int) -> Message | None:
    merged = catch_up(store.outbox.mergeable("ops"))
    if merged is None:
        return None
    message = make_message(f"m{number}", merged.notice)
    assert store.outbox.merge("ops", merged.ids, message)
    return message


@configure(max_examples=60)
@given(st.lists(_STEPS, max_size=40), st.randoms(use_true_random=False))
def test_of_everything_the_newest_news_is_the_last(
    steps: list[IncidentNotice | DigestNotice | str], chance: random.Random
) -> None:
    # How new the news is that each message has, of each topic.
    news: dict[str, dict[str, int]] = {}
    told: dict[str, list[int]] = defaultdict(list)
    now = NOW
    with TemporaryDirectory() as directory, closing(Store.open(Path(directory))) as store:
        for number, step in enumerate([*steps, *["wait", "send"] * len(steps)]):
            if isinstance(step, IncidentNotice | DigestNotice):
                store.commit(messages=[make_message(f"m{number}", step)])
                news[f"m{number}"] = dict.fromkeys(topics(step), number)
            elif step == "wait":
                now += MINUTE_NS
            elif step == "merge":
                parts = [news[message.id] for message in store.outbox.mergeable("ops")]
                message = _merge(store, number)
                if message is not None:
                    news[message.id] = {topic: new for part in parts for topic, new in part.items()}
            elif (waiting := store.outbox.next("ops", now)) is not None:
                message = waiting.message
                if step == "bury":
                    store.outbox.bury(message, "HTTP 400")
                elif step == "send":
                    store.outbox.delivered(message)
                    for topic, new in news[message.id].items():
                        told[topic].append(new)
                else:
                    later = now + chance.randrange(5) * MINUTE_NS
                    store.outbox.postpone(message, later, "HTTP 500", uncertain=step == "uncertain")
    assert all(times == sorted(times) for times in told.values())
