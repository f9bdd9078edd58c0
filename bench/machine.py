"""On what it was measured."""

from __future__ import annotations

import os
import platform
import re
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import compassd
from lab.build import ROOT
from lab.mariadb import SERVER
from lab.php_fpm import default_version

_GIB = 2**30


@dataclass(frozen=True, slots=True)
class Machine:
    """The machine, and the versions of what ran there; attributes are lines for people."""

    processor: str
    memory: str
    load: str
    virtualization: str
    kernel: str
    distribution: str
    php: str
    database: str
    compass: str
    date: str


def describe_machine() -> Machine:
    """Return what there is to say."""
    cpuinfo = Path("/proc/cpuinfo").read_text()
    model = re.search(r"^model name\s*: (.*)$", cpuinfo, re.MULTILINE)
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    return Machine(
        processor=f"{model[1] if model else platform.machine()}, {os.cpu_count()} processors",
        memory=f"{memory / _GIB:.0f} GiB",
        load=f"{os.getloadavg()[0]:.2f}",
        # It answers with status 1 if there is none.
        virtualization=_output(["systemd-detect-virt", "--vm"], allowed=(0, 1)),
        # What follows the dash is the builder's own.
        kernel=f"{platform.system()} {platform.release().partition('-')[0]} {platform.machine()}",
        distribution=platform.freedesktop_os_release()["PRETTY_NAME"],
        php=_output([f"/usr/sbin/php-fpm{default_version()}", "--version"]).splitlines()[0],
        database=_output([str(SERVER), "--version"]).split("Ver ")[-1].split()[0],
        compass=f"{compassd.__version__}, {_commit()}",
        date=f"{datetime.now(UTC):%Y-%m-%d}",
    )


def _commit() -> str:
    if not (ROOT / ".git").exists():
        return "not from a checkout"
    commit = _output(["git", "-C", str(ROOT), "rev-parse", "--short", "HEAD"])
    changed = _output(["git", "-C", str(ROOT), "status", "--porcelain", "--untracked-files=no"])
    return f"commit {commit}{', with changes' if changed else ''}"


def _output(command: Sequence[str], *, allowed: Sequence[int] = (0,)) -> str:
    done = subprocess.run(command, check=False, capture_output=True, text=True)
    if done.returncode not in allowed:
        done.check_returncode()
    return done.stdout.strip()
