"""The store: what outlives the process."""

from __future__ import annotations

import os
import sqlite3
import threading
from pathlib import Path

import pytest

from compassd.errors import StoreError
from compassd.store.database import PresentFile
from compassd.store.store import Store
from lab.outbox import make_message


def test_everything_is_there_after_a_restart(tmp_path: Path) -> None:
    store = Store.open(tmp_path)
    store.commit(
        messages=[make_message("m1")],
        incidents={"a": b"1", "b": b"2"},
        exemplars={"a": b"tree", "b": b"tree"},
        meta={"clock": b"5"},
    )
    store.commit(incidents={"a": b"3"}, removed=["b", "unknown"])
    store.memory("ops").put("thread", "1.2")
    store.memory("hook").put("thread", "3.4")
    store.close()
    store = Store.open(tmp_path)
    assert store.incidents() == {"a": b"3"}
    assert store.exemplars() == {"a": b"tree"}
    assert store.meta() == {"clock": b"5"}
    assert store.outbox.backlog("ops") == 1
    assert (store.memory("ops").get("thread"), store.memory("hook").get("thread")) == ("1.2", "3.4")
    store.close()


def test_memory_is_replaced_and_forgotten(tmp_path: Path) -> None:
    store = Store.open(tmp_path)
    memory = store.memory("ops")
    assert memory.get("x") is None
    memory.put("x", "1")
    memory.put("x", "2")
    assert memory.get("x") == "2"
    memory.put("x", None)
    assert memory.get("x") is None
    store.close()


def test_a_commit_is_all_or_nothing(tmp_path: Path) -> None:
    store = Store.open(tmp_path)
    with pytest.raises(StoreError, match="cannot store TEXT"):
        store.commit(messages=[make_message("m")], incidents={"a": "text, which the table refuses"})  # type: ignore[dict-item]
    assert store.outbox.backlog("ops") == 0
    store.commit(messages=[make_message("m")])
    assert store.outbox.backlog("ops") == 1
    store.close()


def test_nobody_else_can_read_it(tmp_path: Path) -> None:
    previous = os.umask(0)
    try:
        store = Store.open(tmp_path / "new" / "state")
        store.commit(messages=[make_message("m")])
        modes = {path.name: path.stat().st_mode & 0o777 for path in (tmp_path / "new" / "state").iterdir()}
    finally:
        os.umask(previous)
    assert modes == {"compassd.db": 0o600, "compassd.db-wal": 0o600, "compassd.db-shm": 0o600}
    assert (tmp_path / "new" / "state").stat().st_mode & 0o777 == 0o700
    store.close()


def test_a_directory_that_is_none_is_said_with_what_to_do(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(StoreError, match="cannot be used") as raised:
        Store.open(tmp_path / "file")
    assert "state_directory" in raised.value.hint


def test_a_directory_has_one_daemon(tmp_path: Path) -> None:
    store = Store.open(tmp_path)
    with pytest.raises(StoreError, match="another compassd uses"):
        Store.open(tmp_path)
    store.close()
    Store.open(tmp_path).close()


def test_a_newer_file_is_left_alone(tmp_path: Path) -> None:
    Store.open(tmp_path).close()
    connection = sqlite3.connect(tmp_path / "compassd.db")
    connection.execute("PRAGMA user_version = 7")
    connection.close()
    before = (tmp_path / "compassd.db").read_bytes()
    for opened in (lambda: Store.open(tmp_path), lambda: PresentFile(tmp_path / "compassd.db")):
        with pytest.raises(StoreError, match="newer compassd: its format is 7, this one knows 2") as raised:
            opened()
        assert "install that release again" in raised.value.hint
    assert (tmp_path / "compassd.db").read_bytes() == before
    # The refusal has let the directory go.
    (tmp_path / "compassd.db").unlink()
    Store.open(tmp_path).close()


def test_after_closing_it_says_so(tmp_path: Path) -> None:
    store = Store.open(tmp_path)
    store.close()
    store.close()
    with pytest.raises(StoreError, match="closed"):
        store.outbox.backlog("ops")


def test_threads_share_it(tmp_path: Path) -> None:
    store = Store.open(tmp_path)

    def work(name: str) -> None:
        for number in range(100):
            store.commit(messages=[make_message(f"{name}-{number}")], incidents={name: str(number).encode()})
            store.memory(name).put("last", str(number))

    threads = [threading.Thread(target=work, args=(name,)) for name in "abcd"]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert store.outbox.backlog("ops") == 400
    assert store.incidents() == dict.fromkeys("abcd", b"99")
    store.close()


def test_a_command_reads_beside_the_daemon(tmp_path: Path) -> None:
    with pytest.raises(StoreError, match=r"there is no compassd\.db"):
        PresentFile(tmp_path / "compassd.db")
    assert not list(tmp_path.iterdir())
    store = Store.open(tmp_path)
    store.commit(incidents={"a": b"1"})
    present = PresentFile(tmp_path / "compassd.db")
    query = "SELECT count(*) FROM incident"
    assert present.read(lambda connection: connection.execute(query).fetchone()) == (1,)
    present.close()
    store.close()
