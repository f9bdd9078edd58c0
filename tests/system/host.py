"""What the system tests do on a machine: install, configure, send requests, and see what is told."""

from __future__ import annotations

import re
import time
from dataclasses import dataclass, field
from pathlib import Path

from lab.booted import Booted
from lab.build import ROOT
from lab.fastcgi import Call, Response, send
from lab.processes import wait_until

# Where a machine sees the checkout, and what it lacks of Python packages.
CHECKOUT = "/opt/compass"
LIBRARIES = "/opt/compass-libraries"

UNIT = ROOT / "packaging" / "systemd" / "compassd.service"

RULES = """
[[rule]]
name = "slow"
match = { uri = "/*" }
budget = { duration = "100ms" }
"""

_COMPASSD = f"""#!/bin/sh
export PYTHONPATH={CHECKOUT}:{LIBRARIES} PYTHONDONTWRITEBYTECODE=1
exec /usr/bin/python3 -m compassd "$@"
"""

# What tests leave.
_WRITTEN = ("/etc/compassd", "/etc/credstore", "/run/systemd/system/compassd.service.d", "/var/lib/compassd")

# Sleeps for ?ms= milliseconds; or until there is a file at ?until=.
_PAGE = """<?php
usleep((int) ($_GET['ms'] ?? 0) * 1000);
while (isset($_GET['until']) && !file_exists($_GET['until'])) {
    clearstatcache();
    usleep(10000);
}
"""


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
    _built: str = "/root/build/modules/compass.so"
    # When clean() was done: journalctl of systemd 252 passes over an entry if a cursor is given with a match.
    _since: str = ""

    def install(self) -> None:
        """Install compassd and the extension from the checkout, and start neither."""
        machine = self.machine
        self.php = machine.run("php", "-r", "echo PHP_MAJOR_VERSION, '.', PHP_MINOR_VERSION;")
        directory = machine.run("php", "-r", "echo ini_get('extension_dir');")
        self.extension = f"{directory}/compass.so"
        machine.run(f"{CHECKOUT}/extension/build.sh", "--version", self.php, "/root/build", timeout=120)
        machine.write(f"/etc/php/{self.php}/mods-available/compass.ini", "extension=compass.so\n")
        machine.run("phpenmod", "-v", self.php, "-s", "fpm", "compass")
        machine.write("/srv/page.php", _PAGE)
        machine.write("/usr/bin/compassd", _COMPASSD, mode=0o755)
        machine.write("/usr/lib/systemd/system/compassd.service", UNIT.read_text())
        machine.write("/usr/lib/sysusers.d/compassd.conf", UNIT.with_suffix(".sysusers").read_text())
        machine.run("systemd-sysusers")
        machine.run("systemctl", "daemon-reload")

    def clean(self) -> None:
        """Make it as after the installation: default rules, no settings, PHP-FPM started, compassd not."""
        machine = self.machine
        machine.run("systemctl", "stop", "compassd")
        # It may have been forgotten since, having not failed.
        machine.run("systemctl", "reset-failed", "compassd", check=False)
        machine.run(
            "sh", "-c", "rm -rf /etc/compassd /var/lib/compassd /etc/credstore /run/systemd/system/compassd*"
        )
        machine.run("systemctl", "daemon-reload")
        self.put_extension()
        machine.run("systemctl", "restart", self.fpm)
        machine.write("/etc/compassd/rules.toml", RULES)
        self._since = f"--since=@{time.time():.6f}"

    @property
    def fpm(self) -> str:
        """Name of PHP-FPM's service."""
        return f"php{self.php}-fpm"

    def put_extension(self) -> None:
        """Install the extension as dpkg does: the new file takes the name of the old one."""
        new = f"{self.extension}.dpkg-new"
        self.machine.run("cp", self._built, new)
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

    def request(self, uri: str) -> Response:
        """Send a request to PHP-FPM."""
        socket = self.machine.root / "run/php" / f"php{self.php}-fpm.sock"
        return send(socket, Call(script=Path("/srv/page.php"), uri=uri))

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
