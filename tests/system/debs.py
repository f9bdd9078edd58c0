"""The packages that make deb has built, and later versions of them."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

from lab.booted import Booted
from lab.build import ROOT
from lab.errors import LabError

_BUILT = ROOT / "build" / "deb"


# As one asks a shell for the files of both.
PATTERNS = ("compassd_*.deb", "php*-compass_*.deb")


def directory(release: str) -> Path:
    """Return where the packages of a release are.

    Raises:
        LabError: They are not there.
    """
    built = _BUILT / release
    if len(packages(release)) != 2:
        raise LabError(f"{built} has not got the two packages: make deb builds them")
    return built


def packages(release: str) -> list[Path]:
    """Return the packages of a release, without those that hold debugging symbols."""
    return sorted(file for pattern in PATTERNS for file in (_BUILT / release).glob(pattern))


def next_version(release: str, target: Path) -> list[Path]:
    """Make packages of a later version, with another default in each file of configuration, in target."""
    return [_next_version(deb, target) for deb in packages(release)]


def left_behind(machine: Booted) -> list[str]:
    """Return the files of Compass on a machine: not what the tests put there, and neither logs nor caches."""
    pruned = " -o ".join(f"-path {path} -prune" for path in ("/opt", "/root", "/var/log", "/var/cache"))
    found = machine.run("sh", "-c", f"find / /run -xdev {pruned} -o -iname '*compass*' -print")
    return found.splitlines()


def _next_version(deb: Path, target: Path) -> Path:
    tree = target / deb.stem
    subprocess.run(["dpkg-deb", "--raw-extract", deb, tree], check=True)
    control = tree / "DEBIAN/control"
    text, count = re.subn(r"^Version: .*$", r"\g<0>+next", control.read_text(), flags=re.MULTILINE)
    assert count == 1
    control.write_text(text)
    for file in tree.glob("etc/compassd/*.toml"):
        file.write_text(file.read_text() + "# a new default\n")
    made = target / f"next_{deb.name}"
    subprocess.run(["dpkg-deb", "--build", "--root-owner-group", tree, made], check=True, capture_output=True)
    return made


def index(packages: Path) -> str:
    """Return the file Packages that makes a directory of packages a repository for apt."""
    scan = ["dpkg-scanpackages", "."]
    return subprocess.run(scan, cwd=packages, check=True, capture_output=True, text=True).stdout
