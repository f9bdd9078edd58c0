"""What is compared with plain PHP."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from bench.application import UNPACKED
from bench.errors import BenchError
from bench.watch import EVERY_REQUEST_OVER, QUIET, WITHOUT_SAMPLING, Watch
from lab.php_fpm import default_version, extension_directory

_PREPENDED = Path(__file__).resolve().parent / "php" / "excimer.php"

OUTPUT = "{output}"
"""In a value of php.ini: a directory that is emptied after each round."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Configuration:
    """One way to watch PHP.

    Attributes:
        name: As the report shows it.
        loaded: Whether compass.so is loaded.
        watch: How compassd watches, None if none runs.
        ini: More php.ini settings.
        is_near_one: Whether its ratio has to be measured exactly.
        goal: What the ratio must not exceed, None if it is there for comparison.
    """

    name: str
    loaded: bool = False
    watch: Watch | None = None
    ini: Mapping[str, str | int] = field(default_factory=dict)
    is_near_one: bool = True
    goal: float | None = None


PLAIN = Configuration(name="plain PHP, the control against itself")


def configurations() -> list[Configuration]:
    """Return what to measure, the noise floor first.

    Raises:
        BenchError: A profiler is not unpacked.
    """
    return [
        PLAIN,
        Configuration(name="compass.so loaded, nobody attached", loaded=True, goal=1.005),
        Configuration(name="attached, sampling off", loaded=True, watch=WITHOUT_SAMPLING),
        Configuration(name="attached, with call trees", loaded=True, watch=QUIET, goal=1.005),
        Configuration(
            name="attached, with call trees, every request over budget", loaded=True, watch=EVERY_REQUEST_OVER
        ),
        Configuration(
            name="excimer, a sample every 10 ms",
            ini={"extension": str(_module("excimer")), "auto_prepend_file": str(_PREPENDED)},
            is_near_one=False,
        ),
        Configuration(
            name="xdebug, profiling",
            ini={
                "zend_extension": str(_module("xdebug")),
                "xdebug.mode": "profile",
                "xdebug.start_with_request": "yes",
                "xdebug.output_dir": OUTPUT,
            },
            is_near_one=False,
        ),
    ]


def _module(name: str) -> Path:
    directory = extension_directory(default_version())
    module = UNPACKED / directory.relative_to("/") / f"{name}.so"
    if not module.exists():
        raise BenchError(f"{name} is not unpacked: run it as `make bench`")
    return module
