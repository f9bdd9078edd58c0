"""Booted machines with nginx and PHP-FPM, on which apt has installed the packages."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from lab.booted import RELEASES, Booted
from lab.receiver import Receiver
from tests.system import debs
from tests.system.host import PACKAGES, Host
from tests.system.readme import Server


@pytest.fixture(scope="session", params=RELEASES)
def release(request: pytest.FixtureRequest) -> str:
    """Debian's name for each release."""
    return str(request.param)


@pytest.fixture(scope="session")
def installed(release: str) -> Iterator[Host]:
    """A machine where the packages have been installed."""
    with Booted(release, shown={debs.directory(release): PACKAGES}) as machine:
        host = Host(machine)
        host.install()
        yield host


@pytest.fixture
def host(installed: Host) -> Iterator[Host]:
    """The machine as after the installation: PHP-FPM runs, compassd does not."""
    installed.clean()
    yield installed
    installed.machine.run("systemctl", "stop", "compassd")


@pytest.fixture
def fresh_server(release: str) -> Iterator[Server]:
    """A machine with nginx and PHP-FPM, where Compass has never been, and Slack."""
    with Receiver() as receiver, Booted(release) as machine:
        yield Server(machine, receiver)
