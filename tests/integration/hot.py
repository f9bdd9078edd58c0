"""Asks hot.php for a seeded culprit, and checks that the breach which is told of it names that culprit."""

from __future__ import annotations

import itertools
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import pytest

from lab import processes
from lab.compassd import Compassd
from lab.fastcgi import Call
from lab.php_fpm import PhpFpm
from tests.integration.conftest import HOST, PAGES
from tests.integration.seeds import Seed

MS = 1_000_000
# What a tick of the sampler stands for.
_TICK_NS = 10**9 / 99
SHAPES = (
    *("method", "closure", "callback", "generator", "fiber", "recursion", "magic", "eval", "include"),
    "destructor",
)
# Since 8.4 PHP calls a few functions without a frame.
_FRAMELESS = {"preg_match"}
_FRAMELESS_SINCE = 80400
# PHP's own functions in fibers: one without a name at the bottom of each; since 8.4 another that destroys
# garbage.
_FIBERS = {"(unknown)", "gc_destructor_fiber"}

_ids = itertools.count(1)


@dataclass(frozen=True, slots=True)
class Finding:
    """What was told of a request, and what PHP itself saw of its culprit.

    Attributes:
        breach: The breach.
        ns: How long the culprit took, ns.
        waits: How often it waited: voluntary context switches.
        php: PHP_VERSION_ID.
    """

    breach: dict[str, Any]
    ns: int
    waits: int
    php: int

    @property
    def path(self) -> list[dict[str, Any]]:
        """The steps of the hot path."""
        path: list[dict[str, Any]] = self.breach["hot_path"]
        return path

    @property
    def names(self) -> list[str]:
        """The functions of the hot path."""
        return [step["function"] for step in self.path]

    @property
    def run(self) -> dict[str, Any]:
        """The step in which PHP measured."""
        (run,) = [step for step in self.path if step["function"] == "Culprit::run"]
        return run


def hot(shape: str, culprit: str, ms: int, **more: str | int) -> Call:
    """Return a call of hot.php, with a request id of its own."""
    query = urlencode({"shape": shape, "culprit": culprit, "ms": ms, **more})
    return Call(
        script=PAGES / "hot.php",
        uri=f"/{shape}/{culprit}?{query}",
        headers={"Host": HOST, "X-Request-ID": f"hot-{next(_ids)}"},
    )


def ask(fpm: PhpFpm, daemon: Compassd, call: Call) -> Finding:
    """Send the call and return what is told of it."""
    own = fpm.request(call).json()
    return Finding(_breach(daemon, call), own["ns"], own["waits"], own["php"])


def seek(
    seed: Seed, shape: str, fpm: PhpFpm, daemon: Compassd, directory: Path, **more: str | int
) -> Finding:
    """Let a culprit happen in that shape of code, and return what is told of it."""
    with seed.scene(directory) as query:
        return ask(fpm, daemon, hot(shape, seed.name, seed.ms, **query, **more))


def check(finding: Finding, seed: Seed, *, is_fresh: bool = False) -> None:
    """Check that the hot path ends at the culprit, with the time and the waits that PHP itself saw.

    Args:
        finding: What was found.
        seed: The culprit.
        is_fresh: Whether the worker may run code for the first time that another process compiled. The kernel
            cannot read memory that a process has not touched yet. An instruction that lies across two pages
            may be touched in the first of them only; its line is then missing.
    """
    check_path(finding, seed)
    mark = f"culprit: {seed.name}" if seed.mark is None else seed.mark
    if mark and not (is_fresh and _last_line(finding)[1] == 0):
        check_line(finding, mark)
    check_time(finding)
    check_waits(finding)


def check_path(finding: Finding, seed: Seed) -> None:
    """Check that the hot path ends at the culprit."""
    frameless = _FRAMELESS if finding.php >= _FRAMELESS_SINCE else set()
    wanted = [name for name in ("Culprit::run", *seed.end) if name not in frameless]
    names = [name for name in finding.names if name not in _FIBERS]
    assert names[-len(wanted) :] == wanted


def check_line(finding: Finding, mark: str) -> None:
    """Check that the last step in PHP code is at the line that is marked."""
    assert _last_line(finding) == _marked_line(mark)


def check_time(finding: Finding, *, is_choppy: bool = False) -> None:
    """Check the time of the culprit against PHP's clock, and that all time of the request is somewhere.

    Args:
        finding: What was found.
        is_choppy: Whether it waits thousands of times, with some 10 us on the processor in between. Too few
            ticks fall into those: what they cannot stand for is told as unattributed. And one that falls
            beside the culprit takes more from it than its share.
    """
    tolerance = max(0.02 * finding.ns, 10 * MS) + (_TICK_NS if is_choppy else 0)
    spent = finding.run["on_cpu_ns"] + finding.run["off_cpu_ns"]
    missing = finding.breach["call_tree"]["unattributed_ns"] if is_choppy else 0
    assert spent - tolerance <= finding.ns <= spent + missing + tolerance
    check_sums(finding.breach)


def check_waits(finding: Finding) -> None:
    """Check the waits of the culprit against the kernel's count of them."""
    assert finding.run["waits"] == pytest.approx(finding.waits, rel=0.1, abs=2)


def check_sums(breach: dict[str, Any]) -> None:
    """Check that all time of a request is somewhere in its tree."""
    tree = breach["call_tree"]
    parts = [*tree["nodes"], tree["other"]]
    accounted = sum(part["on_cpu_ns"] + part["off_cpu_ns"] for part in parts) + tree["unattributed_ns"]
    duration: int = breach["request"]["duration_ns"]
    # A worker may lose the processor once more when the duration is taken and the kernel does not know yet.
    assert 0.999 * duration <= accounted <= 1.001 * duration + 10 * MS


def _breach(daemon: Compassd, call: Call) -> dict[str, Any]:
    """Wait for what is told of that call."""
    wanted = json.dumps(call.headers["X-Request-ID"])
    found: list[dict[str, Any]] = []

    def told() -> bool:
        lines = daemon.output.read_text().splitlines(keepends=True)
        # The last one may still be being written.
        found[:] = [json.loads(line) for line in lines if wanted in line and line.endswith("\n")]
        return bool(found)

    processes.wait_until(
        told, timeout=20, what=f"the breach of {call.uri!r}", detail=lambda: processes.tail(daemon.log)
    )
    return found[0]


def _last_line(finding: Finding) -> tuple[str, int]:
    last = [step for step in finding.path if step["file"]][-1]
    return Path(last["file"]).name, last["line"]


def _marked_line(mark: str) -> tuple[str, int]:
    for file in sorted(PAGES.glob("*.php")):
        for number, line in enumerate(file.read_text().splitlines(), start=1):
            if line.endswith(f" // {mark}"):
                return file.name, number
    raise AssertionError(f"no line of {PAGES} is marked {mark!r}")
