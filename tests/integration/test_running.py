"""Requests that still run, and those that never end, on real PHP-FPM."""

from __future__ import annotations

import os
import signal
import threading
from typing import Any

import pytest

from lab.errors import LabError
from lab.fastcgi import Call
from lab.processes import wait_until
from tests.conftest import PhpFpmFactory
from tests.integration.conftest import HOST, PAGES, CompassdFactory

pytestmark = pytest.mark.ebpf

MS = 1_000_000
FAST = 'running_interval = "100ms"\n'
STDOUT = '[destinations.out]\ntype = "stdout"\n'


def _call(by: str, **more: int) -> Call:
    query = "".join(f"&{name}={value}" for name, value in more.items())
    headers = {"Host": HOST, "X-Request-ID": f"by-{by}"}
    return Call(script=PAGES / "dies.php", uri=f"/dies?by={by}{query}", headers=headers)


def _states(breaches: list[dict[str, Any]]) -> list[str]:
    return [breach["state"] for breach in breaches]


def test_a_running_request_is_told_once_and_completed_when_it_ends(
    php_fpm: PhpFpmFactory, compassd: CompassdFactory
) -> None:
    daemon = compassd(settings=FAST + STDOUT, running=True)
    fpm = php_fpm(workers=1)
    thread = threading.Thread(target=fpm.request, args=(_call("nothing", ms=2_000),))
    thread.start()
    (running,) = daemon.wait_for_breaches(1)
    assert thread.is_alive()
    thread.join()
    told, finished = daemon.wait_for_breaches(2)
    assert told == running
    assert _states([running, finished]) == ["running", "finished"]
    assert running["id"] == finished["id"]
    assert finished["told_running"]
    assert running["request"]["id"] == finished["request"]["id"] == "by-nothing"
    assert 100 * MS < running["request"]["duration_ns"] < finished["request"]["duration_ns"]
    assert running["request"]["cpu_ns"] is None
    assert running["request"]["memory_peak_bytes"] is None
    assert "http.response.status_code" not in running["attributes"]
    # Where it is now.
    now = running["last_seen"]
    assert now["function"] == "usleep"
    assert now["line"] in (6, 10)
    assert now["file"].endswith("/dies.php")
    assert 0 <= now["waiting_ns"] <= running["request"]["duration_ns"]
    tree = running["call_tree"]
    assert sum(node["off_cpu_ns"] for node in tree["nodes"]) > 0.9 * running["request"]["duration_ns"]
    assert finished["last_seen"] is None


def test_a_running_request_that_computes_is_told_where(
    php_fpm: PhpFpmFactory, compassd: CompassdFactory
) -> None:
    daemon = compassd(settings=FAST + STDOUT, running=True)
    fpm = php_fpm(workers=1, pool_settings={"request_terminate_timeout": "3s"})
    with pytest.raises(LabError):
        fpm.request(_call("loop"))
    running, died = daemon.wait_for_breaches(2)
    assert _states([running, died]) == ["running", "died"]
    assert running["last_seen"]["waiting_ns"] is None
    # FPM's request_terminate_timeout.
    assert died["signal"] == "SIGTERM"
    assert died["told_running"]
    assert died["last_seen"]["function"] in ("hash", "str_repeat", "{closure}")
    assert died["request"]["duration_ns"] > 2_900 * MS


@pytest.mark.parametrize("by", ["SIGSEGV", "SIGKILL"])
def test_a_worker_that_dies_is_told_with_its_last_place(
    by: str, php_fpm: PhpFpmFactory, compassd: CompassdFactory
) -> None:
    daemon = compassd()
    with pytest.raises(LabError):
        php_fpm(workers=1).request(_call(by))
    (died,) = daemon.wait_for_breaches(1)
    assert (died["state"], died["signal"], died["told_running"]) == ("died", by, False)
    assert died["request"]["id"] == f"by-{by}"
    assert died["request"]["duration_ns"] > 150 * MS
    place = died["last_seen"]
    assert (place["function"], place["line"]) == ("posix_kill", 8 if by == "SIGSEGV" else 9)
    assert "http.response.status_code" not in died["attributes"]


def test_a_worker_that_dies_within_its_budget_is_told_by_every_rule_about_it(
    php_fpm: PhpFpmFactory, compassd: CompassdFactory
) -> None:
    rules = "".join(
        f'[[rule]]\nname = "{name}"\nmatch = {{ host = "{HOST}", {match} }}\nbudget = {{ duration = "1h" }}\n'
        for name, match in {
            "this": 'uri = "/dies"',
            "other": 'uri = "/x"',
            "by-status": "status = 200",
        }.items()
    )
    daemon = compassd(rules=rules)
    fpm = php_fpm(workers=2)
    with pytest.raises(LabError):
        fpm.request(_call("SIGSEGV"))
    fpm.request(_call("nothing", ms=1))
    (died,) = daemon.wait_for_breaches(1)
    assert (died["rule"], died["state"], died["exceeded"]) == ("this", "died", [])
    assert "SIGSEGV" in died["summary"]


def test_a_worker_killed_from_outside_while_it_waits_was_waiting_there(
    php_fpm: PhpFpmFactory, compassd: CompassdFactory
) -> None:
    daemon = compassd()
    fpm = php_fpm(workers=1)
    (worker,) = fpm.worker_pids()

    def request() -> None:
        with pytest.raises(LabError):
            fpm.request(_call("nothing", ms=20_000))

    thread = threading.Thread(target=request)
    thread.start()
    wait_until(lambda: "hrtimer" in _wchan(worker), timeout=5, what="the worker to sleep")
    os.kill(worker, signal.SIGKILL)
    thread.join()
    (died,) = daemon.wait_for_breaches(1)
    assert (died["state"], died["signal"]) == ("died", "SIGKILL")
    assert died["last_seen"]["function"] == "usleep"


def test_nothing_is_told_of_requests_within_their_budget_or_when_it_is_switched_off(
    php_fpm: PhpFpmFactory, compassd: CompassdFactory
) -> None:
    daemon = compassd()
    fpm = php_fpm(workers=1)
    fpm.request(_call("nothing", ms=1_300))
    (finished,) = daemon.wait_for_breaches(1)
    assert (finished["state"], finished["told_running"]) == ("finished", False)


def _wchan(pid: int) -> str:
    try:
        with open(f"/proc/{pid}/wchan") as file:  # noqa: PTH123 - procfs
            return file.read()
    except FileNotFoundError:
        return ""
