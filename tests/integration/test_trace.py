"""`compassd trace` on real PHP-FPM: complete traces, on demand, leaving nothing attached."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from lab.fastcgi import Call, drive_all
from lab.php_fpm import PhpFpm
from lab.processes import wait_until
from tests.conftest import PhpFpmFactory
from tests.integration.conftest import PAGES, tracers

pytestmark = pytest.mark.ebpf

MS = 1_000_000


def _calls(uri: str = "/trace-test") -> Call:
    return Call(script=PAGES / "calls.php", uri=uri)


@contextmanager
def _trace(root: Path, tmp_path: Path, *arguments: str) -> Iterator[subprocess.Popen[str]]:
    """Start `compassd trace` and wait until it is attached."""
    log = tmp_path / "trace.log"
    # The trace sees every PHP-FPM of the machine.
    command = [sys.executable, "-m", "compassd", "trace", "--uri", "/trace-test/**", *arguments]
    with (
        log.open("wb") as errors,
        subprocess.Popen(command, stdout=subprocess.PIPE, stderr=errors, text=True, cwd=root) as process,
    ):
        try:
            wait_until(
                lambda: "tracing:" in log.read_text() or process.poll() is not None,
                timeout=30,
                what="the trace to begin",
                detail=log.read_text,
            )
            yield process
        finally:
            process.kill()


def _ask_until(fpm: PhpFpm, process: subprocess.Popen[str], call: Call) -> None:
    """Send call again and again until the trace has ended."""

    def ask() -> None:
        while process.poll() is None:
            fpm.request(call)

    thread = threading.Thread(target=ask)
    thread.start()
    thread.join(60)
    assert not thread.is_alive()


def _traces(process: subprocess.Popen[str]) -> list[dict[str, Any]]:
    output, _ = process.communicate(timeout=30)
    return [json.loads(line) for line in output.splitlines()]


def test_a_trace_has_every_call_with_its_depth(php_fpm: PhpFpmFactory, root: Path, tmp_path: Path) -> None:
    fpm = php_fpm(workers=1, ini={"compass.function_probes": "On"})
    fpm.request(_calls())
    with _trace(root, tmp_path) as process:
        fpm.request(_calls("/trace-test?x=1"))
        (trace,) = _traces(process)
    assert process.returncode == 0
    functions = trace["functions"]
    assert trace["functions_lost"] == 0
    assert trace["attributes"]["url.path"] == "/trace-test"
    depths = {(function["name"], function["depth"]) for function in functions}
    assert ("{main}", 0) in depths
    assert ("Shop\\Cart::total", 1) in depths
    assert ("array_map", 2) in depths
    assert ("Shop\\Cart::taxed", 4) in depths
    assert ("usleep", 5) in depths
    assert sum(function["name"] == "Shop\\quick" for function in functions) == 10
    total = next(function for function in functions if function["name"] == "Shop\\Cart::total")
    assert total["elapsed_ns"] >= 6 * MS
    assert total["file"].endswith("calls.php")
    assert total["line"] == 8
    starts = [function["start_ns"] for function in functions]
    assert starts == sorted(starts)
    assert all(0 <= start <= trace["request"]["duration_ns"] for start in starts)


def test_short_functions_can_be_left_out(php_fpm: PhpFpmFactory, root: Path, tmp_path: Path) -> None:
    fpm = php_fpm(workers=1, ini={"compass.function_probes": "On"})
    with _trace(root, tmp_path, "--min-function", "1ms") as process:
        fpm.request(_calls())
        (trace,) = _traces(process)
    names = [function["name"] for function in trace["functions"]]
    assert names.count("usleep") == 3
    assert "Shop\\quick" not in names


def test_only_requests_that_match_are_shown(php_fpm: PhpFpmFactory, root: Path, tmp_path: Path) -> None:
    fpm = php_fpm(workers=1, ini={"compass.function_probes": "On"})
    with _trace(root, tmp_path, "--uri", "/trace-test/shop/**", "--count", "2") as process:
        for uri in ("/trace-test", "/trace-test/shop/one", "/", "/trace-test/shop/two/three?q"):
            fpm.request(_calls(uri))
        traces = _traces(process)
    paths = [trace["attributes"]["url.path"] for trace in traces]
    assert paths == ["/trace-test/shop/one", "/trace-test/shop/two/three"]


def test_without_function_probes_it_says_so_at_once(
    php_fpm: PhpFpmFactory, root: Path, tmp_path: Path
) -> None:
    fpm = php_fpm(workers=1)
    fpm.request(_calls())
    with _trace(root, tmp_path) as process:
        # Nobody asks for anything.
        assert process.wait(timeout=10) == 1
    assert "compass.function_probes=On" in (tmp_path / "trace.log").read_text()


def test_a_php_fpm_without_function_probes_beside_one_with_them_is_left_out(
    php_fpm: PhpFpmFactory, root: Path, tmp_path: Path
) -> None:
    without, fpm = php_fpm(workers=1), php_fpm(workers=1, ini={"compass.function_probes": "On"})
    with _trace(root, tmp_path) as process:
        without.request(_calls("/trace-test/without"))
        fpm.request(_calls("/trace-test/with"))
        (trace,) = _traces(process)
    assert trace["attributes"]["url.path"] == "/trace-test/with"
    assert "without function probes" in (tmp_path / "trace.log").read_text()


def test_a_storm_of_calls_can_be_interrupted_and_its_losses_are_told(
    php_fpm: PhpFpmFactory, root: Path, tmp_path: Path
) -> None:
    fpm = php_fpm(workers=2, ini={"compass.function_probes": "On"})
    storm = Call(script=PAGES / "storm.php", uri="/trace-test/storm?calls=3000000")
    threads = [threading.Thread(target=drive_all, args=(fpm.socket, [storm])) for _ in range(2)]
    with _trace(root, tmp_path, "--count", "100") as process:
        for thread in threads:
            thread.start()
        time.sleep(2)
        process.send_signal(signal.SIGINT)
        # The storm goes on; the trace does not wait for its end.
        assert process.wait(timeout=5) == 130
    assert "calls were lost" in (tmp_path / "trace.log").read_text()
    fpm.stop()
    for thread in threads:
        thread.join()


@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGTERM, signal.SIGKILL])
def test_it_leaves_nothing_attached(
    how: signal.Signals, php_fpm: PhpFpmFactory, root: Path, tmp_path: Path
) -> None:
    fpm = php_fpm(workers=1, ini={"compass.function_probes": "On"})
    info = Call(script=PAGES / "info.php", uri="/info")
    with _trace(root, tmp_path, "--count", "100") as process:
        assert "attached" in tracers(fpm.request(info).body.decode()).values()
        os.kill(process.pid, how)
        process.wait(timeout=20)
    attached = tracers(fpm.request(info).body.decode())
    assert len(attached) == 4
    assert set(attached.values()) == {"none"}
    if how != signal.SIGKILL:
        assert process.returncode == 130


def test_a_reader_that_has_seen_enough_ends_it(php_fpm: PhpFpmFactory, root: Path, tmp_path: Path) -> None:
    fpm = php_fpm(workers=1, ini={"compass.function_probes": "On"})
    with _trace(root, tmp_path, "--count", "1000") as process:
        assert process.stdout is not None
        process.stdout.close()
        _ask_until(fpm, process, _calls())
    assert process.returncode == 0
