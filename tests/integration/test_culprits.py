"""Ground truth of the call tree: on real PHP-FPM a seeded culprit is found in every shape of code."""

from __future__ import annotations

import tempfile
from pathlib import Path

import pytest

from lab.build import ROOT
from lab.compassd import Compassd
from lab.php_fpm import PhpFpm
from tests.integration.hot import SHAPES, ask, check, check_line, check_time, check_waits, hot, seek
from tests.integration.seeds import SEEDS, Seed

pytestmark = pytest.mark.ebpf

EVERYWHERE = ("sleep", "burn", "collect", "lines", "flock", "http", "queries")
ELSEWHERE = [seed for seed in SEEDS.values() if seed.name not in EVERYWHERE]


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("seed", [SEEDS[name] for name in EVERYWHERE], ids=str)
def test_a_culprit_is_found_in_every_shape(
    seed: Seed, shape: str, worker: PhpFpm, daemon: Compassd, tmp_path: Path
) -> None:
    finding = seek(seed, shape, worker, daemon, tmp_path)
    assert finding.names[0] == "{main}"
    check(finding, seed)


@pytest.mark.parametrize("shape", ["method", "generator", "fiber"])
@pytest.mark.parametrize("seed", ELSEWHERE, ids=str)
def test_a_culprit_is_found(seed: Seed, shape: str, worker: PhpFpm, daemon: Compassd, tmp_path: Path) -> None:
    check(seek(seed, shape, worker, daemon, tmp_path), seed)


def test_a_file_is_written_to_the_disk_again_and_again(worker: PhpFpm, daemon: Compassd) -> None:
    # Not in /tmp, which may be memory.
    build = ROOT / "build"
    build.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory(dir=build) as directory:
        finding = ask(worker, daemon, hot("method", "fsync", 300, file=f"{directory}/orders"))
    assert finding.names[-2:] == ["Culprit::fsync", "fsync"]
    check_line(finding, "culprit: fsync")
    check_waits(finding)
    check_time(finding, is_choppy=True)
    assert finding.run["off_cpu_ns"] > 0.3 * finding.ns
