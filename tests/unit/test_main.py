"""The command line."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from compassd import __version__
from compassd.__main__ import main
from compassd.commands.run import EXIT_CONFIGURATION
from compassd.errors import CompassError

GOOD = '[[rule]]\nname = "slow"\nbudget = { duration = "1s" }\ndestinations = ["ops"]\n'


def test_version(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as end:
        main(["--version"])
    assert end.value.code == 0
    assert capsys.readouterr().out == f"compassd {__version__}\n"


@pytest.mark.parametrize(
    "arguments",
    [
        [],
        ["fly"],
        ["trace", "--count", "0"],
        ["trace", "--count", "many"],
        ["trace", "--uri", "/[a"],
        ["trace", "--min-function", "1 parsec"],
    ],
)
def test_wrong_usage_exits_2_and_says_what(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as end:
        main(arguments)
    assert end.value.code == 2
    assert "compassd" in capsys.readouterr().err


def test_check_says_ok(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    rules = tmp_path / "rules.toml"
    rules.write_text(GOOD)
    assert main(["check", "--rules", str(rules)]) == 0
    assert "1 rule" in capsys.readouterr().out


def test_check_knows_the_destinations_of_the_settings(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    rules, config = tmp_path / "rules.toml", tmp_path / "compassd.toml"
    rules.write_text(GOOD)
    config.write_text('[destinations.opps]\ntype = "stdout"\n')
    assert main(["check", "--rules", str(rules), "--config", str(config)]) == 1
    assert 'did you mean "opps"' in capsys.readouterr().err


def test_check_without_secrets_knows_destinations_by_their_names(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """As before a reload: systemd shows credentials to the main process alone, and says where they are."""
    monkeypatch.setenv("CREDENTIALS_DIRECTORY", str(tmp_path / "inaccessible"))
    rules, config = tmp_path / "rules.toml", tmp_path / "compassd.toml"
    rules.write_text(GOOD)
    arguments = ["check", "--rules", str(rules), "--config", str(config), "--without-secrets"]
    for name, status in (("ops", 0), ("opps", 1)):
        config.write_text(f'[destinations.{name}]\ntype = "webhook"\n')
        assert main(arguments) == status
    assert 'did you mean "opps"' in capsys.readouterr().err
    assert main(arguments[:-1]) == 1
    assert "inaccessible" in capsys.readouterr().err


def test_check_without_secrets_still_checks_the_other_settings(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    rules, config = tmp_path / "rules.toml", tmp_path / "compassd.toml"
    rules.write_text(GOOD)
    config.write_text("sample_rate = 0\n[destinations.ops]\n")
    assert main(["check", "--rules", str(rules), "--config", str(config), "--without-secrets"]) == 1
    (problem,) = capsys.readouterr().err.splitlines()
    assert problem.startswith("compassd: compassd.toml: sample_rate:")


def test_check_finds_every_file_of_certificates_that_the_daemon_could_not_use(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    rules, config, empty = tmp_path / "rules.toml", tmp_path / "compassd.toml", tmp_path / "empty.pem"
    rules.write_text(GOOD)
    empty.write_text("")
    config.write_text(
        "[destinations]\n"
        'ops = { type = "webhook", url = "https://a.example", ca = "/nowhere/ca.pem" }\n'
        f'alerts = {{ type = "alertmanager", url = "https://b.example", client_certificate = "{empty}" }}\n'
    )
    arguments = ["check", "--rules", str(rules), "--config", str(config)]
    assert main(arguments) == 1
    error = capsys.readouterr().err
    assert "destination ops: ca: /nowhere/ca.pem cannot be read: No such file or directory" in error
    assert "destination alerts: client_certificate and client_key hold no certificate" in error
    # Whoever has no secrets may not read the keys, either.
    assert main([*arguments, "--without-secrets"]) == 0


def test_check_passes_a_key_that_is_there_while_the_service_runs(tmp_path: Path) -> None:
    rules, config = tmp_path / "rules.toml", tmp_path / "compassd.toml"
    rules.write_text(GOOD)
    key = "/run/credentials/compassd.service/hook.key"
    config.write_text(
        f'[destinations.ops]\ntype = "webhook"\nurl = "https://a.example"\nclient_certificate = "{key}"\n'
    )
    assert main(["check", "--rules", str(rules), "--config", str(config)]) == 0


def test_check_knows_whether_the_settings_measure_functions(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    rules, config = tmp_path / "rules.toml", tmp_path / "compassd.toml"
    rules.write_text('[[rule]]\nname = "a"\nbudget.function = { name = "PDO::*", waits = 50 }\n')
    for sampling, status in (("true", 0), ("false", 1)):
        config.write_text(f"sampling = {sampling}\n")
        assert main(["check", "--rules", str(rules), "--config", str(config)]) == status
    assert "set sampling = true and restart" in capsys.readouterr().err


def test_check_takes_warnings_for_errors_if_asked_to(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    rules, config = tmp_path / "rules.toml", tmp_path / "compassd.toml"
    rules.write_text(GOOD)
    config.write_text("[destinations]\nops.type = 'stdout'\njournal.type = 'journald'\n")
    arguments = ["check", "--rules", str(rules), "--config", str(config)]
    assert main(arguments) == 0
    assert 'a destination "journal", and no rule tells it' in capsys.readouterr().err
    assert main([*arguments, "--strict"]) == 1


def test_a_schema_is_printed(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["schema", "rules"]) == 0
    assert json.loads(capsys.readouterr().out)["title"] == "Compass rules"
    assert main(["schema", "rule"]) == 1
    assert 'did you mean "rules"?' in capsys.readouterr().err


def test_check_writes_json_whatever_is_wrong(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    rules, config = tmp_path / "rules.toml", tmp_path / "compassd.toml"
    rules.write_text(GOOD)
    arguments = ["check", "--json", "--rules", str(rules), "--config", str(config)]
    for settings, status, codes in (
        ("[destinations.ops]\ntype = 'stdout'\n", 0, []),
        ("[destinations.opps]\ntype = 'stdout'\n", 1, ["R303"]),
        ("sampling = 3\ncolour = 1\n", 1, ["R006", "R006"]),
    ):
        config.write_text(settings)
        assert main(arguments) == status
        printed = capsys.readouterr()
        assert printed.err == ""
        report = json.loads(printed.out)
        assert report["ok"] is (status == 0)
        assert [problem["code"] for problem in report["problems"]] == codes


def test_an_error_is_printed_with_its_hint(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object) -> int:
        raise CompassError("it is broken", hint="mend it")

    monkeypatch.setattr("compassd.commands.check.check", fail)
    assert main(["check", "--rules", str(tmp_path)]) == 1
    assert capsys.readouterr().err == "compassd: it is broken\n  mend it\n"


def test_settings_that_do_not_exist_are_an_error(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    missing = tmp_path / "missing.toml"
    assert main(["check", "--config", str(missing)]) == 1
    assert str(missing) in capsys.readouterr().err


def test_a_daemon_that_cannot_start_as_configured_says_that_trying_again_is_pointless(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    missing = tmp_path / "missing.toml"
    assert main(["run", "--config", str(missing)]) == EXIT_CONFIGURATION == 78
    assert str(missing) in capsys.readouterr().err


@pytest.mark.parametrize("broken", ["stdout", "stderr"])
def test_a_reader_that_has_seen_enough_is_no_error(broken: str, tmp_path: Path) -> None:
    rules = tmp_path / "rules.toml"
    rules.write_text(GOOD if broken == "stdout" else "[[rule")
    reader, writer = os.pipe()
    os.close(reader)
    ended = subprocess.run(
        [sys.executable, "-m", "compassd", "check", "--rules", str(rules)],
        stdout=writer if broken == "stdout" else subprocess.PIPE,
        stderr=writer if broken == "stderr" else subprocess.PIPE,
        check=False,
        timeout=30,
    )
    os.close(writer)
    assert (ended.returncode, ended.stdout or b"", ended.stderr or b"") == (141, b"", b"")
