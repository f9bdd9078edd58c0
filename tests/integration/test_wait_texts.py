"""What requests waited for, on real PHP-FPM: the SQL, the path, the URL."""

from __future__ import annotations

import fcntl
import os
import socket
import sqlite3
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import pytest

from lab.fastcgi import Call
from lab.processes import wait_until
from lab.slow_redis import SlowRedis
from lab.slow_service import SlowService
from tests.conftest import PhpFpmFactory
from tests.integration.conftest import HOST, PAGES, CompassdFactory

pytestmark = pytest.mark.ebpf

PLANTED = "geheim-4711"
WAIT_S = 0.3


def _call(function: str, argument: str | Path, **more: str | Path) -> Call:
    query = urlencode({"for": function, "argument": argument, **more})
    return Call(script=PAGES / "texts.php", uri=f"/{function}?{query}", headers={"Host": HOST})


@contextmanager
def _after(action: Callable[[], object]) -> Iterator[None]:
    timer = threading.Timer(WAIT_S, action)
    timer.start()
    try:
        yield
    finally:
        timer.join()


def _place(breach: dict[str, Any], function: str) -> dict[str, Any]:
    """Return the wait in that function, which is where the request waited longest."""
    place: dict[str, Any] = next(p for p in breach["wait_places"] if p["function"] != "usleep")
    assert place["function"] == function
    assert place["file"].endswith("/texts.php")
    assert place["waits"] >= 1
    leaf = next(node for node in breach["call_tree"]["nodes"] if node["function"] == function)
    assert leaf.get("waited_for") == place.get("waited_for")
    return place


@pytest.fixture
def database(tmp_path: Path) -> Path:
    file = tmp_path / "shop.sqlite"
    connection = sqlite3.connect(file)
    connection.execute("CREATE TABLE product (id INTEGER, name TEXT)")
    connection.commit()
    connection.close()
    return file


@contextmanager
def _locked(database: Path, *, until: Callable[[], bool] | None = None) -> Iterator[None]:
    """Hold the database locked for a while, from when until() is true on."""
    connection = sqlite3.connect(database, isolation_level=None, check_same_thread=False)

    def hold() -> None:
        if until:
            wait_until(until, timeout=5, what="the page to be ready")
        connection.execute("BEGIN EXCLUSIVE")
        if until:
            (database.parent / "ready").unlink()
        time.sleep(WAIT_S)
        connection.execute("ROLLBACK")

    if until:
        thread = threading.Thread(target=hold)
        thread.start()
    else:
        connection.execute("BEGIN EXCLUSIVE")
        thread = threading.Timer(WAIT_S, connection.execute, ("ROLLBACK",))
        thread.start()
    try:
        yield
    finally:
        thread.join()
        connection.close()


@pytest.mark.parametrize(
    ("page", "function", "text"),
    [
        ("in_pdo_query", "PDO::query", "SELECT * FROM product WHERE name = ?"),
        ("in_pdo_exec", "PDO::exec", "UPDATE product SET name = ?"),
        ("in_pdo_statement", "PDOStatement::execute", "SELECT * FROM product WHERE name = :name"),
    ],
)
def test_the_sql_of_pdo_is_told_without_its_literals(  # noqa: PLR0913 - fixtures and cases
    page: str, function: str, text: str, database: Path, php_fpm: PhpFpmFactory, compassd: CompassdFactory
) -> None:
    daemon = compassd()
    ready = database.parent / "ready"
    with _locked(database, until=ready.exists):
        php_fpm(workers=1).request(_call(page, database, ready=ready))
    (breach,) = daemon.wait_for_breaches(1)
    assert _place(breach, function)["waited_for"] == text
    assert PLANTED not in daemon.output.read_text()


def test_the_sql_of_sqlite3_is_told(
    database: Path, php_fpm: PhpFpmFactory, compassd: CompassdFactory
) -> None:
    daemon = compassd()
    fpm = php_fpm(workers=1)
    with _locked(database):
        fpm.request(_call("in_sqlite3_query", database))
    (breach,) = daemon.wait_for_breaches(1)
    place = _place(breach, "SQLite3::query")
    assert place["waited_for"] == "SELECT count(*) FROM product WHERE id = ?"


def test_a_url_loses_its_credentials_and_query_string(
    php_fpm: PhpFpmFactory, compassd: CompassdFactory
) -> None:
    daemon = compassd()
    with SlowService(delay=WAIT_S) as service:
        php_fpm(workers=1).request(_call("in_file_get_contents", service.url))
        expected = service.url
    (breach,) = daemon.wait_for_breaches(1)
    assert _place(breach, "file_get_contents")["waited_for"] == expected
    assert PLANTED not in daemon.output.read_text()


def test_a_path_is_told_of_files_and_streams(
    tmp_path: Path, php_fpm: PhpFpmFactory, compassd: CompassdFactory
) -> None:
    daemon = compassd()
    fpm = php_fpm(workers=1)
    fifo, locked = tmp_path / "fifo", tmp_path / "lock"
    os.mkfifo(fifo)
    with _after(lambda: fifo.open("w").close()):
        fpm.request(_call("in_fopen", fifo))
    with _after(lambda: fifo.write_text("x\n")):
        fpm.request(_call("in_fgets", fifo))
    with locked.open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        with _after(lambda: fcntl.flock(lock, fcntl.LOCK_UN)):
            fpm.request(_call("in_flock", locked))
    opened, read, waited = daemon.wait_for_breaches(3)
    assert _place(opened, "fopen")["waited_for"] == str(fifo)
    assert _place(read, "fgets")["waited_for"] == str(fifo)
    assert _place(waited, "flock")["waited_for"] == str(locked)


def test_an_address_is_told_of_a_socket(php_fpm: PhpFpmFactory, compassd: CompassdFactory) -> None:
    daemon = compassd()
    with socket.create_server(("127.0.0.1", 0)) as server:

        def answer() -> None:
            connection, _ = server.accept()
            # No TLS handshake: the page waits for one.
            time.sleep(WAIT_S)
            connection.close()

        thread = threading.Thread(target=answer)
        thread.start()
        address = f"ssl://127.0.0.1:{server.getsockname()[1]}"
        php_fpm(workers=1).request(_call("in_stream_socket_client", address))
        thread.join()
    (breach,) = daemon.wait_for_breaches(1)
    assert _place(breach, "stream_socket_client")["waited_for"] == address


def test_the_key_of_redis_is_told_without_its_ids_and_a_password_never(
    php_fpm: PhpFpmFactory, compassd: CompassdFactory
) -> None:
    daemon = compassd()
    fpm = php_fpm(workers=1)
    with SlowRedis(delay=WAIT_S) as redis:
        fpm.request(_call("in_redis_get", str(redis.port)))
        fpm.request(_call("in_redis_auth", str(redis.port)))
    got, authenticated = daemon.wait_for_breaches(2)
    assert _place(got, "Redis::get")["waited_for"] == "cart:?:total"
    assert "waited_for" not in _place(authenticated, "Redis::auth")
    assert PLANTED not in daemon.output.read_text()


@pytest.mark.parametrize(
    ("policy", "text"), [("raw", "SELECT count(*) FROM product WHERE id = 4711"), ("off", None)]
)
def test_texts_can_be_told_as_they_are_or_not_at_all(
    policy: str, text: str | None, database: Path, php_fpm: PhpFpmFactory, compassd: CompassdFactory
) -> None:
    daemon = compassd(settings=f'wait_texts = "{policy}"\n[destinations.out]\ntype = "stdout"\n')
    fpm = php_fpm(workers=1)
    with _locked(database):
        fpm.request(_call("in_sqlite3_query", database))
    (breach,) = daemon.wait_for_breaches(1)
    assert _place(breach, "SQLite3::query").get("waited_for") == text
