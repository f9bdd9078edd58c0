"""A PHP-FPM of our own, which shares nothing with one that the machine may run.

It has its own directory, configuration, php.ini and sockets, and reads nothing of /etc/php.
"""

from __future__ import annotations

import os
import pwd
import re
import shutil
import signal
import socket as sockets
import subprocess
import tempfile
from collections.abc import Callable, Mapping, Sequence
from functools import cache
from pathlib import Path
from types import TracebackType
from typing import Literal, Self

from lab import processes
from lab.errors import LabError
from lab.fastcgi import Call, Response, send

# Loaded when the distribution has them. An extension comes after the one that it needs.
_EXTENSIONS = (
    *("mysqlnd", "pdo", "ctype", "curl", "mbstring", "mysqli"),
    *("pdo_mysql", "pdo_sqlite", "posix", "sockets", "sqlite3", "tokenizer", "igbinary", "redis"),
)
_START_S = 10.0
_RELOAD_S = 20.0


def installed_versions() -> list[str]:
    """Return the PHP versions that have an FPM here, oldest first: ["8.2"]."""
    found = [
        match[1]
        for path in Path("/usr/sbin").glob("php-fpm*")
        if (match := re.fullmatch(r"php-fpm(\d+\.\d+)", path.name))
    ]
    return sorted(found, key=lambda version: [int(part) for part in version.split(".")])


def default_version() -> str:
    """Return COMPASS_PHP_VERSION, else the newest PHP version that is installed."""
    if wanted := os.environ.get("COMPASS_PHP_VERSION"):
        return wanted
    versions = installed_versions()
    if not versions:
        raise LabError("no PHP-FPM is installed (make deps installs it)")
    return versions[-1]


@cache
def extension_directory(version: str) -> Path:
    """Return where that PHP version keeps its extensions."""
    command = [f"/usr/sbin/php-fpm{version}", "-n", "-i"]
    text = subprocess.run(command, check=True, capture_output=True, text=True, timeout=10).stdout
    match = re.search(r"^extension_dir => (\S+)", text, re.MULTILINE)
    if match is None:
        raise LabError(f"php-fpm{version} does not say where its extensions are")
    return Path(match[1])


class PhpFpm:
    """A running PHP-FPM; as a context manager it starts on entry and is gone on exit.

    Args:
        directory: Where its files go; a temporary directory, removed by stop(), if None.
        extension: The compass.so to load, None for plain PHP.
        version: PHP version; see default_version().
        modules: More of the distribution's extensions to load, in an order in which each finds what it needs.
        ini: More php.ini settings; they win over the ones here.
        pools: Names of the pools. Each has its own socket and workers.
        workers: Number of workers of each pool, the maximum if pm is not static.
        pm: FPM's process manager.
        max_requests: After how many requests a worker is replaced; 0 for never.
        pool_settings: More settings for every pool, by FPM's names.
        user: Whom the workers run as if this is root; root itself if None.
        env: Environment of the workers, besides PATH.
    """

    def __init__(  # noqa: PLR0913 - each is one independent knob of FPM, with a default
        self,
        directory: Path | None = None,
        *,
        extension: Path | None = None,
        version: str | None = None,
        modules: Sequence[str] = (),
        ini: Mapping[str, str | int] | None = None,
        pools: Sequence[str] = ("www",),
        workers: int = 2,
        pm: Literal["static", "dynamic", "ondemand"] = "static",
        max_requests: int = 0,
        pool_settings: Mapping[str, str | int] | None = None,
        user: str | None = None,
        env: Mapping[str, str] | None = None,
    ) -> None:
        self.version = version or default_version()
        self.binary = Path(f"/usr/sbin/php-fpm{self.version}")
        self.extension = extension
        self.pools = tuple(pools)
        self.workers = workers
        self._temporary = directory is None
        self.directory = directory or Path(tempfile.mkdtemp(prefix="compass-fpm-"))
        self._modules = (*_EXTENSIONS, *modules)
        self._ini = dict(ini or {})
        self._pm = pm
        self._max_requests = max_requests
        self._pool_settings = dict(pool_settings or {})
        self._user = user
        self._env = {"PATH": os.environ.get("PATH", os.defpath)} | dict(env or {})
        self._process: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> Self:
        """Start it."""
        try:
            self.start()
        except BaseException:
            self.stop()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Stop it."""
        self.stop()

    @property
    def log(self) -> Path:
        """What the master and its workers say."""
        return self.directory / "fpm.log"

    @property
    def socket(self) -> Path:
        """Socket of the first pool."""
        return self.socket_of(self.pools[0])

    @property
    def pid(self) -> int:
        """Process id of the master."""
        if self._process is None:
            raise LabError("this PHP-FPM is not running")
        return self._process.pid

    def socket_of(self, pool: str) -> Path:
        """Return the socket of that pool."""
        return self.directory / f"{pool}.sock"

    def start(self) -> None:
        """Write the configuration, start FPM and return once every pool accepts connections."""
        if not self.binary.exists():
            raise LabError(f"{self.binary} is not installed (make deps installs it)")
        self._write_configuration()
        with self.log.open("ab") as log:
            self._process = processes.start(self._command(), output=log, env=self._environment())
        processes.wait_until(
            self._accepting,
            timeout=_START_S,
            what="PHP-FPM to start",
            detail=lambda: processes.tail(self.log),
        )

    def stop(self, *, graceful: bool = False) -> None:
        """End it, after the running requests if graceful, and remove its temporary directory."""
        if self._process is not None:
            processes.stop(self._process, first=signal.SIGQUIT if graceful else signal.SIGTERM)
            self._process = None
        if self._temporary:
            shutil.rmtree(self.directory, ignore_errors=True)

    def restart(self) -> None:
        """Stop the master and all workers and start anew, in the same directory."""
        if self._process is not None:
            processes.stop(self._process)
        self._process = None
        self.start()

    def reload(self) -> None:
        """Let the master execute itself anew (SIGUSR2) and return once every worker is a new one."""
        old = set(self.worker_pids())
        os.kill(self.pid, signal.SIGUSR2)

        def replaced() -> bool:
            new = set(self.worker_pids())
            return not new & old and (len(new) > 0 or self._pm == "ondemand") and self._accepting()

        self._wait_until(replaced, _RELOAD_S, "to reload")

    def worker_pids(self) -> list[int]:
        """Return the process ids of all workers of all pools, in ascending order."""
        return processes.children(self.pid)

    def request(self, call: Call, *, pool: str | None = None, timeout: float = 30.0) -> Response:
        """Send one call to the pool, the first one by default, and return its answer."""
        return send(self.socket_of(pool or self.pools[0]), call, timeout=timeout)

    def _command(self) -> list[str | Path]:
        command: list[str | Path] = [self.binary, "--nodaemonize", "--allow-to-run-as-root"]
        return [*command, "-c", self.directory / "php.ini", "-y", self.directory / "fpm.conf"]

    def _environment(self) -> dict[str, str]:
        # An empty PHP_INI_SCAN_DIR keeps FPM away from the system's conf.d.
        return {"PHP_INI_SCAN_DIR": "", **self._env}

    def _wait_until(self, condition: Callable[[], bool], timeout: float, purpose: str) -> None:
        processes.wait_until(
            condition,
            timeout=timeout,
            what=f"PHP-FPM {self.version} {purpose}",
            detail=lambda: processes.tail(self.log),
        )

    def _accepting(self) -> bool:
        if self._process is None or self._process.poll() is not None:
            raise LabError(f"PHP-FPM {self.version} has ended:\n{processes.tail(self.log)}")
        return all(_accepts(self.socket_of(pool)) for pool in self.pools)

    def _write_configuration(self) -> None:
        self.directory.mkdir(parents=True, exist_ok=True)
        # mkdtemp makes it 0700: workers of another user could not enter.
        self.directory.chmod(0o755)
        (self.directory / "php.ini").write_text(self._php_ini())
        (self.directory / "fpm.conf").write_text(self._fpm_conf())

    def _php_ini(self) -> str:
        available = extension_directory(self.version)
        lines = [f"extension={name}" for name in self._modules if (available / f"{name}.so").exists()]
        if (available / "opcache.so").exists():
            lines.append("zend_extension=opcache")
        if self.extension is not None:
            lines.append(f"extension={self.extension}")
        settings: dict[str, str | int] = {
            "display_errors": 0,
            "log_errors": 1,
            "error_reporting": 32767,
            "memory_limit": "512M",
            "opcache.enable": 1,
            "session.save_path": f'"{self.directory}"',
            **self._ini,
        }
        return _lines([*lines, *_assignments(settings)])

    def _fpm_conf(self) -> str:
        lines = [
            "[global]",
            f"error_log = {self.log}",
            f"pid = {self.directory / 'fpm.pid'}",
            "daemonize = no",
        ]
        for pool in self.pools:
            lines += ["", f"[{pool}]", *_assignments(self._pool(pool))]
        return _lines(lines)

    def _pool(self, pool: str) -> dict[str, str | int]:
        settings: dict[str, str | int] = {
            "listen": str(self.socket_of(pool)),
            "listen.backlog": 1024,
            "listen.mode": "0666",
            "pm": self._pm,
            "pm.max_children": self.workers,
            "pm.max_requests": self._max_requests,
            "catch_workers_output": "yes",
            "clear_env": "no",
            "security.limit_extensions": ".php",
        }
        if self._pm == "dynamic":
            settings |= {
                "pm.start_servers": 1,
                "pm.min_spare_servers": 1,
                "pm.max_spare_servers": self.workers,
            }
        if os.geteuid() == 0:
            settings["user"] = self._user or pwd.getpwuid(0).pw_name
        return settings | self._pool_settings


def _accepts(path: Path) -> bool:
    with sockets.socket(sockets.AF_UNIX, sockets.SOCK_STREAM) as connection:
        try:
            connection.connect(str(path))
        except (FileNotFoundError, ConnectionRefusedError):
            return False
    return True


def _assignments(settings: Mapping[str, str | int]) -> list[str]:
    return [f"{name} = {value}" for name, value in settings.items()]


def _lines(lines: Sequence[str]) -> str:
    return "\n".join(lines) + "\n"
