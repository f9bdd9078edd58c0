"""What the integration tests share."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from lab.compassd import Compassd
from lab.fastcgi import Call
from lab.php_fpm import PhpFpm

PAGES = Path(__file__).parent / "php"

# Only requests to this host are judged, as the daemon attaches to every PHP-FPM of the machine: also to those
# of another run of these tests.
HOST = f"run-{os.getpid()}.compass.test"

RULES = f"""
[[rule]]
name = "slow"
match = {{ host = "{HOST}" }}
budget = {{ duration = "100ms" }}
"""

CompassdFactory = Callable[..., Compassd]

# So that a check that fails there says what it compared.
pytest.register_assert_rewrite("tests.integration.hot")


def work(request_id: str = "", **query: str | int) -> Call:
    """Return a call of work.php."""
    arguments = "&".join(f"{name}={value}" for name, value in query.items())
    headers = {"Host": HOST} | ({"X-Request-ID": request_id} if request_id else {})
    return Call(script=PAGES / "work.php", uri=f"/work?{arguments}", headers=headers)


def tracers(info: str) -> dict[str, str]:
    """Return what phpinfo() says of each probe: "attached" or "none"."""
    return dict(re.findall(r"(fpm_request_\w+|php_function_\w+)\s+(attached|none)", info))


@pytest.fixture
def compassd(tmp_path: Path, extension: Path) -> Iterator[CompassdFactory]:
    """Start a compassd that tells on its standard output; takes Compassd's arguments. It ends with us."""
    with ExitStack() as stack:

        def start(**arguments: Any) -> Compassd:  # noqa: ANN401 - passed on
            directory = tmp_path / "compassd"
            directory.mkdir(exist_ok=True)
            defaults: dict[str, Any] = {"extension": [extension], "rules": RULES}
            return stack.enter_context(Compassd(directory, **{**defaults, **arguments}))

        yield start


@pytest.fixture(scope="module")
def daemon(tmp_path_factory: pytest.TempPathFactory, extension: Path) -> Iterator[Compassd]:
    """A compassd that a file's tests share, if each looks at its own requests only."""
    directory = tmp_path_factory.mktemp("compassd")
    with Compassd(directory, extension=[extension], rules=RULES) as running:
        yield running


@pytest.fixture(scope="module")
def worker(extension: Path) -> Iterator[PhpFpm]:
    """A PHP-FPM of one worker that a file's tests share."""
    with PhpFpm(extension=extension, workers=1) as running:
        yield running
