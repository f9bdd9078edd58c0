"""The demo: a PHP shop with slow pages, watched by Compass.

Slack is told of incidents, a webhook and the journal of every breach.

Everything is private to it, on this machine only, and gone at its end. Run as root: python -m lab.demo
"""

from __future__ import annotations

import os
import signal
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from types import FrameType
from typing import Any

from compassd.destinations.journald import MESSAGE_IDS
from lab.build import ROOT, build_extension
from lab.compassd import Compassd
from lab.demo_report import HOOK, JOURNAL, SLACK, Told, compare, counted, received, show
from lab.demo_traffic import Driven, Wanted, drive_shop, expected
from lab.errors import LabError
from lab.journald import Journald
from lab.php_fpm import PhpFpm, default_version
from lab.receiver import Receiver
from lab.slow_service import SlowService

EXAMPLE = ROOT / "example"

_SHIPPING_DELAY_S = 0.3
_WORKERS = 4
_DELIVERY_S = 30.0
# Any key will do; the receiver's tests check signatures.
_HOOK_SECRET = "whsec_" + "Y29tcGFzcyBkZW1vIHNpZ25pbmcga2V5ISE="


@dataclass(frozen=True, slots=True)
class World:
    """Everything that runs during the demo."""

    fpm: PhpFpm
    receiver: Receiver
    journald: Journald | None
    compassd: Compassd


def main() -> int:
    """Run the demo and return its exit status: 0 only if all was told that should be, and nothing else."""
    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, _end)
    try:
        return _demo()
    except LabError as error:
        sys.stderr.write(f"demo failed: {error}\n")
        return 1
    except KeyboardInterrupt:
        return 128 + signal.SIGINT


def _demo() -> int:
    if os.geteuid() != 0:
        raise LabError("eBPF takes root; run it as root")
    say = _clock()
    with ExitStack() as stack:
        directory = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="compass-demo-")))
        world = _start(stack, directory, say)
        say("asking the shop for fast and slow pages")
        driven = drive_shop(world.fpm, EXAMPLE / "app" / "index.php")
        wanted = expected(driven, world.compassd.rules, SLACK)
        say(f"asked {len(driven)} times; waiting for the end of {len(wanted.incidents)} incidents")
        _await_delivery(world, wanted)
        status = world.compassd.stop()
        told = received(world.receiver, _entries(world.journald))
        log = world.compassd.log_text()
    if status != 0:
        raise LabError(f"compassd ended with status {status}:\n{log}")
    return _report(driven, wanted, told, log)


def _start(stack: ExitStack, directory: Path, say: Callable[[str], None]) -> World:
    version = default_version()
    say(f"building the extension for PHP {version}")
    extension = build_extension(ROOT / "build" / f"php-{version}", version=version)
    say("starting PHP-FPM, a receiver for Slack and the webhook, and a journal")
    shipping = stack.enter_context(SlowService(delay=_SHIPPING_DELAY_S))
    receiver = stack.enter_context(Receiver())
    journald = _journald(stack)
    shop = {"SHOP_SHIPPING_URL": shipping.url, "SHOP_DATABASE": str(directory / "shop.sqlite")}
    fpm = stack.enter_context(PhpFpm(extension=extension, workers=_WORKERS, env=shop))
    compassd = Compassd(
        directory,
        extension=[extension],
        rules=_without_journal(EXAMPLE / "rules.toml", journald),
        settings=_without_journal(EXAMPLE / "compassd.toml", journald),
        environment={
            "COMPASSD_DESTINATIONS__SLACK__URL": receiver.slack_url,
            "COMPASSD_DESTINATIONS__HOOK__URL": receiver.webhook_url,
            "COMPASSD_DESTINATIONS__HOOK__SECRET": _HOOK_SECRET,
        },
        wrapper=journald.command([]) if journald else (),
    )
    say("starting compassd")
    stack.enter_context(compassd)
    return World(fpm, receiver, journald, compassd)


def _journald(stack: ExitStack) -> Journald | None:
    """Start a journal of our own, so that the demo's alerts do not end up in the machine's."""
    try:
        return stack.enter_context(Journald())
    except LabError as error:
        if os.environ.get("COMPASS_FORBID_SKIP") == "1":
            raise
        sys.stderr.write(f"no journal in this demo: {error}\n")
        return None


def _without_journal(file: Path, journald: Journald | None) -> str:
    """Return the file's text, without the destination "journal" where there is none."""
    text = file.read_text()
    if journald:
        return text
    text = text.replace(f', "{JOURNAL}"', "")
    return text.replace(f'[destinations.{JOURNAL}]\ntype = "journald"\n', "")


def _await_delivery(world: World, wanted: Wanted) -> None:
    """Wait until the messages that are wanted arrived. What is missing then shows in the comparison."""
    awaited = Counter({each: count for each, count in wanted.each.items() if each.destination == HOOK})
    deadline = time.monotonic() + _DELIVERY_S
    while time.monotonic() < deadline:
        told = received(world.receiver, None)
        over = {each.subject for each in told.news() if each.over}
        if not awaited - told.tellings() and wanted.incidents.keys() <= over:
            return
        time.sleep(0.05)


def _entries(journald: Journald | None) -> Sequence[Mapping[str, Any]] | None:
    return (
        journald.entries(*(f"MESSAGE_ID={message_id}" for message_id in MESSAGE_IDS.values()))
        if journald
        else None
    )


def _report(driven: Sequence[Driven], wanted: Wanted, told: Told, log: str) -> int:
    _print(show(told, colour=sys.stdout.isatty()))
    verdict = compare(driven, wanted, told, log)
    over = len({telling.request_id for telling in told.tellings()})
    incidents = counted(told.news())
    counts = (
        f"{len(driven)} requests, {over} over budget, {len(told.hook)} webhooks, {len(told.slack)} Slack "
        f"messages about {len(incidents)} incidents with {incidents.total()} requests, {verdict.lost} lost"
    )
    if verdict.problems:
        _print(verdict.problems)
        _print(["compassd's log:", log.rstrip(), f"demo FAILED: {counts}"])
        return 1
    _print([f"demo ok: {counts}"])
    return 0


def _print(lines: Iterable[str]) -> None:
    for line in lines:
        print(line, flush=True)


def _clock() -> Callable[[str], None]:
    started = time.monotonic()

    def say(text: str) -> None:
        print(f"[{time.monotonic() - started:5.1f} s] {text}", flush=True)

    return say


def _end(number: int, _frame: FrameType | None) -> None:
    # Unwinds the stack, so that everything started is stopped.
    raise SystemExit(128 + number)


if __name__ == "__main__":
    sys.exit(main())
