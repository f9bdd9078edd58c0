"""A database that was damaged: what can be read is carried over, and nothing is deleted."""

from __future__ import annotations

import random
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from compassd.errors import StoreError
from compassd.store.database import PresentFile
from compassd.store.store import Store
from lab.breaches import make_breach
from lab.outbox import make_incident, make_message

PAGE = 4096
MESSAGES = 2_000


def _fill(directory: Path) -> Path:
    """Return a database of some MiB, closed."""
    with closing(Store.open(directory)) as store:
        # Random text, which does not compress: the rows are spread over many pages.
        source = random.Random(1)  # noqa: S311 - no secret
        store.commit(
            messages=[
                make_message(
                    f"m{number}",
                    make_breach(uri="/" + "".join(source.choices("abcdefghijklmnopqrstuvwxyz", k=1_500))),
                )
                for number in range(MESSAGES)
            ],
            incidents={"a": b"1"},
        )
        store.memory("ops").put("thread", "1.2")
    return directory / "compassd.db"


def _overwrite(path: Path, first: int, pages: int) -> None:
    with path.open("r+b") as file:
        file.seek(first * PAGE)
        file.write(random.Random(2).randbytes(pages * PAGE))  # noqa: S311


def _aside(directory: Path) -> list[str]:
    """Return the names of the files that were moved aside, without their logs."""
    return sorted(
        path.name
        for path in directory.iterdir()
        if ".corrupt-" in path.name and not path.name.endswith(("-wal", "-shm"))
    )


def _all(store: Store) -> list[str]:
    return [message.id for message in store.outbox.mergeable("ops")]


def test_garbage_in_the_middle_costs_only_what_was_there(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    path = _fill(tmp_path)
    pages = path.stat().st_size // PAGE
    _overwrite(path, pages // 2, 20)
    damaged = path.read_bytes()
    with closing(Store.open(tmp_path)) as store:
        found = _all(store)
        # 20 pages hold about 50 messages.
        assert MESSAGES - 200 < len(found) < MESSAGES
        assert (found[0], found[-1]) == ("m0", f"m{MESSAGES - 1}")
        assert store.incidents() == {"a": b"1"}
        assert store.memory("ops").get("thread") == "1.2"
        store.commit(messages=[make_message("new")])
    (aside,) = _aside(tmp_path)
    assert (tmp_path / aside).read_bytes() == damaged
    assert "is damaged" in caplog.text
    assert aside in caplog.text
    assert f"with {len(found)} messages" in caplog.text
    with closing(Store.open(tmp_path)) as store:
        assert _all(store) == [*found, "new"]
    assert len(_aside(tmp_path)) == 1


@pytest.mark.parametrize("first", range(1, 8))
def test_garbage_at_the_beginning_is_survived(tmp_path: Path, first: int) -> None:
    _overwrite(_fill(tmp_path), first, 1)
    with closing(Store.open(tmp_path)) as store:
        store.commit(messages=[make_message("new")])
        assert _all(store)[-1] == "new"
    assert len(_aside(tmp_path)) == 1


@pytest.mark.parametrize("beyond", [0, PAGE // 4, PAGE // 2])
def test_a_truncated_file_is_read_as_far_as_it_goes(tmp_path: Path, beyond: int) -> None:
    path = _fill(tmp_path)
    with path.open("r+b") as file:
        file.truncate(path.stat().st_size // PAGE * 3 // 4 * PAGE + beyond)
    with closing(Store.open(tmp_path)) as store:
        found = _all(store)
        assert MESSAGES // 4 < len(found) < MESSAGES
        store.commit(messages=[make_message("new")])
        assert _all(store) == [*found, "new"]


@pytest.mark.parametrize(
    "content",
    [b"hello", b"x" * 100_000, b"SQLite format 3\0" + b"\xff" * 10_000],
    ids=["short", "long", "magic"],
)
def test_a_file_that_is_no_database_is_moved_aside(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "compassd.db").write_bytes(content)
    with closing(Store.open(tmp_path)) as store:
        store.commit(messages=[make_message("m")])
        assert _all(store) == ["m"]
    (aside,) = _aside(tmp_path)
    assert (tmp_path / aside).read_bytes() == content


def test_the_database_of_another_program_is_moved_aside(tmp_path: Path) -> None:
    connection = sqlite3.connect(tmp_path / "compassd.db")
    connection.execute("CREATE TABLE other (a)")
    connection.close()
    with closing(Store.open(tmp_path)) as store:
        assert _all(store) == []
    assert len(_aside(tmp_path)) == 1


def test_an_empty_file_is_begun(tmp_path: Path) -> None:
    (tmp_path / "compassd.db").touch()
    with closing(Store.open(tmp_path)) as store:
        store.commit(messages=[make_message("m")])
    assert not _aside(tmp_path)


def test_damage_that_is_found_later_is_survived_in_place(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    path = _fill(tmp_path)
    with closing(Store.open(tmp_path)) as store:
        # The connection has read next to nothing yet; the rest it finds like this.
        _overwrite(path, path.stat().st_size // PAGE // 2, 20)
        store.commit(messages=[make_message("new")])
        found = _all(store)
        assert MESSAGES - 200 < len(found) <= MESSAGES
        assert (found[0], found[-1]) == ("m0", "new")
        store.commit(messages=[make_message("newer")])
        assert _all(store) == [*found, "newer"]
    assert len(_aside(tmp_path)) == 1
    assert "is damaged" in caplog.text
    with closing(Store.open(tmp_path)) as store:
        assert _all(store) == [*found, "newer"]


def test_what_was_only_in_the_log_beside_the_file_is_carried_over(tmp_path: Path) -> None:
    path = _fill(tmp_path)
    with closing(Store.open(tmp_path)) as store:
        store.commit(messages=[make_message("in the log")])
        wal = (tmp_path / "compassd.db-wal").read_bytes()
        content = path.read_bytes()
    # As a killed process leaves it.
    path.write_bytes(content)
    (tmp_path / "compassd.db-wal").write_bytes(wal)
    _overwrite(path, path.stat().st_size // PAGE // 2, 20)
    with closing(Store.open(tmp_path)) as store:
        assert _all(store)[-1] == "in the log"
    assert len(_aside(tmp_path)) == 1


def test_two_damages_within_a_second_are_both_kept(tmp_path: Path) -> None:
    for content in (b"first", b"second"):
        (tmp_path / "compassd.db").write_bytes(content)
        Store.open(tmp_path).close()
    assert {(tmp_path / name).read_bytes() for name in _aside(tmp_path)} == {b"first", b"second"}


def test_a_command_leaves_damage_to_the_daemon(tmp_path: Path) -> None:
    (tmp_path / "compassd.db").write_bytes(b"x" * 100_000)
    with pytest.raises(StoreError, match="not a database") as raised:
        PresentFile(tmp_path / "compassd.db")
    assert "restart compassd" in raised.value.hint
    assert not _aside(tmp_path)


def test_damaged_rows_are_dead_letters(tmp_path: Path) -> None:
    with closing(Store.open(tmp_path)) as store:
        store.commit(messages=[make_message("a", make_incident()), make_message("b")])
        path = tmp_path / "compassd.db"
        with closing(sqlite3.connect(path)) as connection, connection:
            connection.execute("UPDATE message SET body = substr(body, 1, 20) WHERE id = 'a'")
        assert _all(store) == ["b"]
