"""`compassd run --dry-run` on real PHP-FPM: says what would be told, and tells nobody."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from lab.processes import wait_until
from tests.conftest import PhpFpmFactory
from tests.integration.conftest import HOST, work

pytestmark = pytest.mark.ebpf

RULES = f"""
[[route]]
match = "/work"
name = "the work"
[[rule]]
name = "slow"
match = {{ host = "{HOST}" }}
budget = {{ duration = "100ms" }}
"""


@contextmanager
def _dry_run(
    root: Path, tmp_path: Path, extension: Path, *arguments: str
) -> Iterator[subprocess.Popen[bytes]]:
    """Start `compassd run --dry-run` whose only destination nobody listens at, and wait until it is ready."""
    (tmp_path / "rules.toml").write_text(RULES)
    (tmp_path / "compassd.toml").write_text(
        f'extension_paths = ["{extension}"]\nrunning = false\nstate_directory = "{tmp_path}/state"\n'
        '[destinations.hook]\ntype = "webhook"\nurl = "http://127.0.0.1:9/"\n'
    )
    log = tmp_path / "log"
    files = ["--config", str(tmp_path / "compassd.toml"), "--rules", str(tmp_path / "rules.toml")]
    command = [sys.executable, "-m", "compassd", "run", *files, "--dry-run", *arguments]
    with (
        log.open("wb") as errors,
        (tmp_path / "out").open("wb") as output,
        subprocess.Popen(command, stdout=output, stderr=errors, cwd=root) as process,
    ):
        try:
            wait_until(
                lambda: "compassd ready:" in log.read_text() or process.poll() is not None,
                timeout=30,
                what="the daemon to be ready",
                detail=log.read_text,
            )
            yield process
        finally:
            process.kill()


def test_it_prints_what_would_be_told_and_sends_nothing(
    php_fpm: PhpFpmFactory, root: Path, tmp_path: Path, extension: Path
) -> None:
    fpm = php_fpm(workers=1)
    out = tmp_path / "out"
    with _dry_run(root, tmp_path, extension) as process:
        fpm.request(work("quick"))
        fpm.request(work("slow", ms=150))
        wait_until(lambda: "breach:" in out.read_text(), timeout=10, what="the breach")
        process.send_signal(signal.SIGTERM)
        assert process.wait(timeout=20) == 0
    lines = [line.partition(" ")[2] for line in out.read_text().splitlines()]
    assert len(lines) == 2
    assert lines[0].startswith("breach: slow: GET /work took 15")
    assert lines[0].endswith("→ hook with its incident")
    assert lines[1] == f"message: opened, warning: slow {HOST} the work, 1 new breaches → hook"
    log = (tmp_path / "log").read_text()
    assert "dry run: nothing is sent" in log
    assert "refused" not in log
    assert not (tmp_path / "state").exists()


def test_it_prints_json(php_fpm: PhpFpmFactory, root: Path, tmp_path: Path, extension: Path) -> None:
    fpm = php_fpm(workers=1)
    out = tmp_path / "out"
    with _dry_run(root, tmp_path, extension, "json") as process:
        fpm.request(work("slow", ms=150))
        wait_until(lambda: out.stat().st_size > 0, timeout=10, what="the breach")
        process.send_signal(signal.SIGTERM)
        assert process.wait(timeout=20) == 0
    breach, message = map(json.loads, out.read_text().splitlines())
    assert breach["breach"]["request"]["id"] == "slow"
    assert breach["incident_destinations"] == ["hook"]
    assert (message["message"]["happening"], message["message"]["route"]) == ("opened", "the work")
