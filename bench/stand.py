"""What measurements stand on: the extension, the wiki, a processor of its own, how much to measure."""

from __future__ import annotations

import os
import random
import shutil
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, fields
from pathlib import Path

from bench.application import MODULES, PHP_INI, Wiki, installed_wiki
from bench.worker import Worker
from lab.build import ROOT, build_extension
from lab.php_fpm import PhpFpm, default_version


@dataclass(frozen=True, slots=True, kw_only=True)
class Effort:
    """How much to measure.

    Attributes:
        rounds: How often to start both servers anew, for a ratio that shall be exact.
        few_rounds: Likewise, where the ratio is far from 1.
        pairs: Pairs of each page in a round.
        few_pairs: Likewise, where the ratio is far from 1.
        warm_up: Requests of each page before the first pair.
        bpf_requests: Requests of each page while the kernel counts what the eBPF programs take.
        ping_pong_rounds: How often to start the daemon for the cost of a context switch.
        workers: How many workers are many.
        rule_rounds: How often to judge the same requests by each number of rules.
        deliveries: Requests whose way to the webhook and the journal is timed.
        flood_s: How long to flood the daemon, s.
        starts: How often to start the daemon to see when it is ready.
        idle_s: For how long to watch it idle, s.
    """

    rounds: int = 16
    few_rounds: int = 4
    pairs: int = 20
    few_pairs: int = 8
    warm_up: int = 5
    bpf_requests: int = 60
    ping_pong_rounds: int = 8
    workers: int = 500
    rule_rounds: int = 40
    deliveries: int = 2_000
    flood_s: int = 60
    starts: int = 10
    idle_s: int = 20


QUICK = Effort(
    rounds=2,
    few_rounds=1,
    pairs=3,
    few_pairs=3,
    warm_up=2,
    bpf_requests=5,
    ping_pong_rounds=2,
    workers=100,
    rule_rounds=2,
    deliveries=100,
    flood_s=5,
    starts=2,
    idle_s=2,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Ground:
    """What every measurement with PHP stands on.

    Attributes:
        directory: For files of the measurements.
        extension: The extension. Its name is not compass.so, so that no other compassd finds it.
        effort: How much to measure.
    """

    directory: Path
    extension: Path
    effort: Effort
    _started: float = field(default_factory=time.monotonic)

    def say(self, text: str) -> None:
        """Tell whoever waits for the result."""
        print(f"[{time.monotonic() - self._started:6.1f} s] {text}", flush=True)


@dataclass(frozen=True, slots=True, kw_only=True)
class Stand(Ground):
    """The test stand of what takes the application.

    Attributes:
        wiki: The application.
        processor: Where workers run, and nothing else of the benchmark if there are two.
    """

    wiki: Wiki
    processor: int

    def server(self, *, extension: Path | None, ini: Mapping[str, str | int] | None = None) -> PhpFpm:
        """Return a PHP-FPM with one worker that serves the wiki; it is not started yet."""
        return PhpFpm(
            workers=1,
            modules=MODULES,
            ini={**PHP_INI, **(ini or {})},
            extension=extension,
            env=self.wiki.environment,
        )

    def warm_up(self, *workers: Worker) -> None:
        """Let the workers serve every page some times, so that every cache is filled."""
        for _ in range(self.effort.warm_up):
            for call in self.wiki.pages.values():
                for worker in random.sample(workers, len(workers)):
                    worker.request(call)


@contextmanager
def built_ground(effort: Effort) -> Iterator[Ground]:
    """Build the extension."""
    version = default_version()
    built = build_extension(ROOT / "build" / f"php-{version}", version=version)
    with tempfile.TemporaryDirectory(prefix="compass-bench-") as temporary:
        directory = Path(temporary)
        extension = directory / "compass-bench.so"
        shutil.copy(built, extension)
        yield Ground(directory=directory, extension=extension, effort=effort)


@contextmanager
def built_stand(ground: Ground) -> Iterator[Stand]:
    """Install the wiki, and keep its database and a processor for the workers meanwhile."""
    processors = os.sched_getaffinity(0)
    *others, last = sorted(processors)
    # Inherited by everything that is started from here on; workers are moved.
    os.sched_setaffinity(0, others or processors)
    wiki_directory = ground.directory / "wiki"
    wiki_directory.mkdir()
    try:
        with installed_wiki(wiki_directory) as wiki:
            ground.say(f"MediaWiki {wiki.version} is installed")
            common = {each.name: getattr(ground, each.name) for each in fields(ground)}
            yield Stand(**common, wiki=wiki, processor=last)
    finally:
        os.sched_setaffinity(0, processors)
