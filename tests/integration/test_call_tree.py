"""Where the time went, on real PHP-FPM: the seeded culprit is found, in every shape of code."""

from __future__ import annotations

import fcntl
import sqlite3
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import pytest

from lab.compassd import Compassd
from lab.fastcgi import Call
from lab.php_fpm import PhpFpm
from lab.slow_service import SlowService
from tests.conftest import PhpFpmFactory
from tests.integration.conftest import HOST, PAGES, CompassdFactory

pytestmark = pytest.mark.ebpf

MS = 1_000_000
SHAPES = [
    *("method", "closure", "callback", "generator", "fiber", "recursion", "magic", "eval", "include"),
    "destructor",
]


def _hot(shape: str, culprit: str, ms: int, **more: str | int) -> Call:
    query = urlencode({"shape": shape, "culprit": culprit, "ms": ms, **more})
    return Call(script=PAGES / "hot.php", uri=f"/{shape}/{culprit}?{query}", headers={"Host": HOST})


def _ask(fpm: PhpFpm, daemon: Compassd, call: Call) -> tuple[dict[str, Any], int]:
    """Return the breach and how long the culprit took by PHP's own clock, ns."""
    before = len(daemon.breaches())
    own: int = fpm.request(call).json()["culprit_ns"]
    return daemon.wait_for_breaches(before + 1)[-1], own


def _names(breach: dict[str, Any]) -> list[str]:
    return [step["function"] for step in breach["hot_path"]]


def _check(breach: dict[str, Any], leaf: str, own_ns: int) -> dict[str, Any]:
    """Check that the hot path ends at leaf below Culprit::run, whose time is PHP's; return that step."""
    names = _names(breach)
    assert names[-1] == leaf
    run: dict[str, Any]
    (run,) = [step for step in breach["hot_path"] if step["function"] == "Culprit::run"]
    spent = run["on_cpu_ns"] + run["off_cpu_ns"]
    assert spent == pytest.approx(own_ns, rel=0.02, abs=10 * MS)
    _check_sums(breach)
    return run


def _check_sums(breach: dict[str, Any]) -> None:
    tree = breach["call_tree"]
    parts = [*tree["nodes"], tree["other"]]
    accounted = sum(part["on_cpu_ns"] + part["off_cpu_ns"] for part in parts) + tree["unattributed_ns"]
    assert accounted == pytest.approx(breach["request"]["duration_ns"], rel=0.001)


@pytest.mark.parametrize("shape", SHAPES)
def test_a_sleep_is_found_in_every_shape(
    shape: str, php_fpm: PhpFpmFactory, compassd: CompassdFactory
) -> None:
    daemon = compassd()
    breach, own = _ask(php_fpm(workers=1), daemon, _hot(shape, "sleep", 200))
    run = _check(breach, "usleep", own)
    assert run["waits"] == 1
    assert run["file"].endswith("/hot.php")
    assert run["line"] == 13
    assert _names(breach)[0] == "{main}"


@pytest.mark.parametrize(
    "ini",
    [
        {"opcache.enable": 0},
        {"opcache.jit": "tracing", "opcache.jit_buffer_size": "32M"},
        {"opcache.jit": "function", "opcache.jit_buffer_size": "32M"},
    ],
    ids=["opcache off", "tracing JIT", "function JIT"],
)
@pytest.mark.parametrize("shape", ["method", "generator", "fiber"])
def test_a_busy_function_is_found_however_php_runs_it(
    ini: dict[str, str | int], shape: str, php_fpm: PhpFpmFactory, compassd: CompassdFactory
) -> None:
    daemon = compassd()
    breach, own = _ask(php_fpm(workers=1, ini=ini), daemon, _hot(shape, "burn", 300))
    assert "Culprit::burn" in _names(breach)
    run = _check(breach, _names(breach)[-1], own)
    assert run["on_cpu_ns"] > 0


def test_names_stay_right_across_workers_and_opcache_resets(
    php_fpm: PhpFpmFactory, compassd: CompassdFactory
) -> None:
    daemon = compassd()
    fpm = php_fpm(workers=2, max_requests=3)
    for n in range(10):
        more = {"reset": 1} if n % 4 == 3 else {}
        breach, own = _ask(fpm, daemon, _hot(SHAPES[n % len(SHAPES)], "sleep", 120, **more))
        _check(breach, "usleep", own)


def test_a_regex_is_cpu_time_of_preg_match(
    php_fpm: PhpFpmFactory, compassd: CompassdFactory, php_version: str
) -> None:
    daemon = compassd()
    breach, own = _ask(php_fpm(workers=1), daemon, _hot("method", "regex", 300))
    # Since 8.4 PHP calls a few functions, preg_match among them, without a frame.
    frameless = php_version not in ("8.2", "8.3")
    run = _check(breach, "Culprit::regex" if frameless else "preg_match", own)
    assert run["on_cpu_ns"] > 0
    (regex,) = [step for step in breach["hot_path"] if step["function"] == "Culprit::regex"]
    assert regex["line"] in (34, 35)


def test_waiting_for_a_lock_in_sqlite(
    php_fpm: PhpFpmFactory, compassd: CompassdFactory, tmp_path: Path
) -> None:
    database = tmp_path / "shop.sqlite"
    with sqlite3.connect(database, isolation_level=None, check_same_thread=False) as connection:
        connection.execute("CREATE TABLE product (id INTEGER)")
        connection.execute("BEGIN EXCLUSIVE")
        release = threading.Timer(0.4, connection.execute, ("ROLLBACK",))
        release.start()
        daemon = compassd()
        release.join()
        connection.execute("BEGIN EXCLUSIVE")
        release = threading.Timer(0.4, connection.execute, ("ROLLBACK",))
        release.start()
        breach, own = _ask(php_fpm(workers=1), daemon, _hot("method", "sqlite", 0, database=str(database)))
        release.join()
    connection.close()
    run = _check(breach, "PDO::query", own)
    assert run["waits"] > 3
    assert run["off_cpu_ns"] > 100 * MS


def test_waiting_for_flock(php_fpm: PhpFpmFactory, compassd: CompassdFactory, tmp_path: Path) -> None:
    daemon = compassd()
    fpm = php_fpm(workers=1)
    with (tmp_path / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        release = threading.Timer(0.3, fcntl.flock, (lock, fcntl.LOCK_UN))
        release.start()
        breach, own = _ask(fpm, daemon, _hot("method", "flock", 0, file=str(tmp_path / "lock")))
        release.join()
    _check(breach, "flock", own)


@pytest.fixture
def service() -> Iterator[SlowService]:
    with SlowService(delay=0.3) as running:
        yield running


def test_waiting_for_http(php_fpm: PhpFpmFactory, compassd: CompassdFactory, service: SlowService) -> None:
    daemon = compassd()
    breach, own = _ask(php_fpm(workers=1), daemon, _hot("method", "http", 0, url=service.url))
    run = _check(breach, "file_get_contents", own)
    assert run["off_cpu_ns"] > 250 * MS


def test_a_loop_of_waits_is_counted(php_fpm: PhpFpmFactory, compassd: CompassdFactory) -> None:
    daemon = compassd()
    script = PAGES / "waits.php"
    fpm = php_fpm(workers=1)
    fpm.request(Call(script=script, uri="/waits?n=150", headers={"Host": HOST}))
    (breach,) = daemon.wait_for_breaches(1)
    leaf = breach["hot_path"][-1]
    assert leaf["function"] == "usleep"
    assert leaf["waits"] == pytest.approx(150, rel=0.1)
    assert breach["hot_path"][-2]["line"] == 6


def test_a_stack_deeper_than_the_bound_is_cut_at_its_root_and_says_so(
    php_fpm: PhpFpmFactory, compassd: CompassdFactory
) -> None:
    daemon = compassd()
    breach, own = _ask(php_fpm(workers=1), daemon, _hot("recursion", "sleep", 200, depth=500))
    _check(breach, "usleep", own)
    assert breach["call_tree"]["cut_stacks"] >= 1
    assert "{main}" not in _names(breach)


def test_more_places_than_a_tree_holds_are_told_as_other(
    php_fpm: PhpFpmFactory, compassd: CompassdFactory
) -> None:
    daemon = compassd()
    script = PAGES / "waits.php"
    php_fpm(workers=1).request(Call(script=script, uri="/waits?places=900", headers={"Host": HOST}))
    (breach,) = daemon.wait_for_breaches(1)
    _check_sums(breach)
    assert breach["call_tree"]["other"]["waits"] > 100
    assert breach["call_tree"]["other"]["off_cpu_ns"] > 0
    assert len(breach["call_tree"]["nodes"]) <= 511


def test_many_workers_do_not_mix(php_fpm: PhpFpmFactory, compassd: CompassdFactory) -> None:
    daemon = compassd()
    fpm = php_fpm(workers=16)
    calls = [_hot(SHAPES[n % len(SHAPES)], "sleep", 300 + n) for n in range(48)]
    threads = [threading.Thread(target=fpm.request, args=(call,)) for call in calls]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for breach in daemon.wait_for_breaches(48):
        shape = breach["attributes"]["url.path"].split("/")[1]
        names = _names(breach)
        assert names[-2:] == ["Culprit::run", "usleep"]
        assert ("{closure" in "".join(names)) == (shape in ("closure", "callback", "fiber"))
        assert ("Shape::generator" in names) == (shape == "generator")
        _check_sums(breach)


def test_sampling_can_be_switched_off(php_fpm: PhpFpmFactory, compassd: CompassdFactory) -> None:
    daemon = compassd(settings='sampling = false\n[destinations.out]\ntype = "stdout"\n')
    php_fpm(workers=1).request(_hot("method", "sleep", 200))
    (breach,) = daemon.wait_for_breaches(1)
    assert breach["hot_path"] is None
    assert breach["call_tree"] is None
