from __future__ import annotations

import os
from pathlib import Path

import pytest

from bench.errors import BenchError
from bench.worker import Worker
from lab.fastcgi import Call
from lab.php_fpm import PhpFpm

# After its answer: computes for so many ms, waits so that it may be taken for idle, and computes again.
_DEFERRED = """<?php
function compute(int $ms): void {
    $end = cpu() + $ms / 1000;
    while (cpu() < $end);
}
function cpu(): float {
    $usage = getrusage();
    return $usage['ru_utime.tv_sec'] + $usage['ru_stime.tv_sec']
        + ($usage['ru_utime.tv_usec'] + $usage['ru_stime.tv_usec']) / 1e6;
}
echo 'answered';
fastcgi_finish_request();
$ms = (int) $_GET['ms'];
compute($ms);
usleep(30000);
compute($ms);
"""


@pytest.fixture
def page(tmp_path: Path) -> Path:
    path = tmp_path / "page.php"
    path.write_text(_DEFERRED)
    return path


def test_what_a_page_does_after_its_answer_counts(page: Path) -> None:
    processor = max(os.sched_getaffinity(0))
    with PhpFpm(workers=1) as fpm:
        worker = Worker(fpm, processor)
        idle, busy = (worker.request(Call(script=page, uri=f"/?ms={ms}")) for ms in (0, 40))
        waits = worker.waits()
    assert busy - idle > 75_000_000
    assert waits >= 2


def test_a_page_that_fails_is_not_measured(tmp_path: Path) -> None:
    with PhpFpm(workers=1) as fpm:
        worker = Worker(fpm, max(os.sched_getaffinity(0)))
        with pytest.raises(BenchError, match="404"):
            worker.request(Call(script=tmp_path / "missing.php"))
