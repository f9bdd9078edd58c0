"""`compassd capture` on real PHP-FPM: every request, whatever its budget."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from compassd.__main__ import main
from compassd.capture import CapturedRequest, open_capture
from compassd.rules.load import load_rules
from lab.errors import LabError
from lab.fastcgi import Call
from lab.processes import wait_until
from tests.conftest import PhpFpmFactory
from tests.integration.conftest import PAGES

pytestmark = pytest.mark.ebpf

MS = 1_000_000
# The capture sees every PHP-FPM of the machine, also that of another run of these tests.
PREFIX = f"/capture-{os.getpid()}"

PREFIX_GLOB = "/capture-[0-9]*"


def _work(name: str, query: str = "") -> Call:
    return Call(script=PAGES / "work.php", uri=f"{PREFIX}/{name}?{query}")


@contextmanager
def _capture(root: Path, tmp_path: Path, *arguments: str) -> Iterator[subprocess.Popen[bytes]]:
    """Start `compassd capture` into capture.jsonl, and wait until it is attached."""
    log = tmp_path / "capture.log"
    command = [sys.executable, "-m", "compassd", "capture", "--uri", f"{PREFIX}/**", *arguments]
    output = ["--output", str(tmp_path / "capture.jsonl")]
    with log.open("wb") as errors, subprocess.Popen([*command, *output], stderr=errors, cwd=root) as process:
        try:
            wait_until(
                lambda: "capturing:" in log.read_text() or process.poll() is not None,
                timeout=30,
                what="the capture to begin",
                detail=log.read_text,
            )
            yield process
        finally:
            process.kill()


def _captured(tmp_path: Path) -> list[CapturedRequest]:
    with open_capture(str(tmp_path / "capture.jsonl")) as requests:
        return list(requests)


def test_every_request_is_written_with_its_call_tree(
    php_fpm: PhpFpmFactory, root: Path, tmp_path: Path
) -> None:
    fpm = php_fpm(workers=1)
    with _capture(root, tmp_path, "--count", "3") as process:
        fpm.request(Call(script=PAGES / "work.php", uri="/another"))
        fpm.request(_work("quick", "secret=1"))
        fpm.request(_work("slow", "do=sleep&ms=120"))
        fpm.request(_work("quick"))
        assert process.wait(timeout=20) == 0
    quick, slow, again = _captured(tmp_path)
    assert [each.request.uri for each in (quick, slow, again)] == [
        f"{PREFIX}/{name}" for name in ("quick", "slow", "quick")
    ]
    assert slow.request.duration_ns >= 120 * MS > quick.request.duration_ns
    assert quick.request.status == 200
    assert quick.request.cpu_ns is not None
    assert slow.tree is not None
    assert slow.tree.hot_path()[-1].frame.function == "usleep"
    assert slow.tree.attributed().waits >= 1
    assert "captured 3 requests" in (tmp_path / "capture.log").read_text()
    assert (tmp_path / "capture.jsonl").stat().st_mode & 0o077 == 0


def test_a_worker_that_dies_is_written(php_fpm: PhpFpmFactory, root: Path, tmp_path: Path) -> None:
    fpm = php_fpm(workers=1)
    with _capture(root, tmp_path, "--count", "1") as process:
        with pytest.raises(LabError):
            fpm.request(Call(script=PAGES / "dies.php", uri=f"{PREFIX}/dies?by=SIGKILL"))
        assert process.wait(timeout=20) == 0
    (found,) = _captured(tmp_path)
    assert (found.state, found.signal) == ("died", signal.SIGKILL)
    assert found.request.path == f"{PREFIX}/dies"


def test_it_ends_when_its_time_is_over(php_fpm: PhpFpmFactory, root: Path, tmp_path: Path) -> None:
    fpm = php_fpm(workers=1)
    with _capture(root, tmp_path, "--for", "3s") as process:
        fpm.request(_work("quick"))
        assert process.wait(timeout=20) == 0
    assert len(_captured(tmp_path)) == 1


@pytest.mark.parametrize(("arguments", "status"), [([], 0), (["--count", "5"], 130)])
def test_an_interrupted_capture_keeps_what_it_has(
    arguments: list[str], status: int, php_fpm: PhpFpmFactory, root: Path, tmp_path: Path
) -> None:
    fpm = php_fpm(workers=1)
    with _capture(root, tmp_path, *arguments) as process:
        fpm.request(_work("quick"))
        written = tmp_path / "capture.jsonl"
        wait_until(lambda: written.stat().st_size > 0, timeout=10, what="the request to be written")
        process.send_signal(signal.SIGINT)
        assert process.wait(timeout=20) == status
    assert len(_captured(tmp_path)) == 1


def test_from_a_capture_to_rules_that_hold_for_it(
    php_fpm: PhpFpmFactory, root: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    fpm = php_fpm(workers=1)
    with _capture(root, tmp_path, "--count", "45") as process:
        for number in range(20):
            fpm.request(_work(f"orders/{number}"))
            fpm.request(_work("slow", "do=sleep&ms=60"))
        for _ in range(5):
            fpm.request(_work("rare"))
        assert process.wait(timeout=20) == 0
    capture, rules = str(tmp_path / "capture.jsonl"), tmp_path / "rules.toml"
    assert main(["suggest", capture]) == 0
    rules.write_text(capsys.readouterr().out)
    globs = {rule.match.uri: rule.budget.duration for rule in load_rules(rules).rules}
    assert globs.keys() == {(f"{PREFIX_GLOB}/orders/[0-9]*",), (f"{PREFIX_GLOB}/slow",)}
    assert (globs[(f"{PREFIX_GLOB}/slow",)] or 0) >= 90 * MS
    assert main(["replay", capture, "--rules", str(rules), "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["requests"] == 45
    assert main(["explain", capture, "--rules", str(rules)]) == 0
    assert capsys.readouterr().out.count("WITHIN: took") >= 39
