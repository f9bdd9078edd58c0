"""The bpftrace scripts on real requests."""

from __future__ import annotations

import signal
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from lab.fastcgi import Call
from lab.processes import wait_until
from tests.conftest import PhpFpmFactory
from tests.integration.conftest import PAGES, work

pytestmark = pytest.mark.ebpf


class Script:
    """A running bpftrace script."""

    def __init__(self, process: subprocess.Popen[bytes], output: Path) -> None:
        self._process = process
        self._output = output

    def text(self) -> str:
        return self._output.read_text()

    def end(self) -> str:
        """Press Ctrl-C and return everything it printed."""
        self._process.send_signal(signal.SIGINT)
        self._process.wait(timeout=30)
        return self.text()


@contextmanager
def _script(root: Path, tmp_path: Path, *arguments: str | Path, ready: str) -> Iterator[Script]:
    name, *rest = arguments
    output = tmp_path / "bpftrace.out"
    with output.open("wb") as file:
        process = subprocess.Popen(
            ["bpftrace", "-B", "line", root / "bpf" / "bpftrace" / str(name), *rest],
            stdout=file,
            stderr=subprocess.STDOUT,
        )
    try:
        script = Script(process, output)
        wait_until(lambda: ready in script.text(), timeout=60, what=f"{name} to attach", detail=script.text)
        yield script
    finally:
        process.kill()
        process.wait()


def test_slow_requests(php_fpm: PhpFpmFactory, root: Path, extension: Path, tmp_path: Path) -> None:
    fpm = php_fpm(workers=1)
    with _script(root, tmp_path, "slow-requests.bt", extension, "100", ready="METHOD") as script:
        fpm.request(work(do="sleep", ms=1))
        fpm.request(work(do="status", status=503, ms=150))
        pid = fpm.worker_pids()[0]
        lines = script.end().splitlines()
    (row,) = [line.split() for line in lines if "/work" in line]
    assert row[0] == str(pid)
    assert 150 <= int(row[1]) < 250
    assert row[2:] == ["503", "GET", "/work?do=status&status=503&ms=150"]


def test_requests_by_uri(php_fpm: PhpFpmFactory, root: Path, extension: Path, tmp_path: Path) -> None:
    fpm = php_fpm(workers=1)
    with _script(root, tmp_path, "requests-by-uri.bt", extension, ready="Ctrl-C") as script:
        for _ in range(3):
            fpm.request(work(ms=20))
        fpm.request(Call(script=PAGES / "calls.php", uri="/calls"))
        text = script.end()
    assert "@requests[/work?ms=20]: count 3, average 2" in text
    assert "@requests[/calls]: count 1" in text
    assert "@us:" in text


def test_functions_by_time(php_fpm: PhpFpmFactory, root: Path, extension: Path, tmp_path: Path) -> None:
    fpm = php_fpm(workers=1, ini={"compass.function_probes": "On"})
    with _script(root, tmp_path, "functions-by-time.bt", extension, ready="Ctrl-C") as script:
        fpm.request(Call(script=PAGES / "calls.php", uri="/calls"))
        text = script.end()
    assert "@functions[Shop\\Cart, taxed]: count 3, average 2" in text
    assert "@functions[, Shop\\quick]: count 10" in text
    assert "@functions[, usleep]: count 3, average 2" in text
