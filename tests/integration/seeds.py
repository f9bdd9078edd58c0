"""The culprits that culprit.php seeds, what each needs around it, and where a breach must find it."""

from __future__ import annotations

import fcntl
import os
import sqlite3
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, closing, contextmanager
from dataclasses import dataclass
from pathlib import Path

from lab.mariadb import MariaDb
from lab.slow_service import SlowService

Query = Mapping[str, str | int]
# Given a directory, makes the rest of a culprit's query, and is there while the request runs.
Scene = Callable[[Path], AbstractContextManager[Query]]

# For MariaDB.
PRODUCTS = """
CREATE DATABASE shop;
USE shop;
CREATE TABLE product (id INT PRIMARY KEY, name VARCHAR(40));
INSERT INTO product SELECT seq, CONCAT('product ', seq) FROM seq_1_to_1000;
"""
FAST_QUERY = "SELECT name FROM product WHERE id ="
SLOW_QUERY = "SELECT name, SLEEP(0.001) FROM product WHERE id ="
# How many culprit.php sends unless told otherwise.
QUERIES = 212
# The hot path of a query that shop.php sends by each ?api=, below Culprit::run.
PATHS = {
    api: ("Shop::page", "Repository::find", f"Repository::{method}", call)
    for api, method, call in (
        ("procedural", "procedural", "mysqli_query"),
        ("method", "method", "mysqli::query"),
        ("statement", "statement", "mysqli_stmt::execute"),
        ("pdo", "pdo", "PDO::query"),
        ("emulated", "prepared", "PDOStatement::execute"),
        ("native", "prepared", "PDOStatement::execute"),
        ("sqlite", "prepared", "PDOStatement::execute"),
    )
}

# Time on the processor is counted in ticks of about 10 ms: of so much, one is less than 2%.
_CPU_MS = 600


@contextmanager
def _nothing(_: Path) -> Iterator[Query]:
    yield {}


@contextmanager
def _held_lock(directory: Path) -> Iterator[Query]:
    """Hold a file's lock for 200 ms."""
    path = directory / "lock"
    with path.open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        release = threading.Timer(0.2, fcntl.flock, (lock, fcntl.LOCK_UN))
        release.start()
        yield {"file": str(path)}
        release.join()


@contextmanager
def _slow_service(_: Path) -> Iterator[Query]:
    """Answer HTTP after 200 ms."""
    with SlowService(delay=0.2) as service:
        yield {"url": service.url}


@contextmanager
def _slow_pipe(directory: Path) -> Iterator[Query]:
    """Write 50 lines into a pipe, one every 4 ms."""
    path = directory / "pipe"
    os.mkfifo(path)

    def write() -> None:
        with path.open("w", buffering=1) as pipe:
            for n in range(50):
                time.sleep(0.004)
                pipe.write(f"line {n}\n")

    writer = threading.Thread(target=write)
    writer.start()
    yield {"file": str(path)}
    writer.join()


@contextmanager
def _large_file(directory: Path) -> Iterator[Query]:
    """Have 4 MiB in memory."""
    path = directory / "large"
    path.write_bytes(b"x" * (4 << 20))
    yield {"file": str(path)}


@contextmanager
def _locked_database(directory: Path) -> Iterator[Query]:
    """Keep everybody else out of a SQLite database for 200 ms."""
    path = directory / "shop.sqlite"
    with closing(sqlite3.connect(path, isolation_level=None, check_same_thread=False)) as connection:
        connection.execute("CREATE TABLE product (id INTEGER)")
        connection.execute("BEGIN EXCLUSIVE")
        release = threading.Timer(0.2, connection.execute, ("ROLLBACK",))
        release.start()
        yield {"database": str(path)}
        release.join()


@contextmanager
def _slow_database(_: Path) -> Iterator[Query]:
    """Answer each query after 1 ms."""
    with MariaDb(sql=PRODUCTS) as database:
        yield {"api": "native", "database": str(database.socket), "sql": SLOW_QUERY}


@dataclass(frozen=True, slots=True)
class Seed:
    """A culprit.

    Attributes:
        name: Its name in culprit.php, where "culprit: NAME" marks the line that is to blame.
        end: The end of the hot path, below Culprit::run.
        ms: How long it shall take, where it can choose.
        scene: What it needs around it.
        mark: The mark of that line if it is another; "" if no single line is to blame.
    """

    name: str
    end: tuple[str, ...]
    ms: int = 200
    scene: Scene = _nothing
    mark: str | None = None

    def __str__(self) -> str:
        """Return how tests name it."""
        return self.name


SEEDS = {
    seed.name: seed
    for seed in (
        Seed("sleep", ("usleep",)),
        Seed("burn", ("Culprit::burn", "hash"), ms=_CPU_MS),
        Seed("spin", ("Culprit::spin",), ms=_CPU_MS, mark=""),
        Seed("regex", ("Culprit::regex", "preg_match"), ms=_CPU_MS),
        Seed("collect", ("Culprit::collect", "gc_collect_cycles"), ms=_CPU_MS),
        # What PHP collects by itself has no frame: it is time of the function that made one object too many.
        Seed("litter", ("Culprit::litter",), ms=_CPU_MS, mark=""),
        Seed("lateDestructors", ("Culprit::lateDestructors", "LateLink::__destruct", "usleep")),
        Seed("read", ("Culprit::read", "file_get_contents"), ms=_CPU_MS, scene=_large_file),
        Seed("lines", ("Culprit::lines", "fgets"), scene=_slow_pipe),
        Seed("flock", ("Culprit::flock", "flock"), scene=_held_lock),
        Seed("http", ("file_get_contents",), scene=_slow_service),
        Seed("curl", ("Culprit::curl", "curl_exec"), scene=_slow_service),
        Seed("sqlite", ("Culprit::sqlite", "PDO::query"), scene=_locked_database),
        Seed("queries", PATHS["native"], scene=_slow_database, mark="query: prepared"),
    )
}
