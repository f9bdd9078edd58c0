"""The outbox: messages in order until they are delivered, within bounds."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

import pytest

from compassd.breach import Severity
from compassd.destinations.http import MAX_RETRY_AFTER_S
from compassd.notice import DigestNotice, Message
from compassd.notice_facts import told_breaches
from compassd.store.admin import Entry, OutboxAdmin
from compassd.store.database import PresentFile
from compassd.store.rows import Limits
from compassd.store.store import Store
from lab.breaches import make_breach
from lab.outbox import make_incident, make_message

HOUR_NS = 3_600 * 10**9
NOW = 1_790_000_000_000_000_000


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    store = Store.open(tmp_path)
    yield store
    store.close()


def _waiting(store: Store, now: int = NOW) -> list[str]:
    """Return the ids of what waits, in the order of delivery."""
    found = []
    while (waiting := store.outbox.next("ops", now)) is not None:
        found.append(waiting.message.id)
        store.outbox.delivered(waiting.message)
    return found


def _entries(directory: Path, *, dead: bool) -> list[Entry]:
    database = PresentFile(directory / "compassd.db")
    try:
        return OutboxAdmin(database).entries(dead=dead)
    finally:
        database.close()


def _corrupt_bodies(directory: Path, where: str) -> None:
    connection = sqlite3.connect(directory / "compassd.db")
    with connection:
        connection.execute(f"UPDATE message SET body = x'00' WHERE {where}")  # noqa: S608
    connection.close()


def test_messages_come_out_in_their_order_and_as_they_were(store: Store) -> None:
    messages = [make_message(f"m{number}") for number in range(5)]
    store.commit(messages=messages[:3])
    store.commit(messages=messages[3:])
    waiting = store.outbox.next("ops", NOW)
    assert waiting is not None
    assert (waiting.message, waiting.attempts) == (messages[0], 0)
    assert store.outbox.backlog("ops") == 5
    assert _waiting(store) == ["m0", "m1", "m2", "m3", "m4"]
    assert store.outbox.backlog("ops") == 0


def test_a_message_is_of_its_destination_and_id(store: Store) -> None:
    store.commit(messages=[make_message("m"), make_message("m", destination="hook")])
    store.commit(messages=[make_message("m", make_incident())])
    assert (store.outbox.backlog("ops"), store.outbox.backlog("hook")) == (1, 1)
    assert _waiting(store) == ["m"]
    assert store.outbox.backlog("hook") == 1


def test_a_postponed_message_lets_others_go_first(store: Store) -> None:
    first, second = make_message("first"), make_message("second")
    store.commit(messages=[first, second])
    store.outbox.postpone(first, NOW + 5, "HTTP 500")
    waiting = store.outbox.next("ops", NOW)
    assert waiting is not None
    assert waiting.message.id == "second"
    store.outbox.postpone(second, NOW + 3, "HTTP 500")
    assert store.outbox.next("ops", NOW) is None
    assert store.outbox.due_at("ops", NOW) == NOW + 3
    assert store.outbox.due_at("ops", NOW + 4) == NOW + 4
    again = store.outbox.next("ops", NOW + 5)
    assert again is not None
    assert (again.message.id, again.attempts) == ("first", 1)


def test_nothing_is_due_where_nothing_waits(store: Store) -> None:
    assert store.outbox.due_at("ops", NOW) is None


@pytest.mark.parametrize("hours", [3, 365 * 24])
def test_a_clock_put_back_holds_up_nothing(store: Store, hours: int) -> None:
    message = make_message("m")
    store.commit(messages=[message])
    store.outbox.postpone(message, NOW, "HTTP 500")
    now = NOW - hours * HOUR_NS
    assert store.outbox.due_at("ops", now) == now
    assert store.outbox.next("ops", now) is not None


def test_a_server_may_silence_us_for_an_hour(store: Store) -> None:
    message = make_message("m")
    store.commit(messages=[message])
    longest = NOW + round(MAX_RETRY_AFTER_S) * 10**9 + HOUR_NS // 10
    store.outbox.postpone(message, longest, "HTTP 429")
    assert store.outbox.next("ops", NOW) is None
    assert store.outbox.due_at("ops", NOW) == longest


def test_dead_letters_are_kept_with_their_reason(store: Store, tmp_path: Path) -> None:
    messages = [make_message(name) for name in ("a", "b", "c")]
    store.commit(messages=messages)
    store.outbox.bury(messages[1], "HTTP 400")
    assert _waiting(store) == ["a", "c"]
    assert [(entry.id, entry.dead) for entry in _entries(tmp_path, dead=True)] == [("b", "HTTP 400")]
    assert not store.outbox.begin(messages[1])


def test_all_can_be_buried_at_once(store: Store, tmp_path: Path) -> None:
    store.commit(messages=[make_message("a"), make_message("b"), make_message("c", destination="hook")])
    assert store.outbox.bury_all("ops", "gone", 0) == 2
    assert [entry.dead for entry in _entries(tmp_path, dead=True)] == ["gone", "gone"]
    assert store.outbox.backlog("hook") == 1


def test_what_somebody_wants_sent_is_not_buried_by_who_has_not_seen_that(
    store: Store, tmp_path: Path
) -> None:
    store.commit(messages=[make_message("a"), make_message("b", destination="hook")])
    seen = store.outbox.retries("ops")
    with closing(PresentFile(tmp_path / "compassd.db")) as database:
        OutboxAdmin(database).retry(["ops"], NOW)
    assert store.outbox.bury_all("ops", "gone", seen) == 0
    assert store.outbox.bury_all("hook", "gone", 0) == 1
    assert store.outbox.bury_all("ops", "gone", store.outbox.retries("ops")) == 1


def test_the_unreadable_becomes_a_dead_letter(store: Store, tmp_path: Path) -> None:
    store.commit(messages=[make_message(name) for name in ("a", "b", "c", "d")])
    _corrupt_bodies(tmp_path, "id IN ('a', 'c')")
    assert [message.id for message in store.outbox.mergeable("ops")] == ["b", "d"]
    assert _waiting(store) == ["b", "d"]
    dead = _entries(tmp_path, dead=True)
    assert [(entry.id, entry.dead) for entry in dead] == [
        ("a", "unreadable: damaged: it is no notice"),
        ("c", "unreadable: damaged: it is no notice"),
    ]


def test_a_merge_takes_the_place_of_the_oldest(store: Store) -> None:
    messages = [make_message(f"m{number}") for number in range(5)]
    store.commit(messages=messages)
    assert store.outbox.merge("ops", ["m1", "m3"], make_message("digest"))
    assert _waiting(store) == ["m0", "digest", "m2", "m4"]


@pytest.mark.parametrize("change", ["delivered", "begin", "bury"])
def test_a_merge_of_what_has_changed_does_nothing(store: Store, change: str) -> None:
    messages = [make_message(f"m{number}") for number in range(3)]
    store.commit(messages=messages)
    calls: dict[str, Callable[[], object]] = {
        "delivered": lambda: store.outbox.delivered(messages[2]),
        "begin": lambda: store.outbox.begin(messages[2]),
        "bury": lambda: store.outbox.bury(messages[2], "HTTP 400"),
    }
    calls[change]()
    before = store.outbox.backlog("ops")
    assert not store.outbox.merge("ops", ["m0", "m1", "m2"], make_message("digest"))
    assert store.outbox.backlog("ops") == before


def test_what_may_have_arrived_is_not_merged_until_its_attempt_has_failed(store: Store) -> None:
    messages = [make_message(name) for name in ("a", "b")]
    store.commit(messages=messages)
    assert store.outbox.begin(messages[0])
    assert [message.id for message in store.outbox.mergeable("ops")] == ["b"]
    store.outbox.postpone(messages[0], 0, "HTTP 500")
    assert [message.id for message in store.outbox.mergeable("ops")] == ["a", "b"]


def test_many_are_read_in_pages(store: Store) -> None:
    names = [f"m{number}" for number in range(123)]
    store.commit(messages=[make_message(name) for name in names])
    assert [message.id for message in store.outbox.mergeable("ops")] == names


def _total(store: Store) -> tuple[int, list[Message]]:
    messages = list(store.outbox.mergeable("ops"))
    return sum(told_breaches(message.notice) for message in messages), messages


@pytest.mark.parametrize(
    "limits", [Limits(messages=100), Limits(size=100 * 700)], ids=["by number", "by size"]
)
def test_beyond_the_bounds_the_oldest_are_only_counted(
    tmp_path: Path, limits: Limits, caplog: pytest.LogCaptureFixture
) -> None:
    store = Store.open(tmp_path, limits=limits)
    for number in range(250):
        severity = Severity.CRITICAL if number == 3 else Severity.INFO
        store.commit(
            messages=[make_message(f"m{number}", make_breach(severity=severity), created_at=number + 1)]
        )
        assert store.outbox.backlog("ops") <= 101
    total, messages = _total(store)
    assert total == 250
    digest = messages[0].notice
    assert isinstance(digest, DigestNotice)
    assert (digest.dropped, digest.severity, digest.since) == (250 - len(messages) + 1, Severity.CRITICAL, 1)
    assert messages[-1].id == "m249"
    assert "the oldest" in caplog.text
    store.close()


def test_a_flood_in_one_commit_is_bounded(tmp_path: Path) -> None:
    store = Store.open(tmp_path, limits=Limits(messages=10))
    in_flight = make_message("in-flight")
    store.commit(messages=[in_flight])
    store.outbox.begin(in_flight)
    store.commit(messages=[make_message(f"m{number}") for number in range(1_000)])
    assert store.outbox.backlog("ops") <= 11
    assert _total(store)[0] == 1_000
    assert _waiting(store)[0] == "in-flight"
    store.close()


def test_dead_letters_are_bounded_and_what_goes_is_counted(tmp_path: Path) -> None:
    store = Store.open(tmp_path, limits=Limits(dead_messages=10))
    store.commit(messages=[make_message(f"m{number}") for number in range(15)])
    store.outbox.bury_all("ops", "gone", 0)
    last = make_message("last")
    store.commit(messages=[last])
    store.outbox.bury(last, "gone")
    assert [entry.id for entry in _entries(tmp_path, dead=True)] == [*(f"m{n}" for n in range(6, 15)), "last"]
    database = PresentFile(tmp_path / "compassd.db")
    assert OutboxAdmin(database).discarded() == {"ops": 6}
    database.close()
    store.close()


def test_the_file_gives_room_back(store: Store, tmp_path: Path) -> None:
    store.commit(messages=[make_message(f"m{number}") for number in range(2_000)])
    store.outbox.bury_all("ops", "gone", 0)
    store.commit(messages=[make_message(f"n{number}") for number in range(10)])
    store.close()
    full = (tmp_path / "compassd.db").stat().st_size
    reopened = Store.open(tmp_path)
    database = PresentFile(tmp_path / "compassd.db")
    OutboxAdmin(database).purge(None, waiting=False)
    database.close()
    reopened.close()
    assert (tmp_path / "compassd.db").stat().st_size < full / 2
