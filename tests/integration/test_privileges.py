"""A daemon without privileges: it goes on with everything but attaching, for which it is started again."""

from __future__ import annotations

import threading
from pathlib import Path

import pytest

from compassd.daemon import EXIT_AGAIN
from lab.compassd import Compassd
from lab.fastcgi import Call
from tests.conftest import PhpFpmFactory
from tests.integration.conftest import HOST, RULES, CompassdFactory, work

pytestmark = pytest.mark.ebpf

_DROP = ("--drop-privileges",)
# It looks for nothing new: any PHP-FPM of the machine would be.
_STAY = {"COMPASSD_RESCAN_INTERVAL": "1h"}


def _capabilities(pid: int) -> dict[str, set[str]]:
    """Return the values of the capability sets, and of no_new_privs, over all threads."""
    values: dict[str, set[str]] = {}
    for task in Path(f"/proc/{pid}/task").iterdir():
        for line in (task / "status").read_text().splitlines():
            name, _, value = line.partition(":")
            if name.startswith("Cap") or name == "NoNewPrivs":
                values.setdefault(name, set()).add(value.strip())
    return values


def _ids(daemon: Compassd) -> list[str]:
    return [breach["request"]["id"] for breach in daemon.breaches()]


def test_no_thread_keeps_a_capability_and_none_can_be_had_again(compassd: CompassdFactory) -> None:
    daemon = compassd(options=_DROP, environment=_STAY)
    found = _capabilities(daemon.pid)
    assert len(list(Path(f"/proc/{daemon.pid}/task").iterdir())) > 1
    assert found.pop("NoNewPrivs") == {"1"}
    assert sorted(found) == ["CapAmb", "CapBnd", "CapEff", "CapInh", "CapPrm"]
    assert set.union(*found.values()) == {"0" * 16}


def test_requests_are_told_with_their_call_tree_and_rules_can_be_reloaded(
    php_fpm: PhpFpmFactory, compassd: CompassdFactory
) -> None:
    daemon = compassd(options=_DROP, environment=_STAY, running=True)
    fpm = php_fpm()
    fpm.request(work("sleeps", ms=120))
    (told,) = daemon.wait_for_breaches(1)
    assert told["request"]["id"] == "sleeps"
    assert "usleep" in str(told["call_tree"])
    daemon.rules.write_text(RULES.replace("100ms", "20ms").replace("slow", "strict"))
    daemon.reload()
    daemon.wait_for_log("rules reloaded: 1 rules")
    fpm.request(work("quicker", ms=50))
    assert daemon.wait_for_breaches(2)[1]["rule"] == "strict"
    assert daemon.stop() == 0


def test_a_running_request_is_told(php_fpm: PhpFpmFactory, compassd: CompassdFactory) -> None:
    settings = 'running_interval = "100ms"\n[destinations.out]\ntype = "stdout"\n'
    daemon = compassd(options=_DROP, environment=_STAY, running=True, settings=settings)
    php_fpm().request(work("long", ms=1500))
    told = daemon.wait_for_breaches(2)
    assert [breach["state"] for breach in told] == ["running", "finished"]


def test_an_upgraded_file_is_attached_to_by_the_next_process(
    php_fpm: PhpFpmFactory, compassd: CompassdFactory, extension: Path, tmp_path: Path
) -> None:
    installed, upgrade = tmp_path / "compass.so", tmp_path / "compass.so.dpkg-new"
    installed.write_bytes(extension.read_bytes())
    gate = tmp_path / "gate"
    page = tmp_path / "waits.php"
    page.write_text(f"<?php while (!file_exists({str(gate)!r})) {{ clearstatcache(); usleep(10000); }}")
    daemon = compassd(extension=[installed], options=_DROP)
    fpm = php_fpm(extension=installed)
    headers = {"Host": HOST, "X-Request-ID": "across"}
    request = threading.Thread(target=fpm.request, args=(Call(script=page, uri="/waits", headers=headers),))
    request.start()
    fpm.request(work("before", ms=120))

    upgrade.write_bytes(extension.read_bytes())
    upgrade.rename(installed)
    assert daemon.wait() == EXIT_AGAIN
    assert f"{installed} is new: ending" in daemon.log_text()
    # Nothing that was told by the kernel is lost with it.
    assert _ids(daemon) == ["before"]

    daemon.start()
    gate.touch()
    request.join()
    # The old workers go on with the file that has lost its name.
    fpm.request(work("old file", ms=120))
    fpm.restart()
    fpm.request(work("new file", ms=120))
    daemon.wait_for_breaches(4)
    assert _ids(daemon) == ["before", "across", "old file", "new file"]


def test_a_php_fpm_that_comes_later_is_attached_to_by_the_next_process(
    php_fpm: PhpFpmFactory, compassd: CompassdFactory, extension: Path, tmp_path: Path
) -> None:
    daemon = compassd(extension=[], options=_DROP)
    copy = tmp_path / "compass.so"
    copy.write_bytes(extension.read_bytes())
    fpm = php_fpm(extension=copy)
    assert daemon.wait() == EXIT_AGAIN
    daemon.start()
    fpm.request(work("later", ms=120))
    daemon.wait_for_breaches(1)
    assert _ids(daemon) == ["later"]


def test_half_a_file_is_no_reason_to_start_again_but_the_whole_is(
    compassd: CompassdFactory, extension: Path, tmp_path: Path
) -> None:
    path = tmp_path / "compass.so"
    image = extension.read_bytes()
    daemon = compassd(extension=[path], options=_DROP)
    path.write_bytes(image[: len(image) // 2])
    daemon.wait_for_log("not a readable ELF file")
    path.write_bytes(image)
    assert daemon.wait() == EXIT_AGAIN
    assert daemon.log_text().count("not a readable ELF file") == 1
    daemon.start()
    assert f"attached to {path}" in daemon.log_text()
