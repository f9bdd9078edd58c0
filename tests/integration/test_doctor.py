"""`compassd doctor` on real php-fpm: exit 0 only where alerts would flow, and the mend where not."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from compassd.store.store import Store
from lab.outbox import make_message
from lab.php_fpm import PhpFpm
from lab.receiver import Receiver
from tests.conftest import PhpFpmFactory
from tests.integration.conftest import RULES

pytestmark = pytest.mark.ebpf

STDOUT = '[destinations.out]\ntype = "stdout"\n'

STATE = "disk/state"

Doctor = Callable[..., tuple[int, list[str]]]


@pytest.fixture
def doctor(root: Path, tmp_path: Path, extension: Path) -> Doctor:
    """Run the doctor and return its exit status and lines."""

    def run(
        settings: str = STDOUT, rules: str = RULES, prefix: tuple[str, ...] = ()
    ) -> tuple[int, list[str]]:
        config, rules_file = tmp_path / "compassd.toml", tmp_path / "rules.toml"
        own = {"extension_paths": [str(extension)], "state_directory": str(tmp_path / STATE)}
        lines = [f"{name} = {json.dumps(value)}\n" for name, value in own.items()]
        config.write_text("".join(lines) + settings)
        rules_file.write_text(rules)
        command: list[str | Path] = [
            *prefix,
            sys.executable,
            "-m",
            "compassd",
            "doctor",
            "--config",
            config,
            "--rules",
            rules_file,
        ]
        done = subprocess.run(command, cwd=root, capture_output=True, text=True, check=False)
        assert "Traceback" not in done.stderr
        return done.returncode, done.stdout.splitlines()

    return run


def _about(lines: list[str], subject: str) -> str:
    (line,) = [line for line in lines if f" {subject}" in line]
    return line


def _pool(lines: list[str], fpm: PhpFpm, pool: str = "www") -> str:
    return _about(lines, f"php-fpm (pid {fpm.pid}), pool {pool}:")


def test_all_is_well(php_fpm: PhpFpmFactory, doctor: Doctor, extension: Path) -> None:
    fpm = php_fpm(pools=("shop", "admin"))
    status, lines = doctor()
    assert lines[-1] == "alerts would flow"
    assert status == 0
    assert any(line == f"ok    extension: {extension} probes attach" for line in lines)
    assert _about(lines, "sampler:") == "ok    sampler: runs, at 99 Hz"
    assert "probes armed; function probes off" in _pool(lines, fpm, "shop")
    assert "probes armed" in _pool(lines, fpm, "admin")
    assert not [line for line in lines if line.startswith("FAIL")]


def test_nothing_is_left_attached(php_fpm: PhpFpmFactory, doctor: Doctor) -> None:
    fpm = php_fpm(ini={"compass.function_probes": "On"})
    status, lines = doctor()
    assert status == 0
    assert "function probes on" in _pool(lines, fpm)
    # A second look finds the semaphores raised by itself only.
    assert doctor()[0] == 0


def test_fpm_without_the_extension(php_fpm: PhpFpmFactory, doctor: Doctor) -> None:
    without = php_fpm(extension=None)
    status, lines = doctor()
    assert status == 1
    assert "phpenmod" in _about(lines, f"php-fpm (pid {without.pid}):")
    # Beside one that has it, it may be meant so.
    php_fpm()
    status, lines = doctor()
    assert status == 0
    assert _about(lines, f"php-fpm (pid {without.pid}):").startswith("warn")


def test_extension_switched_off_in_one_pool(php_fpm: PhpFpmFactory, doctor: Doctor) -> None:
    fpm = php_fpm(pool_settings={"php_admin_value[compass.enabled]": "0"})
    status, lines = doctor()
    assert status == 1
    assert "compass.enabled=1" in _pool(lines, fpm)


def test_no_fpm(doctor: Doctor) -> None:
    # Where it sees no other process.
    status, lines = doctor(prefix=("unshare", "--pid", "--fork", "--mount-proc"))
    assert status == 1
    assert "is not running" in _about(lines, "php-fpm:")


def test_broken_rules_and_settings(php_fpm: PhpFpmFactory, doctor: Doctor) -> None:
    php_fpm()
    status, lines = doctor(rules=RULES.replace("duration", "durration"))
    assert status == 1
    assert "durration" in _about(lines, "rules:")
    status, lines = doctor(settings="queue_sise = 3\n")
    assert status == 1
    assert "queue_sise" in _about(lines, "settings:")
    functions = '[[rule]]\nname = "a"\nbudget.function = { name = "PDO::*", waits = 50 }\n'
    status, lines = doctor(settings="sampling = false\n", rules=functions)
    assert status == 1
    assert "set sampling = true" in _about(lines, "rules:")


def test_rules_that_are_hardly_meant_so(php_fpm: PhpFpmFactory, doctor: Doctor) -> None:
    php_fpm()
    status, lines = doctor(rules=RULES + RULES.replace("slow", "same"))
    assert status == 0
    (warning,) = (line for line in lines if line.startswith("warn  rules:"))
    assert 'rule "same": tells the same as rule "slow"' in warning


def test_an_unreachable_destination(php_fpm: PhpFpmFactory, doctor: Doctor) -> None:
    php_fpm()
    secret = "T000-B000-hush"  # noqa: S105 - must not be shown
    url = f"http://127.0.0.1:1/services/{secret}"
    status, lines = doctor(settings=f'[destinations.ops]\ntype = "slack"\nurl = "{url}"\n')
    assert status == 1
    assert "127.0.0.1:1 cannot be reached" in _about(lines, "destination ops:")
    assert not any(secret in line for line in lines)


def _content(directory: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in directory.iterdir()}


@pytest.fixture
def hook() -> Iterator[str]:
    """Settings with a webhook that answers."""
    with Receiver() as receiver:
        yield f'[destinations.hook]\ntype = "webhook"\nurl = "{receiver.webhook_url}"\n'


def test_a_state_directory_in_use(php_fpm: PhpFpmFactory, doctor: Doctor, tmp_path: Path, hook: str) -> None:
    php_fpm()
    status, lines = doctor(settings=hook)
    state = tmp_path / STATE
    assert _about(lines, "state directory:") == f"ok    state directory: {state} is made when compassd starts"
    assert status == 0
    assert not state.exists()
    store = Store.open(state)
    try:
        dead = make_message("dead", destination="hook")
        store.commit(messages=[dead, make_message("late", destination="hook", created_at=1)])
        store.outbox.bury(dead, "HTTP 400")
        before = _content(state)
        status, lines = doctor(settings=hook)
        assert _content(state) == before
    finally:
        store.close()
    # It holds nothing up: what is sent from now on may arrive.
    assert status == 0
    assert _about(lines, "state directory:") == f"ok    state directory: {state} can be written"
    late, undelivered = (line for line in lines if line.startswith("warn  outbox of hook:"))
    assert "1 message waiting for more than an hour" in late
    assert "compassd outbox retry hook" in undelivered


@pytest.mark.parametrize(
    ("mounted", "verdict", "detail"),
    [(STATE, "warn", "is on a read-only disk"), ("disk", "FAIL", "disk cannot be written")],
)
def test_a_state_directory_on_a_read_only_disk(
    doctor: Doctor, tmp_path: Path, mounted: str, verdict: str, detail: str
) -> None:
    (tmp_path / mounted).mkdir(parents=True)
    mount = f'mount -t tmpfs -o ro none {tmp_path / mounted} && exec "$@"'
    hook = '[destinations.hook]\ntype = "webhook"\nurl = "http://127.0.0.1:1/hook"\n'
    _, lines = doctor(settings=hook, prefix=("unshare", "--mount", "sh", "-c", mount, "sh"))
    found = _about(lines, "state directory:")
    assert found.startswith(verdict)
    assert detail in found
    assert "let state_directory name" in found


def test_without_privileges(php_fpm: PhpFpmFactory, doctor: Doctor) -> None:
    php_fpm()
    bounded = ("setpriv", "--bounding-set", "-sys_admin,-bpf,-perfmon", "--inh-caps", "-all", "--")
    status, lines = doctor(prefix=bounded)
    assert status == 1
    assert "CAP_SYS_ADMIN" in _about(lines, "privileges:")
