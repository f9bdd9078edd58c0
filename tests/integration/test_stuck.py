"""Files and streams that never answer: a daemon waits for none of them."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from compassd.commands.run import EXIT_CONFIGURATION
from lab.compassd import STDOUT_ONLY
from tests.conftest import PhpFpmFactory
from tests.integration.conftest import RULES, CompassdFactory, work

pytestmark = pytest.mark.ebpf


def test_rules_that_became_a_pipe_are_refused(php_fpm: PhpFpmFactory, compassd: CompassdFactory) -> None:
    daemon = compassd()
    daemon.rules.unlink()
    os.mkfifo(daemon.rules)
    daemon.reload()
    daemon.wait_for_log("old rules stay in force")
    assert "is not a regular file" in daemon.log_text()
    php_fpm().request(work("still", ms=120))
    assert [breach["rule"] for breach in daemon.wait_for_breaches(1)] == ["slow"]


def test_a_log_that_nobody_reads_stops_neither_alerts_nor_the_end(
    php_fpm: PhpFpmFactory, compassd: CompassdFactory, tmp_path: Path
) -> None:
    # Its log is a pipe, which is read until it is ready.
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    descriptor = os.open(pipe, os.O_RDWR)  # keeps the pipe open, and reads nothing
    reader = f"sed --unbuffered '/ready:/q' <{pipe} >&2 &"
    daemon = compassd(wrapper=["bash", "-c", f'{reader} exec "$@" 2>{pipe}', "bash"])
    fpm = php_fpm()
    # A line of error each; together more than a pipe holds.
    daemon.rules.write_text("".join(f"[[rule]]\nunknown_key_{n} = 1\n" for n in range(2_000)))
    daemon.reload()
    time.sleep(1.0)
    fpm.request(work("still", ms=120))
    assert [breach["request"]["id"] for breach in daemon.wait_for_breaches(1)] == ["still"]
    begun = time.monotonic()
    assert daemon.stop() == 0
    assert time.monotonic() - begun < 15
    os.set_blocking(descriptor, False)
    assert len(os.read(descriptor, 1 << 20)) > 1 << 15  # it was full indeed
    os.close(descriptor)


def test_a_closed_standard_output_is_an_error_with_a_hint(tmp_path: Path, extension: Path) -> None:
    rules, config = tmp_path / "rules.toml", tmp_path / "compassd.toml"
    rules.write_text(RULES)
    config.write_text(f'extension_paths = ["{extension}"]\n{STDOUT_ONLY}')
    command = f"exec {sys.executable} -m compassd run --config {config} --rules {rules} >&-"
    ended = subprocess.run(["sh", "-c", command], stderr=subprocess.PIPE, text=True, check=False, timeout=60)
    assert ended.returncode == EXIT_CONFIGURATION
    complaint, hint = ended.stderr.splitlines()
    assert complaint == "compassd: destination out: standard output is closed"
    assert hint.startswith("  start compassd without")
