"""The daemon as a service: sd_notify over a real socket, reload, drain."""

from __future__ import annotations

import socket
import subprocess
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from lab.processes import wait_until
from tests.conftest import PhpFpmFactory
from tests.integration.conftest import RULES, CompassdFactory, work

pytestmark = pytest.mark.ebpf


class NotifySocket:
    """What systemd listens on."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self._socket.bind(str(path))
        self._socket.settimeout(15)
        self.seen: list[str] = []

    def wait_for(self, text: str) -> str:
        """Return the first message not yet looked at that contains text."""
        while True:
            message = self._socket.recv(65536).decode()
            self.seen.append(message)
            if text in message:
                return message

    def close(self) -> None:
        self._socket.close()


@pytest.fixture
def notify(tmp_path: Path) -> Iterator[NotifySocket]:
    listener = NotifySocket(tmp_path / "notify")
    yield listener
    listener.close()


def test_systemd_is_told_ready_status_watchdog_and_stopping(
    compassd: CompassdFactory, notify: NotifySocket
) -> None:
    environment = {"NOTIFY_SOCKET": str(notify.path), "WATCHDOG_USEC": "1000000"}
    daemon = compassd(environment=environment)
    assert "STATUS=" in notify.wait_for("READY=1")
    notify.wait_for("WATCHDOG=1")
    notify.wait_for("WATCHDOG=1")
    assert "requests" in notify.wait_for("STATUS=")
    assert daemon.stop() == 0
    notify.wait_for("STOPPING=1")


def test_the_watchdog_is_fed_by_the_process_it_is_meant_for(
    compassd: CompassdFactory, notify: NotifySocket
) -> None:
    environment = {"NOTIFY_SOCKET": str(notify.path), "WATCHDOG_USEC": "100000", "WATCHDOG_PID": "1"}
    daemon = compassd(environment=environment)
    notify.wait_for("READY=1")
    daemon.stop()
    notify.wait_for("STOPPING=1")
    assert not any("WATCHDOG=1" in message for message in notify.seen)


def test_a_reload_puts_new_rules_in_force(
    php_fpm: PhpFpmFactory, compassd: CompassdFactory, notify: NotifySocket
) -> None:
    daemon = compassd(environment={"NOTIFY_SOCKET": str(notify.path)})
    fpm = php_fpm()
    fpm.request(work("under", ms=50))
    daemon.rules.write_text(RULES.replace("100ms", "20ms").replace("slow", "strict"))
    notify.wait_for("READY=1")
    daemon.reload()
    assert "MONOTONIC_USEC=" in notify.wait_for("RELOADING=1")
    notify.wait_for("READY=1")
    daemon.wait_for_log("rules reloaded: 1 rules")
    fpm.request(work("over", ms=50))
    (told,) = daemon.wait_for_breaches(1)
    assert (told["rule"], told["request"]["id"]) == ("strict", "over")


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ('[[rule]]\nname = "broken"\nbudget = { duration = "soon" }\n', '"soon" is not a duration'),
        ("[[rule", "rules.toml:1"),
        ("", "rules.toml"),
    ],
)
def test_a_bad_file_keeps_the_old_rules_and_says_why(
    text: str, complaint: str, php_fpm: PhpFpmFactory, compassd: CompassdFactory
) -> None:
    daemon = compassd()
    daemon.rules.write_text(text)
    daemon.reload()
    daemon.wait_for_log("old rules stay in force")
    assert complaint in daemon.log_text()
    php_fpm().request(work("still", ms=120))
    assert [breach["rule"] for breach in daemon.wait_for_breaches(1)] == ["slow"]


def test_rules_that_are_hardly_meant_so_are_used_and_logged(compassd: CompassdFactory) -> None:
    needless = RULES + RULES.replace("slow", "same")
    daemon = compassd(rules=needless)
    daemon.wait_for_log('rule "same": tells the same as rule "slow"')
    daemon.rules.write_text(needless.replace("same", "again"))
    daemon.reload()
    daemon.wait_for_log("rules reloaded: 2 rules")
    assert 'rule "again": tells the same as rule "slow"' in daemon.log_text()


def test_a_rules_file_that_vanished_keeps_the_old_rules(compassd: CompassdFactory) -> None:
    daemon = compassd()
    daemon.rules.unlink()
    daemon.reload()
    daemon.wait_for_log("old rules stay in force")


def test_sigterm_tells_what_had_happened_before(php_fpm: PhpFpmFactory, compassd: CompassdFactory) -> None:
    daemon = compassd(rules=RULES.replace("100ms", "1us"))
    fpm = php_fpm()
    for n in range(50):
        fpm.request(work(f"r{n}"))
    assert daemon.stop() == 0
    assert [breach["request"]["id"] for breach in daemon.breaches()] == [f"r{n}" for n in range(50)]
    last = daemon.log_text().splitlines()[-1]
    assert last.startswith("compassd stopped: ")
    assert "50 breaches, 0 lost" in last


def test_an_upgraded_file_is_attached_to(
    php_fpm: PhpFpmFactory, compassd: CompassdFactory, extension: Path, tmp_path: Path
) -> None:
    """As dpkg does it: a new file takes the name of the old one, and FPM is restarted."""
    installed, upgrade = tmp_path / "compass.so", tmp_path / "compass.so.dpkg-new"
    installed.write_bytes(extension.read_bytes())
    daemon = compassd(extension=[installed])
    fpm = php_fpm(extension=installed)
    fpm.request(work("old", ms=120))
    upgrade.write_bytes(extension.read_bytes())
    upgrade.rename(installed)
    # The old workers go on with the file that has lost its name.
    fpm.request(work("orphan", ms=120))
    wait_until(
        lambda: daemon.log_text().count("attached to") >= 2, timeout=10, what="the new file to be attached to"
    )
    fpm.request(work("still old", ms=120))
    fpm.restart()
    fpm.request(work("new", ms=120))
    told = daemon.wait_for_breaches(4)
    assert [b["request"]["id"] for b in told] == ["old", "orphan", "still old", "new"]
    daemon.wait_for_log("detached from")


def test_php_versions_side_by_side_are_all_attached_to(
    php_fpm: PhpFpmFactory, compassd: CompassdFactory, extension: Path, tmp_path: Path
) -> None:
    """Each PHP version has a compass.so of its own; found by itself, from the maps of the masters."""
    fpms = []
    for name in ("one", "two"):
        copy = tmp_path / name / "compass.so"
        copy.parent.mkdir()
        copy.write_bytes(extension.read_bytes())
        fpms.append(php_fpm(extension=copy))
    daemon = compassd(extension=[])
    fpms[0].request(work("one", ms=120))
    fpms[1].request(work("two", ms=120))
    assert [b["request"]["id"] for b in daemon.wait_for_breaches(2)] == ["one", "two"]


def test_a_php_fpm_that_comes_later_is_attached_to(
    php_fpm: PhpFpmFactory, compassd: CompassdFactory, extension: Path, tmp_path: Path
) -> None:
    daemon = compassd(extension=[])
    copy = tmp_path / "compass.so"
    copy.write_bytes(extension.read_bytes())
    fpm = php_fpm(extension=copy)
    daemon.wait_for_log(f"attached to /proc/{fpm.pid}/root{copy}")
    fpm.request(work("later", ms=120))
    assert [b["request"]["id"] for b in daemon.wait_for_breaches(1)] == ["later"]


def test_a_foreign_compass_so_is_refused_once_and_harms_nothing(
    php_fpm: PhpFpmFactory, compassd: CompassdFactory, extension: Path, tmp_path: Path
) -> None:
    foreign = tmp_path / "compass.so"
    foreign.write_bytes(b"\x7fELF but no more")
    daemon = compassd(extension=[foreign, extension])
    php_fpm().request(work("fine", ms=120))
    daemon.wait_for_breaches(1)
    assert daemon.log_text().count("not a readable ELF file") == 1


def test_it_starts_with_no_php_at_all_and_says_so(compassd: CompassdFactory) -> None:
    # Where it sees no other process, and no file.
    alone = ("unshare", "--pid", "--fork", "--mount-proc", "--kill-child", "--")
    daemon = compassd(extension=[], wrapper=alone)
    assert "no compass.so found: install the extension" in daemon.log_text()


def test_a_refused_file_is_not_called_missing(compassd: CompassdFactory, tmp_path: Path) -> None:
    foreign = tmp_path / "compass.so"
    foreign.write_bytes(b"\x7fELF but no more")
    alone = ("unshare", "--pid", "--fork", "--mount-proc", "--kill-child", "--")
    daemon = compassd(extension=[foreign], wrapper=alone)
    assert "not a readable ELF file" in daemon.log_text()
    assert "no compass.so found" not in daemon.log_text()


def test_a_file_that_becomes_whole_or_is_overwritten_is_attached_to(
    php_fpm: PhpFpmFactory, compassd: CompassdFactory, extension: Path, tmp_path: Path
) -> None:
    path = tmp_path / "compass.so"
    image = extension.read_bytes()
    path.write_bytes(image[: len(image) // 2])
    daemon = compassd(extension=[path])
    path.write_bytes(image)
    daemon.wait_for_log(f"attached to {path}")
    fpm = php_fpm(extension=path, workers=1)
    fpm.request(work("whole", ms=120))
    fpm.stop()
    path.write_bytes(image + b"\0")
    wait_until(
        lambda: daemon.log_text().count(f"attached to {path}") >= 2, timeout=10, what="the new content"
    )
    php_fpm(extension=path, workers=1).request(work("overwritten", ms=120))
    assert [b["request"]["id"] for b in daemon.wait_for_breaches(2)] == ["whole", "overwritten"]


def _unmount(path: Path) -> None:
    subprocess.run(["umount", "--lazy", path], check=True)


def test_containers_that_share_a_layer_are_told_once(
    php_fpm: PhpFpmFactory, compassd: CompassdFactory, extension: Path, tmp_path: Path
) -> None:
    """Two overlays of one layer: two files to user space, one inode to the kernel's probes."""
    lower = tmp_path / "lower"
    lower.mkdir()
    (lower / "compass.so").write_bytes(extension.read_bytes())
    copies = []
    with ExitStack() as mounts:
        for name in ("one", "two"):
            mounted = tmp_path / name
            mounted.mkdir()
            options = f"lowerdir={lower}:{mounted}"
            subprocess.run(["mount", "-t", "overlay", "overlay", "-o", options, mounted], check=True)
            mounts.callback(_unmount, mounted)
            copies.append(mounted / "compass.so")
        daemon = compassd(extension=copies)
        assert daemon.log_text().count("\nattached to") + daemon.log_text().startswith("attached to") == 2
        for copy in copies:
            php_fpm(extension=copy, workers=1).request(work(copy.parent.name, ms=120))
        daemon.wait_for_breaches(2)
        daemon.stop()
        assert [b["request"]["id"] for b in daemon.breaches()] == ["one", "two"]
        assert "compassd stopped: 2 requests, 2 over" in daemon.log_text()
