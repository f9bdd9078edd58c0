"""`compassd outbox`."""

from __future__ import annotations

import io
import json
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from compassd.__main__ import main
from compassd.store.store import Store
from lab.outbox import make_incident, make_message


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    """A store that a daemon has open: two messages wait, one for each destination is dead."""
    store = Store.open(tmp_path)
    messages = [
        make_message("w1", make_incident(new_hits=12)),
        make_message("w2", created_at=2**62),
        make_message("d1"),
        make_message("d1", destination="hook"),
    ]
    store.commit(messages=messages)
    store.outbox.postpone(messages[0], 5, "HTTP 500")
    for message in messages[2:]:
        store.outbox.bury(message, "HTTP 400")
    yield store
    store.close()


@pytest.fixture
def run(store: Store, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Run:  # noqa: ARG001 - open
    return Run(tmp_path, capsys)


class Run:
    """The command on a state directory; returns status and output."""

    def __init__(self, directory: Path, capsys: pytest.CaptureFixture[str]) -> None:
        self._directory = directory
        self._capsys = capsys

    def __call__(self, *arguments: str) -> tuple[int, str, str]:
        status = main(["outbox", *arguments, "--state", str(self._directory)])
        captured = self._capsys.readouterr()
        return status, captured.out, captured.err


def test_list_shows_what_waits(run: Run) -> None:
    status, out, _ = run("list")
    head, first, second = out.splitlines()
    assert status == 0
    assert head.split() == ["DESTINATION", "ID", "AGE", "ATTEMPTS", "BREACHES", "WHAT", "FAULT"]
    assert first.split()[:2] == ["ops", "w1"]
    assert "checkout opened: shop.example/cart Cart::load" in first
    assert first.endswith("HTTP 500")
    assert second.split()[:3] == ["ops", "w2", "0"]


def test_list_shows_dead_letters(run: Run) -> None:
    _, out, _ = run("list", "--dead")
    assert [line.split()[:2] for line in out.splitlines()[1:]] == [["hook", "d1"], ["ops", "d1"]]
    assert out.count("HTTP 400") == 2


def test_list_as_json(run: Run) -> None:
    _, out, _ = run("list", "--json")
    first, second = map(json.loads, out.splitlines())
    assert (first["id"], first["kind"], first["breaches"], first["attempts"]) == ("w1", "incident", 12, 1)
    assert (first["dead"], first["fault"], first["not_before"]) == (None, "HTTP 500", 5)
    assert second["kind"] == "breach"
    _, out, _ = run("list", "--json", "--dead")
    assert {json.loads(line)["dead"] for line in out.splitlines()} == {"HTTP 400"}


def test_list_prints_what_a_terminal_cannot_show(
    store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store.commit(messages=[make_message("odd", make_incident(route="/caf\u00e9\u4e16\x1b[31m"))])
    out = io.TextIOWrapper(io.BytesIO(), encoding="latin-1")
    monkeypatch.setattr(sys, "stdout", out)
    assert main(["outbox", "list", "--state", str(tmp_path)]) == 0
    out.seek(0)
    text = out.read()
    assert "/caf\u00e9??[31m" in text
    assert "\x1b" not in text


@pytest.mark.parametrize(
    ("targets", "expected"),
    [
        ([], {"hook: 1", "ops: 1"}),
        (["hook"], {"hook: 1"}),
        (["d1"], {"hook: 1", "ops: 1"}),
        (["ops", "d1"], {"hook: 1", "ops: 1"}),
        (["w1"], {"ops: 0"}),
    ],
)
def test_retry_revives_dead_letters(run: Run, store: Store, targets: list[str], expected: set[str]) -> None:
    status, out, _ = run("retry", *targets)
    assert status == 0
    assert {line.partition(" dead")[0] for line in out.splitlines()} == expected
    revived = sum(int(line.rpartition(" ")[2]) for line in expected)
    assert store.outbox.backlog("ops") + store.outbox.backlog("hook") == 2 + revived
    assert store.outbox.retries("ops") == ("hook" not in targets)


def test_retry_of_an_unknown_target_changes_nothing(run: Run, store: Store) -> None:
    status, _, err = run("retry", "ops", "opps")
    assert status == 1
    assert "there is no message and no destination opps" in err
    assert store.outbox.retries("ops") == 0


@pytest.mark.parametrize(
    ("arguments", "expected", "left"),
    [
        ([], "hook: 1 dead letters removed\nops: 1 dead letters removed\n", 2),
        (["--dead", "ops"], "ops: 1 dead letters removed\n", 2),
        (["--all", "ops"], "ops: 1 dead letters and 2 waiting messages removed\n", 0),
        (["--all", "hook"], "hook: 1 dead letters and 0 waiting messages removed\n", 2),
    ],
)
def test_purge_removes_and_counts(
    run: Run, store: Store, arguments: list[str], expected: str, left: int
) -> None:
    assert run("purge", *arguments) == (0, expected, "")
    assert store.outbox.backlog("ops") == left


def test_purge_of_an_unknown_destination_is_an_error(run: Run) -> None:
    status, _, err = run("purge", "--all", "opps")
    assert status == 1
    assert "no destination opps" in err


def test_an_empty_outbox_is_said(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    Store.open(tmp_path).close()
    for arguments in (["list"], ["list", "--dead"], ["retry"], ["purge"]):
        assert main(["outbox", *arguments, "--state", str(tmp_path)]) == 0
    assert capsys.readouterr().out.splitlines() == [
        "nothing waits",
        "no dead letters",
        "the outbox is empty",
        "the outbox is empty",
    ]


def test_the_settings_say_where_it_is(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    Store.open(tmp_path / "state").close()
    config = tmp_path / "compassd.toml"
    config.write_text(f'state_directory = "{tmp_path / "state"}"\n')
    assert main(["outbox", "list", "--config", str(config)]) == 0
    config.write_text("fly = true\n")
    assert main(["outbox", "list", "--config", str(config)]) == 1
    captured = capsys.readouterr()
    assert captured.out == "nothing waits\n"
    assert "--state DIR says where the outbox is" in captured.err


def test_where_no_daemon_ever_ran_there_is_a_hint(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["outbox", "list", "--state", str(tmp_path)]) == 1
    assert "compassd makes it when it first runs" in capsys.readouterr().err
    assert not list(tmp_path.iterdir())
