"""The service is started again on a real systemd: no request is lost, and none is told twice."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from itertools import count
from typing import Any, Self

import pytest

from lab.processes import wait_until
from tests.system.host import RULES, Host

# A machine is booted, and the extension built, in the first test of each release.
pytestmark = [pytest.mark.ebpf, pytest.mark.timeout(400)]

# What is kept of a program: docs/service.md and the unit name the number.
_KEPT = "11"


class Stream:
    """Requests over budget, one after the other; as a context manager from entry to exit."""

    def __init__(self, host: Host) -> None:
        self.sent: list[str] = []
        self._host = host
        self._may_send = threading.Lock()
        self._stopped = threading.Event()
        self._thread = threading.Thread(target=self._run)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stopped.set()
        self._thread.join()

    @contextmanager
    def paused(self) -> Iterator[None]:
        """Let no request be under way, and none that has ended be untold."""
        with self._may_send:
            _wait_for_all(self._host, self.sent)
            yield

    def wait_for_more(self, number: int) -> None:
        wanted = len(self.sent) + number
        wait_until(lambda: len(self.sent) >= wanted, timeout=20, what=f"{number} requests")

    def _run(self) -> None:
        for number in count():
            with self._may_send:
                if self._stopped.is_set():
                    return
                self._host.request(f"/r{number}?ms=20")
                self.sent.append(f"/r{number}")


def _entries(host: Host) -> list[dict[str, Any]]:
    return host.machine.journal(host._since, "SYSLOG_IDENTIFIER=compassd", "COMPASS_RULE=slow")


def _wait_for_all(host: Host, sent: list[str]) -> None:
    wait_until(lambda: set(host.told()) >= set(sent), timeout=20, what="all to be told", detail=host.log)


def _wait_until_detached(host: Host) -> None:
    assert host.property("NFileDescriptorStore") == "0"
    wait_until(lambda: not host.is_attached(), timeout=20, what="the probes to be detached", detail=host.log)


def _install(host: Host, _stream: Stream) -> None:
    host.put_extension()


def _restart(host: Host, _stream: Stream) -> None:
    host.machine.run("systemctl", "restart", "compassd")


def _kill(host: Host, stream: Stream) -> None:
    # What a process has read and not told dies with it.
    with stream.paused():
        host.machine.run("systemctl", "kill", "--signal=KILL", "--kill-who=main", "compassd")


@pytest.mark.parametrize("start_again", [_install, _restart, _kill])
def test_every_request_is_told_once_while_the_service_is_started_again(
    start_again: Callable[[Host, Stream], None], host: Host
) -> None:
    host.machine.write("/etc/compassd/rules.toml", RULES.replace("100ms", "10ms"))
    host.settings("running = false\n")
    host.start()
    with Stream(host) as stream:
        stream.wait_for_more(10)
        start_again(host, stream)
        host.wait_for_log("^compassd ready: ", 2)
        stream.wait_for_more(20)
    _wait_for_all(host, stream.sent)
    told = _entries(host)
    assert Counter(entry["COMPASS_URI"] for entry in told) == Counter(stream.sent)
    # With the place where it waited, which is from the call tree.
    assert {entry.get("COMPASS_FILE") for entry in told} == {"/srv/page.php"}
    assert "taken over from the process before: " in host.log()
    assert host.property("NFileDescriptorStore") == _KEPT


def test_nothing_stays_attached_when_the_service_is_stopped(host: Host) -> None:
    host.start()
    host.request("/any")
    assert host.is_attached()
    host.machine.run("systemctl", "restart", "compassd")
    assert host.property("NFileDescriptorStore") == _KEPT
    host.machine.run("systemctl", "stop", "compassd")
    _wait_until_detached(host)


def test_nothing_stays_attached_when_the_service_fails(host: Host) -> None:
    host.start()
    host.machine.write("/etc/compassd/rules.toml", "[[rule")
    host.request("/any")
    host.machine.run("systemctl", "kill", "--signal=KILL", "--kill-who=main", "compassd")
    wait_until(lambda: host.property("ActiveState") == "failed", timeout=30, what="it to fail")
    assert host.property("ExecMainStatus") == "78"
    _wait_until_detached(host)


def test_a_service_whose_descriptors_are_not_kept_watches_all_the_same(host: Host) -> None:
    host.settings("", "[Service]\nFileDescriptorStoreMax=0\n")
    host.start()
    host.request("/before?ms=150")
    host.machine.run("systemctl", "restart", "compassd")
    host.request("/after?ms=150")
    host.wait_for_told("/after")
    assert host.told() == ["/before", "/after"]
    assert host.property("NFileDescriptorStore") == "0"
