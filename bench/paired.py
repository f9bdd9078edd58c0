"""Two PHP-FPMs side by side: the same requests to both, one after the other, and what each took."""

from __future__ import annotations

import random
import tempfile
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass

from bench.configurations import OUTPUT, Configuration
from bench.ratios import Estimate, Pair, Round, estimate_ratio, ratio
from bench.stand import Stand
from bench.watch import check_seen, watched
from bench.worker import Worker


@dataclass(frozen=True, slots=True)
class Overhead:
    """What one configuration costs.

    Attributes:
        configuration: Which.
        ratio: Its CPU time a request over that of plain PHP.
        rounds: Every pair that was measured.
    """

    configuration: Configuration
    ratio: Estimate
    rounds: Sequence[Round]


def measure_overhead(stand: Stand, configuration: Configuration) -> Overhead:
    """Measure a configuration against plain PHP."""
    effort = stand.effort
    count, pairs = effort.rounds, effort.pairs
    if not configuration.is_near_one:
        count, pairs = effort.few_rounds, effort.few_pairs
    rounds = []
    with ExitStack() as stack:
        daemon = None
        if configuration.watch:
            daemon = stack.enter_context(watched(stand, configuration.watch))
        for number in range(count):
            rounds.append(_round(stand, configuration, pairs, is_subject_first=number % 2 == 0))
            stand.say(f"{configuration.name}: {ratio(rounds[-1]):.4f}")
        if daemon and configuration.watch:
            requests = sum(map(len, rounds)) + len(rounds) * effort.warm_up * len(stand.wiki.pages)
            check_seen(daemon, configuration.watch, requests)
    return Overhead(configuration, estimate_ratio(rounds), rounds)


def _round(stand: Stand, configuration: Configuration, pairs: int, *, is_subject_first: bool) -> Round:
    """Start both servers, and drive them in turn: so many pairs of each page.

    Processes differ even if they do the same, by where their memory happens to be: hence the rounds. Which of
    the two is started first, and which is asked first, must make no difference.
    """
    with ExitStack() as stack:
        output = stack.enter_context(tempfile.TemporaryDirectory(dir=stand.directory))
        control = stand.server(extension=None)
        subject = stand.server(
            extension=stand.extension if configuration.loaded else None,
            ini={name: output if value == OUTPUT else value for name, value in configuration.ini.items()},
        )
        for server in (subject, control) if is_subject_first else (control, subject):
            stack.enter_context(server)
        workers = [Worker(server, stand.processor) for server in (control, subject)]
        stand.warm_up(*workers)
        return [_pair(stand, workers, page) for _ in range(pairs) for page in stand.wiki.pages]


def _pair(stand: Stand, workers: Sequence[Worker], page: str) -> Pair:
    taken = [0, 0]
    for side in random.sample((0, 1), k=2):
        taken[side] = workers[side].request(stand.wiki.pages[page])
    return Pair(page, control_ns=taken[0], subject_ns=taken[1])
