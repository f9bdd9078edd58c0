"""The daemon: read requests from the kernel, judge them, hand breaches to delivery, until told to stop."""

from __future__ import annotations

import logging
import socket
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field

from compassd.breach import Breach
from compassd.coverage import Coverage
from compassd.delivery import Teller
from compassd.errors import ConfigurationError, RecordError
from compassd.handover import Handover
from compassd.judge import Judge
from compassd.kernel.assemble import Assembler
from compassd.kernel.layout import Counter
from compassd.kernel.limits import UNLIMITED, Limits
from compassd.kernel.program import Program
from compassd.kernel.start import tree_reader
from compassd.kernel.symbols import Symbol
from compassd.losses import log_losses
from compassd.routes import RouteNamer
from compassd.rules.match import RuleSet
from compassd.running_watch import RunningWatch
from compassd.settings import Settings
from compassd.signals import Signals
from compassd.systemd_service import ServiceManager

log = logging.getLogger(__name__)

# How long a wait for records lasts, at most: what a signal, the watchdog or a scan may have to wait. A record
# ends the wait at once.
_POLL_MS = 250
# How often to look how many requests there were.
_COUNT_S = 1.0
# How long delivery may take before another process takes over: for the journal. What remote destinations are
# not sent by then is in the store.
_HANDOVER_S = 1.0
# How long to wait at the end for a request whose call tree has come, at most; the kernel sends them together.
_REST_S = 0.1
_REST_MS = 10
# How long closing everything takes at most after that.
_CLOSE_S = 15.0

# What a process ends with to be started again at once: EX_TEMPFAIL of sysexits.h. The unit names it.
EXIT_AGAIN = 75

_NS_PER_S = 1_000_000_000


@dataclass(slots=True)
class Daemon:
    """One run of compassd.

    Args:
        settings: The settings.
        rules: The rules at the start.
        load_rules: Loads and checks them again, for a reload; raises ConfigurationError.
        program: The loaded eBPF program; the daemon closes it.
        delivery: Takes the breaches; the daemon drains and closes it.
        signals: Flags set by the signal handlers.
        handover: What processes before have left, and what this one leaves.
        attaches_once: Whether the privileges to attach are gone once attach() has returned.
    """

    settings: Settings
    rules: RuleSet
    load_rules: Callable[[], RuleSet]
    program: Program
    delivery: Teller
    signals: Signals
    handover: Handover
    attaches_once: bool = False
    _coverage: Coverage = field(init=False)
    _judge: Judge = field(init=False)
    _watch: RunningWatch = field(init=False)
    _assembler: Assembler = field(default_factory=Assembler)
    _manager: ServiceManager = field(default_factory=ServiceManager)
    _next_scan: float = 0.0
    _next_watch: float = 0.0
    _next_count: float = 0.0
    _breaches: int = 0
    _undecodable: int = 0
    _losses: dict[Counter, int] = field(default_factory=lambda: dict.fromkeys(Counter, 0))

    def attach(self) -> None:
        """Attach to what there is to attach to; the rest is done by run()."""
        reader = tree_reader(self.settings, self._symbol)
        self._judge = Judge(self.rules, socket.gethostname(), tuple(self.settings.destinations), reader)
        self._watch = RunningWatch(self.program.running, self._judge)
        self._use(self.rules)
        self._coverage = Coverage(self.program, self.settings, attaches_once=self.attaches_once)
        self._coverage.attach()
        if self.attaches_once:
            self.handover.leave(self.program, self._coverage.descriptors)

    def run(self) -> int:
        """Run until a signal asks to stop, or another process has to attach; return the exit status."""
        self._plan_scan()
        try:
            self._count_requests()
            # What ended while no process was there.
            self._read(0)
            self.handover.take_over()
            self._announce()
            while not self.signals.stop and not self._coverage.needs_another:
                self._step()
        finally:
            self._stop()
        if self.signals.failed:
            return 1
        return EXIT_AGAIN if self._coverage.needs_another and not self.signals.stop else 0

    def _step(self) -> None:
        self._read(_POLL_MS)
        self.handover.let_go_when_due()
        self._manager.alive()
        if self.signals.reload:
            self.signals.reload = False
            self._reload()
        if time.monotonic() >= self._next_scan:
            self._scan()
            self._manager.status(self._summary())
        if time.monotonic() >= self._next_count:
            self._count_requests()
        if self.settings.running and time.monotonic() >= self._next_watch:
            self._next_watch = time.monotonic() + self.settings.running_interval / _NS_PER_S
            self._look_at_running()

    def _read(self, timeout_ms: int) -> None:
        own, _ = self.program.poll(timeout_ms)
        clock_offset_ns = _clock_offset_ns()
        # Those before us first: of requests that had begun when we attached they have the call trees.
        for assembler, records in (*self.handover.read(), (self._assembler, own)):
            for record in records:
                try:
                    parts = assembler.take(record)
                    if parts is not None and self.handover.is_first(parts):
                        self._tell(self._judge.ended(parts, clock_offset_ns))
                except RecordError as error:
                    self._undecodable += 1
                    log.error("%s", error)  # noqa: TRY400 - the message says it all

    def _read_rest(self) -> None:
        """Read what the kernel has sent; a request whose call tree we have read is not left to others."""
        deadline = time.monotonic() + _REST_S
        self._read(0)
        while self._assembler.is_waiting and time.monotonic() < deadline:
            self._read(_REST_MS)

    def _symbol(self, key: int) -> Symbol | None:
        # A function has the same key in every program.
        return self.program.symbol(key) or self.handover.symbol(key)

    def _look_at_running(self) -> None:
        try:
            self._tell(self._watch.scan(_clock_offset_ns()))
        except RecordError as error:
            log.error("%s", error)  # noqa: TRY400 - the message says it all

    def _tell(self, breaches: Iterable[Breach]) -> None:
        for breach in breaches:
            self._breaches += 1
            self.delivery.accept(breach)

    def _count_requests(self) -> None:
        """Tell how many requests there were, which rates are made of."""
        self._next_count = time.monotonic() + _COUNT_S
        self.delivery.note_requests(self._counters()[Counter.FINISHED])

    def _scan(self) -> None:
        self._plan_scan()
        self._coverage.look()
        self._report_counters()

    def _plan_scan(self) -> None:
        self._next_scan = time.monotonic() + self.settings.rescan_interval / _NS_PER_S

    def _report_counters(self) -> None:
        """Tell of what was counted since the last time, which the next process then need not."""
        own = self.program.counters()
        counters = self._with_missed(own)
        log_losses(counters, self._losses)
        self._losses = counters
        self.delivery.note_requests(counters[Counter.FINISHED])
        self.program.mark_reported(own)

    def _counters(self) -> dict[Counter, int]:
        return self._with_missed(self.program.counters())

    def _with_missed(self, own: Mapping[Counter, int]) -> dict[Counter, int]:
        missed = self.handover.missed()
        return {counter: own[counter] + missed[counter] for counter in Counter}

    def _use(self, rules: RuleSet) -> None:
        self.rules = self._judge.rules = rules
        # With the names of routes in the rules others may begin anew, too.
        self._judge.place = RouteNamer(rules.routes).name
        floors = rules.floors()
        self.program.set_limits(
            Limits(
                duration_ns=_limit(floors.duration_ns),
                cpu_ns=_limit(floors.cpu_ns),
                memory=_limit(floors.memory),
                waits=_limit(floors.waits),
                sampling=self.settings.sampling,
            )
        )

    def _announce(self) -> None:
        files = self._coverage.paths
        log.info(
            "compassd ready: attached to %s; %d rules; destinations: %s",
            ", ".join(map(str, files)) if files else "no compass.so yet",
            len(self.rules.rules),
            ", ".join(self.settings.destinations),
        )
        if not files and not self._coverage.refused:
            log.warning(
                "no compass.so found: install the extension for PHP-FPM; looking again every %g s",
                self.settings.rescan_interval / _NS_PER_S,
            )
        self._manager.ready(self._summary())

    def _reload(self) -> None:
        """Read the rules again. Rules with an error change nothing."""
        self._manager.reloading()
        try:
            self._use(self.load_rules())
        except ConfigurationError as error:
            for line in str(error).splitlines():
                log.error("%s", line)  # noqa: TRY400 - the message says it all
            log.error("rules not reloaded: the %d old rules stay in force", len(self.rules.rules))  # noqa: TRY400
            self._manager.ready(f"rules NOT reloaded; {self._summary()}")
            return
        log.info("rules reloaded: %d rules", len(self.rules.rules))
        self._manager.ready(self._summary())

    def _stop(self) -> None:
        drain_s = self.settings.drain_timeout / _NS_PER_S
        if self._coverage.needs_another:
            drain_s = min(drain_s, _HANDOVER_S)
        self._manager.stopping("draining", drain_s + _CLOSE_S)
        if not self.handover.is_left:
            self._coverage.close()
        self._read_rest()
        self._report_counters()
        left = self.delivery.drain(drain_s)
        for name, stats in self.delivery.stats().items():
            log.info(
                "destination %s: %d sent, %d failed, %d dropped from a full queue, %d not sent in time",
                name,
                stats.sent,
                stats.failed,
                stats.overflowed,
                stats.queued,
            )
        for name, courier in self.delivery.post.stats().items() if self.delivery.post else ():
            log.info(
                "destination %s: %d messages sent, %d dead letters, %d wait in the outbox",
                name,
                courier.sent,
                courier.dead,
                courier.waiting,
            )
        self.delivery.close()
        log.info("compassd stopped: %s", self._summary(undelivered=left))
        self.program.close()

    def _summary(self, undelivered: int = 0) -> str:
        counters = self._counters()
        lost = (
            counters[Counter.LOST]
            + counters[Counter.UNREADABLE]
            + self._undecodable
            + undelivered
            + sum(stats.overflowed + stats.failed for stats in self.delivery.stats().values())
        )
        incidents = ""
        if post := self.delivery.post:
            lost += post.counters().overflowed
            found = post.incidents()
            incidents = f"{found.open} open incidents, "
            if found.suppressed:
                incidents += f"{found.suppressed} breaches too few to tell, "
        return (
            f"{counters[Counter.FINISHED]} requests, {counters[Counter.SHIPPED]} over the smallest budget, "
            f"{self._breaches} breaches, {incidents}{lost} lost"
        )


def _clock_offset_ns() -> int:
    """Return Unix time minus CLOCK_MONOTONIC, ns."""
    return time.time_ns() - time.monotonic_ns()


def _limit(floor: int | None) -> int:
    return UNLIMITED if floor is None else floor
