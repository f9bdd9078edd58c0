"""`compassd show` from the command line."""

from __future__ import annotations

import io
import json
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest

from compassd.__main__ import main

EXAMPLE = Path(__file__).parent / "data" / "breach.json"


@pytest.fixture(autouse=True)
def _no_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("COLUMNS", "FORCE_COLOR", "NO_COLOR"):
        monkeypatch.delenv(name, raising=False)


def _without_tree(tmp_path: Path) -> Path:
    path = tmp_path / "plain.json"
    path.write_text(json.dumps({**json.loads(EXAMPLE.read_text()), "call_tree": None, "hot_path": None}))
    return path


def test_a_breach_is_shown_without_colours_where_there_is_no_terminal(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert main(["show", str(EXAMPLE)]) == 0
    out = capsys.readouterr().out
    assert out.startswith("checkout: POST /checkout/confirm took 1.24 s, budget 800 ms")
    assert "\x1b" not in out
    assert max(map(len, out.splitlines())) <= 120


def test_columns_is_honoured(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "70")
    assert main(["show", str(EXAMPLE)]) == 0
    assert max(map(len, capsys.readouterr().out.splitlines())) <= 70


def test_standard_input_is_read(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    document = json.loads(EXAMPLE.read_text())
    lines = "".join(json.dumps({**document, "id": x, "summary": f"breach {x}"}) + "\n" for x in ("aa", "bb"))
    for arguments, first in (([], "breach bb"), (["--id", "aa"], "breach aa")):
        monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(lines.encode())))
        assert main(["show", "-", *arguments]) == 0
        assert capsys.readouterr().out.splitlines()[0] == first


def test_exports_go_to_standard_output(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["show", str(EXAMPLE), "--speedscope"]) == 0
    assert json.loads(capsys.readouterr().out)["profiles"][0]["endValue"] == 1_240_000_000
    assert main(["show", str(EXAMPLE), "--folded"]) == 0
    assert sum(int(line.rsplit(" ", 1)[1]) for line in capsys.readouterr().out.splitlines()) == 1_240_000
    assert main(["show", str(EXAMPLE), "--svg"]) == 0
    assert ET.fromstring(capsys.readouterr().out).tag.endswith("svg")  # noqa: S314 - it is what we wrote


@pytest.mark.parametrize("wanted", [[], ["--speedscope"], ["--folded"], ["--svg"]])
def test_output_names_a_file(wanted: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "out"
    assert main(["show", str(EXAMPLE), *wanted, "--output", str(path)]) == 0
    assert main(["show", str(EXAMPLE), *wanted]) == 0
    assert capsys.readouterr().out == path.read_text(encoding="utf-8")


def test_without_a_tree_there_is_nothing_to_export(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = str(_without_tree(tmp_path))
    assert main(["show", path]) == 0
    assert "There is no call tree" in capsys.readouterr().out
    assert main(["show", path, "--svg", "--output", str(tmp_path / "x.svg")]) == 1
    assert "no call tree" in capsys.readouterr().err
    assert not (tmp_path / "x.svg").exists()


@pytest.mark.parametrize("path", ["missing.json", "."])
def test_a_file_that_cannot_be_read_is_an_error(
    path: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["show", str(tmp_path / path)]) == 1
    assert str(tmp_path / path) in capsys.readouterr().err


def test_a_file_that_cannot_be_written_is_an_error(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["show", str(EXAMPLE), "--output", str(tmp_path / "no" / "x")]) == 1
    assert "no/x: No such file" in capsys.readouterr().err


def test_a_terminal_that_cannot_show_it_gets_question_marks(monkeypatch: pytest.MonkeyPatch) -> None:
    raw = io.BytesIO()
    monkeypatch.setattr("sys.stdout", io.TextIOWrapper(raw, encoding="latin-1"))
    assert main(["show", str(EXAMPLE)]) == 0
    assert b"? PDOStatement::execute" in raw.getvalue()


@pytest.mark.parametrize("arguments", [[], ["x", "--svg", "--folded"], ["x", "y"]])
def test_wrong_usage_exits_2(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as end:
        main(["show", *arguments])
    assert end.value.code == 2
    assert "usage: compassd" in capsys.readouterr().err
