"""A copy of this machine to install things on, without installing anything here.

It is a mount namespace in which /etc, /usr and /var are overlays, so that packages, settings and units land
in memory and are gone with it. What runs is this machine's: there is no second systemd, and systemctl is a
stand-in that tells what it was asked. Needs root.
"""

from __future__ import annotations

import shlex
import subprocess
import tempfile
from pathlib import Path
from typing import Self

from lab.errors import LabError
from lab.processes import start, stop, tail, wait_until

_TIMEOUT_S = 20.0
_OVERLAID = ("etc", "usr", "var")

# What systemctl(1) says of a unit as far as Ansible asks; a unit exists if there is a file for it.
_SYSTEMCTL = r"""#!/bin/sh
state=/run/systemctl
mkdir -p "$state"
verb=$1
unit=${2%.service}
case $verb in
show)
	unit=${2%.service}
	[ -e "/usr/lib/systemd/system/$unit.service" ] && load=loaded || load=not-found
	[ -e "$state/$unit.active" ] && active=active || active=inactive
	printf 'Id=%s.service\nLoadState=%s\nActiveState=%s\n' "$unit" "$load" "$active"
	;;
is-active) [ -e "$state/$unit.active" ] && echo active || { echo inactive; exit 3; } ;;
is-enabled) [ -e "$state/$unit.enabled" ] && echo enabled || { echo disabled; exit 1; } ;;
enable) : >"$state/$unit.enabled" ;;
start | restart) : >"$state/$unit.active" ;;
esac
case $verb in
start | restart | reload | stop | enable | disable) echo "$verb $unit" >>"$state/log" ;;
esac
"""


class ScratchMachine:
    """Such a copy. Use it as a context manager.

    Attributes:
        pid: The process whose namespaces to enter.
    """

    def __enter__(self) -> Self:
        """Make the copy."""
        self._directory = tempfile.TemporaryDirectory(prefix="compass-scratch-")
        directory = Path(self._directory.name)
        (directory / "systemctl").write_text(_SYSTEMCTL)
        layers = shlex.quote(str(directory / "layers"))
        ready = directory / "ready"
        script = [f"mkdir {layers}", f"mount -t tmpfs tmpfs {layers}"]
        for name in _OVERLAID:
            upper, work = f"{layers}/{name}", f"{layers}/{name}.work"
            script += [
                f"mkdir {upper} {work}",
                f"mount -t overlay -o lowerdir=/{name},upperdir={upper},workdir={work} overlay /{name}",
            ]
        script += [
            "mount -t tmpfs tmpfs /run",
            f"install -m 755 {shlex.quote(str(directory / 'systemctl'))} /usr/local/bin/systemctl",
            f": > {shlex.quote(str(ready))}",
            "exec sleep infinity",
        ]
        log = directory / "log"
        with log.open("wb") as output:
            self._process = start(
                ["unshare", "--mount", "--propagation", "private", "sh", "-c", " && ".join(script)],
                output=output,
            )
        try:
            wait_until(ready.exists, timeout=_TIMEOUT_S, what="overlays", detail=lambda: tail(log))
        except LabError:
            self.__exit__()
            raise
        self.pid = self._process.pid
        return self

    def __exit__(self, *_: object) -> None:
        """Forget it."""
        stop(self._process)
        self._directory.cleanup()

    def run(self, *command: str) -> str:
        """Run a command there, and return what it says."""
        enter = ["nsenter", f"--target={self.pid}", "--mount", "--", *command]
        return subprocess.run(enter, check=True, text=True, capture_output=True).stdout

    def read(self, path: str) -> str:
        """Return a file's text."""
        return self.run("cat", path)

    def systemctl_calls(self) -> list[str]:
        """Return what systemctl was asked since the last call of this, such as "reload compassd"."""
        log = "/run/systemctl/log"
        return self.run("sh", "-c", f"[ ! -e {log} ] || {{ cat {log}; rm {log}; }}").splitlines()
