"""Logging, in processes of their own: it is what they leave behind that counts."""

from __future__ import annotations

import fcntl
import os
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Mapping
from itertools import islice
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent.parent
F_SETPIPE_SZ = 1031
CONFIGURED = """
import logging, os, sys, time
from compassd import logs
logs.configure("info")
log = logging.getLogger("compassd.test")
"""


def start(program: str, errors: int, environment: Mapping[str, str] | None = None) -> subprocess.Popen[bytes]:
    return subprocess.Popen(
        [sys.executable, "-c", CONFIGURED + program],
        cwd=ROOT,
        env={**os.environ, **(environment or {})},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=errors,
    )


def logged(program: str, environment: Mapping[str, str] | None = None) -> str:
    process = start(program, subprocess.PIPE, environment)
    _, errors = process.communicate(timeout=30)
    assert process.returncode == 0, errors
    return errors.decode()


class Stuck:
    """A pipe that nobody reads yet, of one page."""

    def __init__(self) -> None:
        self.reader, self.writer = os.pipe()
        fcntl.fcntl(self.writer, F_SETPIPE_SZ, 4096)

    def read(self) -> str:
        """Read until all writers have gone."""
        os.close(self.writer)
        with os.fdopen(self.reader, "rb") as file:
            return file.read().decode()


def test_every_line_arrives_in_order_and_the_last_one_is_the_last() -> None:
    program = 'for n in range(3000): log.info("line %d", n)\nlog.info("compassd stopped: bye")\n'
    assert logged(program).splitlines() == [*[f"line {n}" for n in range(3000)], "compassd stopped: bye"]


def test_severities_are_for_a_terminal_or_for_the_journal() -> None:
    program = 'log.info("i")\nlog.warning("w")\nlog.debug("d")\nlog.error("%s", "e\\nf \\udc80")\n'
    assert logged(program, {"JOURNAL_STREAM": ""}).splitlines() == ["<6>i", "<4>w", "<3>e", "<3>f \\udc80"]
    unset = 'import os; os.environ.pop("JOURNAL_STREAM", None); logs.configure("info")\n'
    assert logged(unset + program).splitlines() == ["i", "warning: w", "error: e", "f \\udc80"]


def test_an_exception_is_logged_with_its_traceback() -> None:
    text = logged('try: 1 / 0\nexcept ZeroDivisionError: log.exception("oops")\n')
    assert "oops" in text
    assert "ZeroDivisionError" in text


def test_a_reader_that_does_not_read_stops_neither_the_work_nor_the_end() -> None:
    stuck = Stuck()
    begun = time.monotonic()
    process = start(
        'for n in range(50_000): log.warning("line %d", n)\nlog.warning("last")\nprint("done", flush=True)\n',
        stuck.writer,
    )
    assert process.stdout is not None
    assert process.stdout.readline() == b"done\n"
    assert process.wait(20) == 0
    process.communicate()
    assert time.monotonic() - begun < 15
    lines = stuck.read().splitlines()
    assert lines[0].endswith("line 0")
    assert "last" not in lines


def test_what_was_dropped_is_told_where_it_is_missing() -> None:
    stuck = Stuck()
    process = start(
        'for n in range(50_000): log.warning("line %d", n)\n'
        'print("done", flush=True)\nsys.stdin.readline()\nlog.info("compassd stopped: bye")\n',
        stuck.writer,
        {"JOURNAL_STREAM": "1:2"},
    )
    assert process.stdout is not None
    assert process.stdin is not None
    assert process.stdout.readline() == b"done\n"
    read: list[str] = []
    reader = threading.Thread(target=lambda: read.append(stuck.read()))
    reader.start()
    process.communicate(b"\n", timeout=20)
    reader.join()
    lines = read[0].splitlines()
    expected = iter([*[f"<4>line {n}" for n in range(50_000)], "<6>compassd stopped: bye"])
    notices = 0
    for line in lines:
        if "log lines dropped" in line:
            notices += 1
            dropped = int(line.removeprefix("<4>").split()[0])
            assert dropped > 0
            assert len(list(islice(expected, dropped))) == dropped
        else:
            assert line == next(expected)
    assert notices > 0
    assert list(expected) == []


def test_a_reader_that_went_away_stops_nothing() -> None:
    reader, writer = os.pipe()
    os.close(reader)
    begun = time.monotonic()
    process = start('for n in range(20_000): log.warning("line %d", n)\n', writer)
    os.close(writer)
    process.communicate(timeout=20)
    assert process.returncode == 0
    assert time.monotonic() - begun < 15


def test_without_a_standard_error_nothing_is_written_elsewhere(tmp_path: Path) -> None:
    other = tmp_path / "other"
    program = (
        "import os\nos.close(2)\nimport sys\nsys.stderr = None\n"
        f"os.open({str(other)!r}, os.O_WRONLY | os.O_CREAT)\n"
        'logs.configure("info")\nlog.error("oops")\n'
    )
    process = start(program, subprocess.DEVNULL)
    process.communicate(timeout=20)
    assert process.returncode == 0
    assert other.read_bytes() == b""


@pytest.mark.parametrize("level", ["debug", "info"])
def test_nothing_that_libraries_log_arrives(level: str) -> None:
    """Of a malformed header urllib3 warns with the URL, which is a secret."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]

        def answer() -> None:
            connection, _ = server.accept()
            with connection:
                connection.recv(65536)
                connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nno colon here\r\n\r\nok")

        thread = threading.Thread(target=answer)
        thread.start()
        errors = logged(
            f'logs.configure("{level}")\n'
            "from compassd.destinations.slack import SlackDestination\n"
            "from compassd.destinations.base import SendError\n"
            "from lab.memory import InMemory\n"
            "from lab.notices import make_incident, make_message\n"
            f'slack = SlackDestination("ops", "http://127.0.0.1:{port}/services/T000/SECRET")\n'
            "try: slack.send(make_message(make_incident()), InMemory())\n"
            'except SendError as error: log.info("%s", error)\n'
            'for name in ("urllib3", "urllib3.connectionpool", "requests", "compassdfoo", None):\n'
            '    logging.getLogger(name).critical("SECRET")\n'
            'log.info("the end")\n'
        )
        thread.join()
    assert "SECRET" not in errors
    assert "header" not in errors
    assert errors.endswith("the end\n")
