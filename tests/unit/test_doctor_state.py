"""What the doctor says of the state directory, and that it changes nothing there."""

from __future__ import annotations

import shutil
import sqlite3
from collections.abc import Iterator
from pathlib import Path

import pytest
from pydantic import SecretStr

from compassd.doctor import state
from compassd.doctor.finding import Finding, Verdict
from compassd.settings import Settings
from compassd.settings_destinations import JournaldSettings, SlackSettings, StdoutSettings
from compassd.store.store import Store
from lab.outbox import make_message

HOUR = 3_600 * 1_000_000_000
NOW = 1_790_000_000_000_000_000


def check(directory: Path, *names: str) -> list[Finding]:
    slack = SlackSettings(type="slack", url=SecretStr("https://hooks.slack.example/services/x"))
    settings = Settings(state_directory=directory, destinations=dict.fromkeys(names or ("ops",), slack))
    return list(state.check_state(settings, NOW))


def problem(directory: Path) -> tuple[Verdict, str]:
    """Return the only finding that is not ok."""
    (finding,) = [finding for finding in check(directory) if finding.verdict is not Verdict.OK]
    assert finding.mend
    return finding.verdict, f"{finding.subject}: {finding.detail}"


def content(directory: Path) -> dict[str, tuple[bytes, int]]:
    return {path.name: (path.read_bytes(), path.stat().st_mtime_ns) for path in directory.iterdir()}


@pytest.fixture
def directory(tmp_path: Path) -> Path:
    return tmp_path / "state"


@pytest.fixture
def store(directory: Path) -> Iterator[Store]:
    store = Store.open(directory)
    yield store
    store.close()


def test_a_directory_that_is_missing_can_be_made(directory: Path) -> None:
    (finding,) = check(directory / "below")
    assert str(finding) == f"ok    state directory: {directory}/below is made when compassd starts"
    assert not directory.exists()


def test_an_empty_directory_stays_empty(directory: Path) -> None:
    directory.mkdir()
    (finding,) = check(directory)
    assert str(finding) == f"ok    state directory: {directory} can be written"
    assert list(directory.iterdir()) == []


def test_local_destinations_need_none() -> None:
    local = {"journal": JournaldSettings(type="journald"), "out": StdoutSettings(type="stdout")}
    settings = Settings(state_directory=Path("/dev/null"), destinations=local)
    (finding,) = state.check_state(settings, NOW)
    assert finding.verdict is Verdict.OK


def test_a_file_in_its_place(directory: Path) -> None:
    directory.write_text("")
    assert problem(directory) == (Verdict.FAIL, f"state directory: {directory} is no directory")
    assert problem(directory / "below") == (Verdict.FAIL, f"state directory: {directory} is no directory")


def test_what_waits_and_what_is_dead(store: Store, directory: Path) -> None:
    late = [make_message(f"late-{number}", created_at=NOW - HOUR - 1) for number in range(2)]
    gone = make_message("gone", destination="removed", created_at=NOW - 2 * HOUR)
    dead = make_message("dead", destination="hook", created_at=NOW)
    store.commit(messages=[*late, make_message("new", created_at=NOW - HOUR), gone, dead])
    store.outbox.bury(dead, "HTTP 400")
    assert [str(finding) for finding in check(directory, "ops", "hook")] == [
        f"ok    state directory: {directory} can be written",
        "warn  outbox of ops: 2 messages waiting for more than an hour; `compassd outbox list` says why; "
        "once that is mended they are sent within minutes",
        "warn  outbox of removed: 1 message waiting for more than an hour; there is no such destination: "
        "`compassd outbox purge --all removed` removes them",
        "warn  outbox of hook: 1 message not delivered; `compassd outbox list --dead` says why; "
        "then `compassd outbox retry hook`, or `purge hook`",
    ]


@pytest.mark.parametrize("how", ["stopped", "killed"])
def test_a_daemon_that_does_not_run_leaves_its_state_as_it_is(
    store: Store, directory: Path, tmp_path: Path, how: str
) -> None:
    store.commit(messages=[make_message("late", created_at=NOW - 2 * HOUR)])
    if how == "stopped":
        store.close()
    # What a kill leaves: the log is not in the file yet.
    left = tmp_path / "left"
    shutil.copytree(directory, left)
    assert (left / "compassd.db-wal").exists() == (how == "killed")
    before = content(left)
    assert problem(left) == (Verdict.WARN, "outbox of ops: 1 message waiting for more than an hour")
    assert content(left) == before


def test_nothing_to_say_of_an_outbox_that_is_emptied(store: Store, directory: Path) -> None:
    message = make_message("sent", created_at=NOW - 2 * HOUR)
    store.commit(messages=[message])
    store.outbox.delivered(message)
    assert [finding.verdict for finding in check(directory)] == [Verdict.OK]


def test_a_damaged_file_is_replaced_and_one_of_a_newer_release_is_not(directory: Path) -> None:
    directory.mkdir()
    path = directory / "compassd.db"
    path.write_bytes(b"no database at all" * 1_000)
    verdict, detail = problem(directory)
    assert verdict is Verdict.WARN
    assert "not a database" in detail
    path.unlink()
    Store.open(directory).close()
    with sqlite3.connect(path) as connection:
        connection.execute("PRAGMA user_version = 999")
    connection.close()
    verdict, detail = problem(directory)
    assert verdict is Verdict.FAIL
    assert "newer compassd" in detail
