"""Booted machines with PHP-FPM, on which compassd is installed from the checkout."""

from __future__ import annotations

import sysconfig
from collections.abc import Iterator
from pathlib import Path

import pytest

from lab.booted import RELEASES, Booted
from lab.build import ROOT
from tests.system.host import CHECKOUT, LIBRARIES, Host

# pydantic 2 is not in Debian 12. The packages of this checkout are for its Python, if this is Debian 12, too.
_LIBRARIES = {"bookworm": {Path(sysconfig.get_path("purelib")): LIBRARIES}, "trixie": {}}


@pytest.fixture(scope="session", params=RELEASES)
def booted(request: pytest.FixtureRequest) -> Iterator[Booted]:
    """A machine of each release."""
    release = str(request.param)
    with Booted(release, shown={ROOT: CHECKOUT, **_LIBRARIES[release]}) as machine:
        yield machine


@pytest.fixture(scope="session")
def installed(booted: Booted) -> Host:
    """The machine with compassd and the extension installed, and nothing started."""
    host = Host(booted)
    host.install()
    return host


@pytest.fixture
def host(installed: Host) -> Iterator[Host]:
    """The machine as after the installation: PHP-FPM runs, compassd does not."""
    installed.clean()
    yield installed
    installed.machine.run("systemctl", "stop", "compassd")
