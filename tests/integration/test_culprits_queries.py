"""Ground truth of the call tree: queries in a loop, to a real MariaDB and to a SQLite file with locks."""

from __future__ import annotations

import sqlite3
import threading
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import pytest

from lab.compassd import Compassd
from lab.mariadb import MariaDb
from lab.php_fpm import PhpFpm
from tests.integration.hot import Finding, ask, check_line, check_time, check_waits, hot
from tests.integration.seeds import FAST_QUERY, PATHS, PRODUCTS, QUERIES, SLOW_QUERY

pytestmark = pytest.mark.ebpf


@pytest.fixture(scope="module")
def mariadb() -> Iterator[MariaDb]:
    with MariaDb(sql=PRODUCTS) as running:
        yield running


def _check(finding: Finding, api: str) -> None:
    """Check that the loop and the line that sends the query are found, and how often it waited."""
    wanted = ["Culprit::run", *PATHS[api]]
    assert finding.names[-len(wanted) :] == wanted
    check_line(finding, f"query: {PATHS[api][-2].removeprefix('Repository::')}")
    check_waits(finding)


def _waited_in(finding: Finding, function: str) -> bool:
    nodes = finding.breach["call_tree"]["nodes"]
    return any(node["function"] == function and node["waits"] for node in nodes)


@pytest.mark.parametrize("api", ["procedural", "method", "statement", "pdo", "emulated", "native"])
def test_each_query_of_a_loop_is_one_wait(
    api: str, worker: PhpFpm, daemon: Compassd, mariadb: MariaDb
) -> None:
    query = {"api": api, "database": str(mariadb.socket), "sql": SLOW_QUERY}
    finding = ask(worker, daemon, hot("method", "queries", 0, **query))
    for _ in range(4):
        if api != "statement" or _waited_in(finding, "mysqli::prepare"):
            break
        # The server answered before PHP could wait: then nobody has seen what was prepared.
        finding = ask(worker, daemon, hot("method", "queries", 0, **query))
    _check(finding, api)
    check_time(finding)
    assert finding.path[-1]["waits"] == pytest.approx(QUERIES, rel=0.1)
    (place,) = [place for place in finding.breach["wait_places"] if place["function"] == PATHS[api][-1]]
    assert place["waited_for"] == "SELECT name, SLEEP(?) FROM product WHERE id = ?"
    assert place["waits"] == finding.path[-1]["waits"]


@pytest.mark.parametrize("api", ["method", "native"])
def test_queries_that_are_answered_at_once_are_counted_as_the_kernel_counts_them(
    api: str, worker: PhpFpm, daemon: Compassd, mariadb: MariaDb
) -> None:
    database = str(mariadb.socket)
    call = hot("method", "queries", 0, api=api, database=database, sql=FAST_QUERY, n=20_000)
    finding = ask(worker, daemon, call)
    _check(finding, api)
    check_time(finding, is_choppy=True)
    # On a busy machine fewer than queries: the server gets the processor first, and the answer is there.
    assert finding.path[-1]["waits"] > 1000


@contextmanager
def _used_by_others(path: Path) -> Iterator[None]:
    """Make a database, and lock it for 5 ms of every 10 ms."""
    done = threading.Event()

    def use() -> None:
        with closing(sqlite3.connect(path, isolation_level=None, timeout=30)) as connection:
            while not done.is_set():
                connection.execute("BEGIN EXCLUSIVE")
                time.sleep(0.005)
                connection.execute("ROLLBACK")
                time.sleep(0.005)

    with closing(sqlite3.connect(path)) as connection, connection:
        connection.execute("CREATE TABLE product (id INTEGER PRIMARY KEY)")
        connection.executemany("INSERT INTO product VALUES (?)", [(n,) for n in range(1, QUERIES + 1)])
    user = threading.Thread(target=use)
    user.start()
    try:
        yield
    finally:
        done.set()
        user.join()


def test_queries_that_meet_the_locks_of_others_wait(worker: PhpFpm, daemon: Compassd, tmp_path: Path) -> None:
    database = tmp_path / "shop.sqlite"
    # Each takes a millisecond or two itself, so that the loop meets many locks.
    sql = (
        "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 8000) "
        "SELECT count(*) FROM n, product WHERE id ="
    )
    with _used_by_others(database):
        finding = ask(
            worker, daemon, hot("method", "queries", 0, api="sqlite", database=str(database), sql=sql)
        )
    _check(finding, "sqlite")
    check_time(finding)
    assert finding.path[-1]["waits"] > 10
