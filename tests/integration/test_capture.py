"""`compassd capture` on real PHP-FPM: every request, whatever its budget."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from compassd.capture import CapturedRequest, open_capture
from lab.errors import LabError
from lab.fastcgi import Call
from lab.processes import wait_until
from tests.conftest import PhpFpmFactory
from tests.integration.conftest import PAGES

pytestmark = pytest.mark.ebpf

MS = 1_000_000
# The capture sees every PHP-FPM of the machine, also that of another run of these tests.
PREFIX = f"/capture-{os.getpid()}"


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
