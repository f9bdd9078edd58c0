"""What the tests share: which of them may run here, and the servers of the laboratory."""

from __future__ import annotations

import os
from collections.abc import Callable, Generator, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, settings

from lab.build import ROOT, build_extension
from lab.php_fpm import PhpFpm, default_version

PhpFpmFactory = Callable[..., PhpFpm]

_FORBID_SKIP = "COMPASS_FORBID_SKIP"
_SKIP_EBPF = "COMPASS_SKIP_EBPF"

# How long an example takes says something about the machine, not about what is tested.
settings.register_profile("compass", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("compass")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Leave the eBPF tests out only if asked to: a missing privilege is a failure, not a skip."""
    if os.environ.get(_SKIP_EBPF) != "1":
        return
    for item in items:
        if item.get_closest_marker("ebpf"):
            item.add_marker(pytest.mark.skip(reason=f"{_SKIP_EBPF}=1"))


def pytest_runtest_setup(item: pytest.Item) -> None:
    """Say plainly what an eBPF test needs, instead of failing deep inside."""
    if item.get_closest_marker("ebpf") and os.geteuid() != 0:
        pytest.fail(f"needs root; {_SKIP_EBPF}=1 leaves it out", pytrace=False)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport() -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Judge every test."""
    report = yield
    # An expected failure is reported as a skip, and is none.
    if not hasattr(report, "wasxfail"):
        _forbid_skip(report)
    return report


@pytest.hookimpl(wrapper=True)
def pytest_make_collect_report() -> Generator[None, pytest.CollectReport, pytest.CollectReport]:
    """Judge every file, which can skip itself as a whole."""
    report = yield
    _forbid_skip(report)
    return report


def _forbid_skip(report: pytest.TestReport | pytest.CollectReport) -> None:
    """Turn a skip into a failure where COMPASS_FORBID_SKIP=1 says that everything has to run."""
    if report.outcome == "skipped" and os.environ.get(_FORBID_SKIP) == "1":
        report.outcome = "failed"
        report.longrepr = f"{report.nodeid} was skipped, and {_FORBID_SKIP}=1: {report.longrepr}"


@pytest.fixture(scope="session")
def root() -> Path:
    """The checkout."""
    return ROOT


@pytest.fixture(scope="session")
def php_version() -> str:
    """The PHP version under test: COMPASS_PHP_VERSION, else the newest one installed."""
    return default_version()


@pytest.fixture(scope="session")
def extension(tmp_path_factory: pytest.TempPathFactory, php_version: str) -> Path:
    """compass.so for that PHP version, built from the checkout."""
    return build_extension(tmp_path_factory.mktemp("extension"), version=php_version)


@pytest.fixture
def php_fpm(extension: Path) -> Iterator[PhpFpmFactory]:
    """Start a PHP-FPM with the extension; takes PhpFpm's arguments. All of them end with the test."""
    with ExitStack() as stack:

        def start(**arguments: Any) -> PhpFpm:  # noqa: ANN401 - passed on
            return stack.enter_context(PhpFpm(**{"extension": extension, **arguments}))

        yield start
