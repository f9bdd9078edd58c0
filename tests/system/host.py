"""What the system tests do on a machine: install, configure, send requests, and see what is told."""

from __future__ import annotations

import re
import time
from dataclasses import dataclass, field
from pathlib import Path

from compassd.kernel.discover import Discovery
from compassd.kernel.workers import read_state, workers_by_pool
from lab.booted import Booted
from lab.fastcgi import Call, Response, send
from lab.processes import wait_until
from tests.system import debs, site

# Where a machine sees the packages that were built.
PACKAGES = "/opt/packages"

RULES = """
[[rule]]
name = "slow"
match = { uri = "/*" }
budget = { duration = "100ms" }
"""

_CONFIGURATION = "/root/etc-compassd"


@dataclass
class Host:
    """A machine with PHP-FPM and compassd.

    Attributes:
        machine: The machine.
        php: The version of its PHP.
        extension: Where its PHP loads compass.so from.
    """

    machine: Booted
    php: str = field(init=False)
    extension: str = field(init=False)
    _copy: str = "/root/compass.so"
    # When clean() was done: journalctl of systemd 252 passes over an entry if a cursor is given with a match.
    _since: str = "--since=@0"

    def install(self) -> None:
        """Install the packages with apt, beside a web site that is served already, and without a network."""
        machine = self.machine
        self.php = machine.run("sh", "-c", "ls /etc/php").strip()
        site.serve(machine, self.php)
        self.install_packages()
        files = machine.run("dpkg", "--listfiles", f"php{self.php}-compass").splitlines()
        self.extension = next(file for file in files if file.endswith("/compass.so"))
        machine.run("cp", "--archive", "/etc/compassd", _CONFIGURATION)
        machine.run("cp", self.extension, self._copy)

    def install_packages(self) -> None:
        """Install what make deb has built."""
        self.apt("install", *(f"{PACKAGES}/{pattern}" for pattern in debs.PATTERNS))

    def apt(self, *arguments: str) -> str:
        """Have apt-get do something, with no more of a network than a loopback; return what it said."""
        options = ("--yes", "--quiet=2", "--no-install-recommends", "-o", "Dpkg::Use-Pty=0")
        command = " ".join(("unshare --net apt-get", *options, *arguments))
        return self.machine.run("env", "DEBIAN_FRONTEND=noninteractive", "sh", "-c", command, timeout=240)

    def clean(self) -> None:
        """Make it as after the installation, with RULES; PHP-FPM started, compassd not."""
        machine = self.machine
        machine.run("systemctl", "stop", "compassd")
        # PHP-FPM was started so often in these tests that systemd would not do it again.
        machine.run("systemctl", "reset-failed")
        machine.run(
            "sh", "-c", "rm -rf /etc/compassd /var/lib/compassd /etc/credstore /run/systemd/system/compassd*"
        )
        machine.run("systemctl", "daemon-reload")
        self.put_extension()
        machine.run("systemctl", "restart", self.fpm)
        machine.run("cp", "--archive", _CONFIGURATION, "/etc/compassd")
        machine.write("/etc/compassd/rules.toml", RULES)
        self._since = f"--since=@{time.time():.6f}"

    @property
    def fpm(self) -> str:
        """Name of PHP-FPM's service."""
        return f"php{self.php}-fpm"

    def put_extension(self) -> None:
        """Install the extension as dpkg does: the new file takes the name of the old one."""
        new = f"{self.extension}.dpkg-new"
        self.machine.run("cp", self._copy, new)
        self.machine.run("mv", new, self.extension)

    def start(self) -> None:
        """Start compassd."""
        self.machine.run("systemctl", "start", "compassd")

    def settings(self, text: str, unit: str = "") -> None:
        """Write the settings, and what is to be different in the unit, before a start."""
        self.machine.write("/etc/compassd/compassd.toml", text)
        if unit:
            self.machine.write("/run/systemd/system/compassd.service.d/test.conf", unit)
            self.machine.run("systemctl", "daemon-reload")

    def browse(self, uri: str, *options: str) -> str:
        """Ask the web server for a page, with more options for curl, and return what it answered."""
        curl = ("curl", "--silent", "--show-error", "--fail", "--unix-socket", site.SOCKET, *options)
        return self.machine.run(*curl, f"http://shop.example{uri}")

    def request(self, uri: str) -> Response:
        """Send a request to PHP-FPM, past the web server."""
        socket = self.machine.root / "run/php" / f"php{self.php}-fpm.sock"
        return send(socket, Call(script=Path("/srv/page.php"), uri=uri))

    def is_attached(self) -> bool:
        """Return whether a probe is attached to, of all workers that there are."""
        proc = self.machine.root / "proc"
        (master,) = Discovery(proc=proc).masters()
        return any(read_state(proc, worker).is_armed for worker in workers_by_pool(proc, master).values())

    def property(self, name: str) -> str:
        """Return a property of compassd's service."""
        return self.machine.run("systemctl", "show", "--property", name, "--value", "compassd").strip()

    def told(self) -> list[str]:
        """Return the paths of the requests that the journal was told of since clean()."""
        entries = self.machine.journal(self._since, "SYSLOG_IDENTIFIER=compassd", "COMPASS_RULE=slow")
        return [entry["COMPASS_URI"] for entry in entries]

    def wait_for_told(self, uri: str) -> None:
        """Return once the journal has been told of a request for uri."""
        wait_until(lambda: uri in self.told(), timeout=20, what=f"{uri} to be told", detail=self.log)

    def log(self) -> str:
        """Return what the service and systemd have said of it since clean()."""
        return self.machine.run("journalctl", self._since, "--unit=compassd", "--output=cat", "--no-pager")

    def wait_for_log(self, pattern: str, count: int = 1) -> None:
        """Return once that many lines of the log match the pattern."""
        expression = re.compile(pattern, re.MULTILINE)
        wait_until(
            lambda: len(expression.findall(self.log())) >= count,
            timeout=60,
            what=f"{pattern!r} to be logged {count} times",
            detail=self.log,
        )
