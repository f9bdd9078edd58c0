"""A disk without room, one that is read-only, and files of somebody else: real ones."""

from __future__ import annotations

import os
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

import pytest

from compassd.courier import Courier
from compassd.errors import StoreError
from compassd.store.database import PresentFile
from compassd.store.store import Store
from lab.disk import fill, small_disk
from lab.outbox import FakeDestination, make_message
from lab.processes import wait_until

BEGUN = "cannot be written"
MENDED = "can be written again"


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Path]:
    with small_disk(tmp_path / "disk") as mounted:
        yield mounted


def _commit(store: Store, first: int, count: int) -> None:
    """Commit messages one by one."""
    for number in range(first, first + count):
        store.commit(messages=[make_message(f"m{number}")], incidents={"a": str(number).encode()})


def _waiting(store: Store) -> list[str]:
    return [message.id for message in store.outbox.mergeable("ops")]


def _names(first: int, last: int) -> list[str]:
    return [f"m{number}" for number in range(first, last)]


def _remount(disk: Path, mode: str) -> None:
    subprocess.run(["mount", "-o", f"remount,{mode}", disk], check=True)


def test_nothing_is_lost_while_the_disk_is_full(disk: Path, caplog: pytest.LogCaptureFixture) -> None:
    with closing(Store.open(disk, retry_s=0.1)) as store:
        _commit(store, 0, 50)
        filling = fill(disk)
        _commit(store, 50, 200)
        ops = FakeDestination()
        courier = Courier(ops, store)
        wait_until(lambda: len(ops.taken) == 250, timeout=20.0, what="delivery from memory")
        courier.close()
        _commit(store, 250, 50)
        assert caplog.text.count(BEGUN) == 1
        assert MENDED not in caplog.text
        assert store.incidents() == {"a": b"299"}
        filling.unlink()
        time.sleep(0.15)
        assert _waiting(store) == _names(250, 300)
        assert caplog.text.count(MENDED) == 1
        _commit(store, 300, 1)
    assert ops.ids == _names(0, 250)
    with closing(Store.open(disk)) as store:
        assert _waiting(store) == _names(250, 301)
        assert store.incidents() == {"a": b"300"}
    assert len(caplog.records) == 2


def test_a_daemon_that_ends_writes_back_what_it_can(disk: Path) -> None:
    with closing(Store.open(disk)) as store:
        _commit(store, 0, 10)
        filling = fill(disk)
        _commit(store, 10, 200)
        filling.unlink()
    with closing(Store.open(disk)) as store:
        assert _waiting(store) == _names(0, 210)


def test_what_is_lost_at_the_end_is_said(disk: Path, caplog: pytest.LogCaptureFixture) -> None:
    with closing(Store.open(disk)) as store:
        _commit(store, 0, 10)
        fill(disk)
        _commit(store, 10, 200)
    assert "still not writable, 210 messages" in caplog.text


def test_a_start_on_a_full_disk_goes_on_with_what_was_there(
    disk: Path, caplog: pytest.LogCaptureFixture
) -> None:
    with closing(Store.open(disk)) as store:
        _commit(store, 0, 20)
    filling = fill(disk)
    with closing(Store.open(disk, retry_s=0.1)) as store:
        assert BEGUN in caplog.text
        assert _waiting(store) == _names(0, 20)
        _commit(store, 20, 20)
        filling.unlink()
    with closing(Store.open(disk)) as store:
        assert _waiting(store) == _names(0, 40)


def test_a_first_start_on_a_full_disk_begins_in_memory(disk: Path) -> None:
    filling = fill(disk)
    with closing(Store.open(disk)) as store:
        _commit(store, 0, 20)
        assert _waiting(store) == _names(0, 20)
        filling.unlink()
    with closing(Store.open(disk)) as store:
        assert _waiting(store) == _names(0, 20)


def test_a_disk_that_is_read_only_is_survived(disk: Path, caplog: pytest.LogCaptureFixture) -> None:
    with closing(Store.open(disk)) as store:
        _commit(store, 0, 20)
    _remount(disk, "ro")
    with closing(Store.open(disk, retry_s=0.1)) as store:
        _commit(store, 20, 20)
        assert caplog.text.count(BEGUN) == 1
        _remount(disk, "rw")
    with closing(Store.open(disk)) as store:
        assert sorted(_waiting(store)) == sorted(_names(0, 40))


def test_a_first_start_on_a_read_only_disk_begins_in_memory(
    disk: Path, caplog: pytest.LogCaptureFixture
) -> None:
    _remount(disk, "ro")
    with closing(Store.open(disk)) as store:
        _commit(store, 0, 20)
        assert caplog.text.count(BEGUN) == 1
        _remount(disk, "rw")
    with closing(Store.open(disk)) as store:
        assert _waiting(store) == _names(0, 20)


@pytest.fixture
def nobody(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[], None]]:
    """Become a user without privileges, in a directory that others own; until the end of the test."""
    tmp_path.chmod(0o755)
    monkeypatch.chdir(tmp_path)  # as those above it are not for everybody
    yield lambda: os.seteuid(65534)
    os.seteuid(0)


def test_a_directory_of_somebody_else_is_an_error_with_what_to_do(nobody: Callable[[], None]) -> None:
    nobody()
    with pytest.raises(StoreError, match="Permission denied") as raised:
        Store.open(Path("state"))
    assert "state_directory" in raised.value.hint


def test_a_file_of_somebody_else_is_an_error_with_what_to_do(
    nobody: Callable[[], None], tmp_path: Path
) -> None:
    Store.open(tmp_path / "state").close()
    (tmp_path / "state").chmod(0o777)
    nobody()
    with pytest.raises(StoreError, match="cannot be written: Permission denied") as raised:
        Store.open(Path("state"))
    assert "state_directory" in raised.value.hint


@pytest.mark.parametrize("mode", [0o700, 0o777])
def test_a_command_of_somebody_else_is_told_who_may(
    nobody: Callable[[], None], tmp_path: Path, mode: int
) -> None:
    Store.open(tmp_path / "state").close()
    (tmp_path / "state").chmod(mode)
    nobody()
    with pytest.raises(StoreError, match=r"Permission denied|unable to open") as raised:
        PresentFile(Path("state/compassd.db"))
    assert "run it as root" in raised.value.hint
