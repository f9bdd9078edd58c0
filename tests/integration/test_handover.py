"""From one process to the next with a store of descriptors such as systemd's: every request is told, once."""

from __future__ import annotations

import os
import signal
import threading
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import count
from pathlib import Path
from typing import Any

import pytest

from compassd.daemon import EXIT_AGAIN
from compassd.kernel import layout
from compassd.kernel.attachments import Attachments
from compassd.kernel.discover import Discovery
from compassd.kernel.inherited import Inherited
from compassd.kernel.layout import REQUEST_RECORD, decode_request
from compassd.kernel.legacy import find_legacies
from compassd.kernel.limits import Limits
from compassd.kernel.program import Program
from compassd.kernel.source import layout_id
from lab.compassd import Compassd
from lab.fastcgi import Call, FastCGIError, drive, drive_all
from lab.fd_store import FdStore
from lab.php_fpm import PhpFpm
from lab.processes import wait_until
from tests.conftest import PhpFpmFactory
from tests.integration.conftest import PAGES, RULES, CompassdFactory, tracers, work

pytestmark = pytest.mark.ebpf

_DROP = ("--drop-privileges",)
# It looks for nothing new: any PHP-FPM of the machine would be.
_STAY = {"COMPASSD_RESCAN_INTERVAL": "1h"}
_STRICT = RULES.replace("100ms", "5ms")
# What is kept of one program.
_SET = 11


@pytest.fixture
def store(tmp_path: Path) -> Iterator[FdStore]:
    with FdStore(tmp_path) as listening:
        yield listening


def _start(compassd: CompassdFactory, store: FdStore, **changes: Any) -> Compassd:  # noqa: ANN401 - passed on
    environment = {**store.environment, **changes.pop("environment", _STAY)}
    return compassd(
        options=_DROP, environment=environment, wrapper=store.wrapper, **{"rules": _STRICT, **changes}
    )


def _ids(daemon: Compassd) -> list[str]:
    return [breach["request"]["id"] for breach in daemon.breaches()]


def _without_names(daemon: Compassd) -> list[str]:
    """Return the ids of the requests whose call tree does not say where they were."""
    return [
        breach["request"]["id"] for breach in daemon.breaches() if "usleep" not in str(breach["call_tree"])
    ]


@contextmanager
def _stream(fpm: PhpFpm, sent: list[str], *, streams: int = 1, ms: int = 20) -> Iterator[None]:
    """Send requests over budget, one after the other, and add their ids to sent."""
    stopped = threading.Event()

    def send(stream: int) -> None:
        for number in count():
            if stopped.is_set():
                return
            name = f"{stream}-{number}"
            sent.append(name)
            fpm.request(work(name, ms=ms))

    threads = [threading.Thread(target=send, args=(stream,)) for stream in range(streams)]
    for thread in threads:
        thread.start()
    try:
        yield
    finally:
        stopped.set()
        for thread in threads:
            thread.join()


def _wait_for_all(daemon: Compassd, sent: list[str]) -> None:
    wait_until(
        lambda: len(_ids(daemon)) >= len(sent), timeout=10.0, what="all to be told", detail=daemon.log_text
    )
    # Time for one that is told twice.
    time.sleep(0.5)
    assert Counter(_ids(daemon)) == Counter(sent)
    assert _without_names(daemon) == []


def test_a_process_that_is_started_again_tells_every_request_once(
    php_fpm: PhpFpmFactory, compassd: CompassdFactory, store: FdStore
) -> None:
    daemon = _start(compassd, store)
    fpm = php_fpm(workers=3)
    sent: list[str] = []
    with _stream(fpm, sent, streams=2):
        for _ in range(3):
            time.sleep(0.3)
            assert daemon.stop() == 0
            daemon.start()
        time.sleep(0.3)
    _wait_for_all(daemon, sent)
    assert len(store.names) == _SET
    assert "taken over from the process before: " in daemon.log_text()


def test_a_killed_process_leaves_every_request_to_the_next_one(
    php_fpm: PhpFpmFactory, compassd: CompassdFactory, store: FdStore
) -> None:
    daemon = _start(compassd, store)
    fpm = php_fpm(workers=2)
    sent: list[str] = []
    # The next one ends that much later: what the process has read when it is killed, it has told.
    with _stream(fpm, sent, ms=80):
        for _ in range(3):
            told = len(_ids(daemon))
            daemon.wait_for_breaches(told + 5)
            daemon.kill()
            daemon.start()
    _wait_for_all(daemon, sent)


def test_a_new_file_is_attached_to_and_no_request_is_lost(
    php_fpm: PhpFpmFactory, compassd: CompassdFactory, store: FdStore, extension: Path, tmp_path: Path
) -> None:
    installed, upgrade = tmp_path / "compass.so", tmp_path / "compass.so.dpkg-new"
    installed.write_bytes(extension.read_bytes())
    daemon = _start(compassd, store, extension=[installed], environment={})
    fpm = php_fpm(workers=3, extension=installed)
    sent: list[str] = []
    with _stream(fpm, sent, streams=2):
        time.sleep(0.3)
        upgrade.write_bytes(extension.read_bytes())
        upgrade.rename(installed)
        assert daemon.wait() == EXIT_AGAIN
        daemon.start()
        time.sleep(0.3)
    _wait_for_all(daemon, sent)


def test_a_request_that_goes_on_while_processes_change_keeps_its_call_tree(
    php_fpm: PhpFpmFactory, compassd: CompassdFactory, store: FdStore
) -> None:
    daemon = _start(compassd, store)
    fpm = php_fpm()
    gate = daemon.directory / "gate"
    request = threading.Thread(target=fpm.request, args=(work("across", do="wait", until=str(gate)),))
    request.start()
    time.sleep(0.3)
    daemon.stop()
    daemon.start()
    gate.touch()
    request.join()
    _wait_for_all(daemon, ["across"])


def test_a_worker_that_dies_while_no_process_is_there_is_told(
    php_fpm: PhpFpmFactory, compassd: CompassdFactory, store: FdStore
) -> None:
    daemon = _start(compassd, store)
    fpm = php_fpm(workers=1)
    fpm.request(work("first", ms=20))
    daemon.wait_for_breaches(1)
    daemon.kill()
    (worker,) = fpm.worker_pids()
    threading.Timer(0.2, os.kill, (worker, signal.SIGSEGV)).start()
    (outcome,) = drive_all(fpm.socket, [work("dies", ms=5_000)])
    assert isinstance(outcome, FastCGIError)
    daemon.start()
    told = daemon.wait_for_breaches(2)[1]
    assert (told["request"]["id"], told["state"], told["signal"]) == ("dies", "died", "SIGSEGV")
    assert "usleep" in str(told["call_tree"])


def test_what_another_release_has_left_is_detached_and_not_believed(
    php_fpm: PhpFpmFactory, compassd: CompassdFactory, store: FdStore, root: Path
) -> None:
    daemon = _start(compassd, store)
    fpm = php_fpm()
    daemon.kill()
    store.rename(layout_id(root / "bpf"), "0" * 16)
    fpm.request(work("unreadable", ms=20))
    daemon.start()
    assert (
        "what the process before has left cannot be read, as it was of another release" in daemon.log_text()
    )
    fpm.request(work("after", ms=20))
    _wait_for_all(daemon, ["after"])
    assert len(store.names) == _SET
    assert not any("0" * 16 in name for name in store.names)


@pytest.mark.parametrize("size", [0, 3])
def test_a_store_that_is_too_small_is_no_reason_not_to_watch(
    size: int, php_fpm: PhpFpmFactory, compassd: CompassdFactory, tmp_path: Path
) -> None:
    with FdStore(tmp_path, size=size) as small:
        daemon = _start(compassd, small)
        fpm = php_fpm()
        fpm.request(work("before", ms=20))
        assert daemon.stop() == 0
        assert len(small.names) == size
        daemon.start()
        fpm.request(work("after", ms=20))
        _wait_for_all(daemon, ["before", "after"])
        assert ("systemd did not keep all of it" in daemon.log_text()) == (size > 0)


def test_nothing_is_attached_once_the_store_is_closed(
    php_fpm: PhpFpmFactory, compassd: CompassdFactory, store: FdStore
) -> None:
    daemon = _start(compassd, store)
    fpm = php_fpm()
    info = Call(script=PAGES / "info.php", uri="/info")

    def attached() -> set[str]:
        return set(tracers(fpm.request(info).body.decode()).values())

    daemon.stop()
    assert "attached" in attached()
    store.clear()
    wait_until(lambda: attached() == {"none"}, timeout=10.0, what="the probes to be detached")


def test_without_a_store_the_probes_are_detached_at_the_end(
    php_fpm: PhpFpmFactory, compassd: CompassdFactory
) -> None:
    daemon = compassd(options=_DROP, environment=_STAY)
    fpm = php_fpm()
    daemon.stop()
    assert "detached from " in daemon.log_text()
    assert set(tracers(fpm.request(Call(script=PAGES / "info.php", uri="/info")).body.decode()).values()) == {
        "none"
    }


def test_what_is_lost_while_nobody_reads_is_counted_for_who_reads_next(
    php_fpm: PhpFpmFactory, extension: Path, tmp_path: Path
) -> None:
    own = tmp_path / "compass.so"
    own.write_bytes(extension.read_bytes())
    program = Program(request_ring_bytes=2**16)
    attachments = Attachments(program)
    attachments.update(Discovery(extra=(own,), directories=(), proc=tmp_path).scan())
    program.set_limits(Limits(duration_ns=0))
    fpm = php_fpm(workers=4, extension=own)
    fpm.request(work("told"))
    program.poll(1_000)
    program.mark_reported(program.counters())
    kept = {
        name: tuple(map(os.dup, descriptors))
        for name, descriptors in program.leave(attachments.descriptors).named("ab", "01").items()
    }
    attachments.close()
    program.close()

    drive(fpm.socket, [work(f"r{number}") for number in range(100)], concurrency=4)
    inherited = Inherited(find_legacies(kept, "ab")["01"])
    records = inherited.records()
    missed = inherited.unreported()
    inherited.close()
    for descriptors in kept.values():
        for descriptor in descriptors:
            os.close(descriptor)
    assert missed[layout.Counter.FINISHED] == 100
    assert missed[layout.Counter.LOST] == 100 - len(records) > 0
    assert len(records) >= 2**16 // (REQUEST_RECORD.size + 8) - 1
    assert {decode_request(record, 0).request.id[0] for record in records} == {"r"}
