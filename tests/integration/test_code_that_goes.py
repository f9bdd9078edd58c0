"""Code whose memory PHP uses for other code soon after: each is told by its own name and file."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from lab.compassd import Compassd
from lab.fastcgi import Call
from lab.php_fpm import PhpFpm
from tests.conftest import PhpFpmFactory
from tests.integration.conftest import HOST, RULES, CompassdFactory

pytestmark = pytest.mark.ebpf

OPCACHE = pytest.mark.parametrize("opcache", [1, 0], ids=["opcache", "no opcache"])
MS = 1_000_000


def _ask(fpm: PhpFpm, script: Path) -> None:
    fpm.request(Call(script=script, uri=f"/{script.name}", headers={"Host": HOST}))


def _slept(breach: dict[str, Any]) -> dict[str, float]:
    """Return how long each file slept, ms."""
    nodes = breach["call_tree"]["nodes"]
    slept: dict[str, float] = {}
    for node in nodes:
        if node["function"] == "usleep":
            file = Path(nodes[node["parent"]]["file"]).name
            slept[file] = slept.get(file, 0) + node["off_cpu_ns"] / MS
    return slept


def _check_told_apart(daemon: Compassd, fpm: PhpFpm, page: Path, parts: dict[str, int]) -> None:
    """Check what is told of two requests of the page, whose files sleep for so long each, ms."""
    for _ in range(2):
        _ask(fpm, page)
    for breach in daemon.wait_for_breaches(2):
        assert _slept(breach) == {name: pytest.approx(ms, abs=10) for name, ms in parts.items()}


@OPCACHE
def test_each_included_file_is_told_apart(
    opcache: int, php_fpm: PhpFpmFactory, compassd: CompassdFactory, tmp_path: Path
) -> None:
    parts = {f"part-{number}.phtml": 60 + 30 * number for number in range(4)}
    for number, (name, ms) in enumerate(parts.items()):
        (tmp_path / name).write_text("<?php\n" + "\n" * number + f"usleep({ms * 1000});\n")
    page = tmp_path / "page.php"
    page.write_text("<?php\n" + "".join(f"include __DIR__ . '/{name}';\n" for name in parts))
    _check_told_apart(compassd(), php_fpm(workers=1, ini={"opcache.enable": opcache}), page, parts)


@OPCACHE
def test_files_that_are_included_at_one_place_are_told_apart(
    opcache: int, php_fpm: PhpFpmFactory, compassd: CompassdFactory, tmp_path: Path
) -> None:
    # Of one size and shape, so that each may be where the one before was, operation by operation.
    parts = {f"part-{number}.phtml": 60 + 10 * number for number in range(4)}
    for name, ms in parts.items():
        (tmp_path / name).write_text(f"<?php\nusleep({ms * 1000});\n")
    page = tmp_path / "page.php"
    page.write_text("<?php\nforeach (glob(__DIR__ . '/*.phtml') as $part) {\n    include $part;\n}\n")
    _check_told_apart(compassd(), php_fpm(workers=1, ini={"opcache.enable": opcache}), page, parts)


def test_functions_that_are_called_as_objects_are_told_apart(
    php_fpm: PhpFpmFactory, compassd: CompassdFactory, tmp_path: Path
) -> None:
    page = tmp_path / "page.php"
    page.write_text(
        "<?php\nforeach (['usleep' => 150000, 'sleep' => 1, 'usleep ' => 150000] as $name => $time) {\n"
        "    Closure::fromCallable(trim($name))($time);\n}\n"
    )
    daemon = compassd()
    _ask(php_fpm(workers=1), page)
    (breach,) = daemon.wait_for_breaches(1)
    slept = {node["function"]: node["off_cpu_ns"] / MS for node in breach["call_tree"]["nodes"]}
    assert slept["usleep"] == pytest.approx(300, abs=10)
    assert slept["sleep"] == pytest.approx(1000, abs=10)


def test_each_closure_is_told_apart(
    php_fpm: PhpFpmFactory, compassd: CompassdFactory, tmp_path: Path
) -> None:
    parts = {"one.php": 60, "two.php": 90, "three.php": 120}
    for name, ms in parts.items():
        (tmp_path / name).write_text(f"<?php\nreturn function () {{ usleep({ms * 1000}); }};\n")
    page = tmp_path / "page.php"
    page.write_text("<?php\n" + "".join(f"(include __DIR__ . '/{name}')();\n" for name in parts))
    _check_told_apart(compassd(), php_fpm(workers=1), page, parts)


@OPCACHE
def test_each_script_is_told_apart(
    opcache: int, php_fpm: PhpFpmFactory, compassd: CompassdFactory, tmp_path: Path
) -> None:
    scripts = [tmp_path / name for name in ("one.php", "two.php")]
    for script in scripts:
        script.write_text("<?php\nusleep(120000);\n")
    daemon = compassd()
    fpm = php_fpm(workers=1, ini={"opcache.enable": opcache})
    for script in scripts * 3:
        _ask(fpm, script)
    told = [list(_slept(breach)) for breach in daemon.wait_for_breaches(6)]
    assert told == [["one.php"], ["two.php"]] * 3


def test_a_process_that_a_script_forks_tells_nothing(
    php_fpm: PhpFpmFactory, compassd: CompassdFactory, tmp_path: Path
) -> None:
    page = tmp_path / "page.php"
    # The child ends the request, too; the parent then waits for it. Both processes end with it.
    page.write_text(
        "<?php\n$c = FFI::cdef('int fork(void); int wait(int *status);');\n"
        "if ($c->fork() === 0) {\n    exit;\n}\n$c->wait(null);\nusleep(120000);\n"
    )
    daemon = compassd(rules=RULES.replace('"100ms"', '"100ms", cpu = "10s"'))
    fpm = php_fpm(workers=1, max_requests=1, modules=["ffi"], ini={"ffi.enable": 1})
    _ask(fpm, page)
    _ask(fpm, page)
    told = daemon.wait_for_breaches(2)
    assert [[each["metric"] for each in breach["exceeded"]] for breach in told] == [["duration"]] * 2
