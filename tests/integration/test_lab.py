"""The laboratory works, so that what it finds is about Compass."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import textwrap
from collections.abc import Iterator
from pathlib import Path

import pytest

from lab import processes
from lab.errors import LabError
from lab.fastcgi import Call, FastCGIError, drive, drive_all, send
from lab.php_fpm import PhpFpm

ECHO = """<?php
header('Content-Type: application/json');
header('X-Twice: 1');
header('X-Twice: 2', false);
if (isset($_GET['status'])) { http_response_code((int) $_GET['status']); }
if (isset($_GET['sleep'])) { usleep((int) $_GET['sleep']); }
if (isset($_GET['log'])) { error_log($_GET['log']); }
echo json_encode([
    'pid' => getmypid(),
    'uid' => posix_getuid(),
    'uri' => $_SERVER['REQUEST_URI'] ?? null,
    'method' => $_SERVER['REQUEST_METHOD'],
    'header' => $_SERVER['HTTP_X_REQUEST_ID'] ?? null,
    'binary' => bin2hex($_SERVER['BINARY'] ?? ''),
    'body' => md5(file_get_contents('php://input')),
    'get' => $_GET,
    'environment' => getenv('COMPASS_LAB'),
    'scanned' => php_ini_scanned_files(),
    'loaded' => array_map('strtolower', get_loaded_extensions()),
    'opcache' => function_exists('opcache_get_status') && opcache_get_status(false)['opcache_enabled'],
]);
"""
MEBIBYTE = 1 << 20


@pytest.fixture(scope="module")
def echo(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A script that answers with what it was sent."""
    directory = tmp_path_factory.mktemp("www")
    for parent in (directory, *directory.parents[:2]):
        parent.chmod(0o755)  # workers of another user read it, too
    script = directory / "echo.php"
    script.write_text(ECHO)
    return script


@pytest.fixture(scope="module")
def fpm() -> Iterator[PhpFpm]:
    """Plain PHP-FPM."""
    with PhpFpm(workers=4, env={"COMPASS_LAB": "yes"}) as running:
        yield running


def test_php_answers_with_what_it_was_sent(fpm: PhpFpm, echo: Path) -> None:
    response = fpm.request(
        Call(script=echo, uri="/a?b=c", method="PUT", headers={"X-Request-ID": "r-1"}, body=b"hello")
    )
    answer = response.json()
    assert response.status == 200
    assert response.headers["content-type"].startswith("application/json")
    assert response.headers["x-twice"] == "1, 2"
    assert (answer["uri"], answer["method"], answer["header"]) == ("/a?b=c", "PUT", "r-1")
    assert answer["get"] == {"b": "c"}
    assert answer["body"] == "5d41402abc4b2a76b9719d911017c592"
    assert answer["pid"] in fpm.worker_pids()
    assert 0 < response.duration_ns < 10 * 10**9


def test_it_is_apart_from_the_machines_php(fpm: PhpFpm, echo: Path) -> None:
    answer = fpm.request(Call(script=echo)).json()
    assert answer["scanned"] is False
    assert answer["environment"] == "yes"
    assert answer["opcache"] is True
    assert {"pdo_sqlite", "curl"} <= set(answer["loaded"])
    assert "compass" not in answer["loaded"]


def test_status_and_log_of_a_request_come_back(fpm: PhpFpm, echo: Path) -> None:
    response = fpm.request(Call(script=echo, uri="/?status=503&log=oops"))
    assert response.status == 503
    assert b"oops" in response.stderr


@pytest.mark.parametrize("length", [1, 127, 128, 4096, 65_000])
def test_a_uri_of_any_length_that_php_takes_arrives(fpm: PhpFpm, echo: Path, length: int) -> None:
    uri = "/" + "x" * (length - 1)
    assert fpm.request(Call(script=echo, uri=uri)).json()["uri"] == uri


def test_64_kib_of_uri_and_query_arrive_in_several_records(fpm: PhpFpm, echo: Path) -> None:
    uri = "/?" + "&".join(f"k{n}={'v' * 1000}" for n in range(62))
    answer = fpm.request(Call(script=echo, uri=uri, headers={"X-Request-ID": "i" * 60_000})).json()
    assert answer["uri"] == uri
    assert len(answer["get"]) == 62
    assert len(answer["header"]) == 60_000


def test_a_parameter_that_php_cannot_take_is_an_error(fpm: PhpFpm, echo: Path) -> None:
    with pytest.raises(FastCGIError):
        fpm.request(Call(script=echo, uri="/" + "x" * 70_000))


def test_bytes_that_are_no_text_arrive(fpm: PhpFpm, echo: Path) -> None:
    answer = fpm.request(Call(script=echo, params={"BINARY": b"\xff\x01\x80"})).json()
    assert answer["binary"] == "ff0180"


def test_an_absent_uri_is_absent(fpm: PhpFpm, echo: Path) -> None:
    assert fpm.request(Call(script=echo, uri=None)).json()["uri"] is None


def test_a_large_body_that_is_never_read_does_not_block(fpm: PhpFpm, tmp_path: Path) -> None:
    script = tmp_path / "loud.php"
    script.write_text("<?php echo str_repeat('x', 4 << 20);")
    outcome = drive_all(fpm.socket, [Call(script=script, method="PUT", body=b"y" * (8 * MEBIBYTE))])[0]
    # PHP may close the connection on the rest of the body; what matters is that neither side hangs.
    assert isinstance(outcome, FastCGIError) or len(outcome.body) == 4 * MEBIBYTE


def test_answers_come_in_the_order_of_the_calls(fpm: PhpFpm, echo: Path) -> None:
    calls = [Call(script=echo, uri=f"/{n}?sleep={(7 * n % 5) * 1000}") for n in range(40)]
    responses = drive(fpm.socket, calls, concurrency=8)
    assert [response.json()["uri"] for response in responses] == [call.uri for call in calls]


def test_a_timeout_names_the_request(fpm: PhpFpm, echo: Path) -> None:
    with pytest.raises(FastCGIError, match=r"no answer to GET '/slow\?sleep=1000000' within 0\.1 s"):
        fpm.request(Call(script=echo, uri="/slow?sleep=1000000"), timeout=0.1)


def test_a_server_that_is_not_there_is_an_error(tmp_path: Path, echo: Path) -> None:
    with pytest.raises(FastCGIError, match=r"none\.sock"):
        send(tmp_path / "none.sock", Call(script=echo))


def test_a_worker_that_dies_is_an_error_of_its_request_only(fpm: PhpFpm, tmp_path: Path, echo: Path) -> None:
    script = tmp_path / "die.php"
    script.write_text("<?php posix_kill(getmypid(), 9);")
    outcomes = drive_all(fpm.socket, [Call(script=echo), Call(script=script), Call(script=echo)])
    assert [isinstance(outcome, FastCGIError) for outcome in outcomes] == [False, True, False]


def test_200_workers_answer_200_requests_at_once(echo: Path) -> None:
    with PhpFpm(workers=200) as fpm:
        calls = [Call(script=echo, uri="/?sleep=1000000")] * 200
        responses = drive(fpm.socket, calls, concurrency=200)
        assert len(fpm.worker_pids()) == 200
    assert len({response.json()["pid"] for response in responses}) == 200


def test_reload_replaces_the_workers_and_keeps_the_master(echo: Path) -> None:
    with PhpFpm(workers=3) as fpm:
        master, old = fpm.pid, set(fpm.worker_pids())
        fpm.reload()
        assert fpm.pid == master
        assert not old & set(fpm.worker_pids())
        assert fpm.request(Call(script=echo)).status == 200


def test_restart_replaces_the_master(echo: Path) -> None:
    with PhpFpm() as fpm:
        master = fpm.pid
        fpm.restart()
        assert fpm.pid != master
        assert fpm.request(Call(script=echo)).status == 200


def test_a_worker_is_replaced_after_max_requests(echo: Path) -> None:
    with PhpFpm(workers=1, max_requests=2) as fpm:
        pids = [fpm.request(Call(script=echo)).json()["pid"] for _ in range(4)]
    assert pids[0] == pids[1] != pids[2] == pids[3]


def test_pools_have_workers_of_their_own_and_another_user(echo: Path) -> None:
    user = "www-data" if os.geteuid() == 0 else None
    with PhpFpm(pools=("shop", "admin"), workers=1, pm="dynamic", user=user) as fpm:
        answers = [fpm.request(Call(script=echo), pool=pool).json() for pool in fpm.pools]
    assert answers[0]["pid"] != answers[1]["pid"]
    assert user is None or answers[0]["uid"] != 0


def test_a_broken_configuration_is_told_with_the_log() -> None:
    with (
        pytest.raises(LabError, match=r"unknown entry 'pm\.nonsense'"),
        PhpFpm(pool_settings={"pm.nonsense": 1}),
    ):
        pass


def test_stop_leaves_nothing() -> None:
    with PhpFpm() as fpm:
        pids = [fpm.pid, *fpm.worker_pids()]
        directory = fpm.directory
    assert not directory.exists()
    assert not [pid for pid in pids if Path(f"/proc/{pid}").exists()]


def test_it_ends_when_its_starter_is_killed(root: Path) -> None:
    program = textwrap.dedent("""
        import sys
        from lab.php_fpm import PhpFpm
        fpm = PhpFpm()
        fpm.start()
        print(fpm.pid, *fpm.worker_pids(), fpm.directory, flush=True)
        sys.stdin.read()
    """)
    with subprocess.Popen(
        [sys.executable, "-c", program], cwd=root, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as starter:
        assert starter.stdout is not None
        *pids, directory = starter.stdout.readline().split()
        starter.send_signal(signal.SIGKILL)
    processes.wait_until(
        lambda: not any(Path(f"/proc/{pid}").exists() for pid in pids), timeout=5, what="PHP-FPM to end"
    )
    for left in Path(directory).iterdir():
        left.unlink()
    Path(directory).rmdir()
