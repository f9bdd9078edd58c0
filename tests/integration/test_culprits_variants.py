"""Ground truth of the call tree, however PHP is set to run the code: JIT, opcache, preloading."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from lab.compassd import Compassd
from lab.php_fpm import PhpFpm
from tests.conftest import PhpFpmFactory
from tests.integration.conftest import PAGES
from tests.integration.hot import SHAPES, Finding, ask, check, hot, seek
from tests.integration.seeds import SEEDS, Seed

pytestmark = pytest.mark.ebpf

PRELOADING: dict[str, str | int] = {
    "opcache.preload": str(PAGES / "preload.php"),
    "opcache.preload_user": "root",
}
JIT_BUFFER = {"opcache.jit_buffer_size": "32M"}


@dataclass(frozen=True)
class Variant:
    """A way to run the code: settings of PHP, and what each request does besides."""

    name: str
    ini: dict[str, str | int] = field(default_factory=dict)
    query: dict[str, int] = field(default_factory=dict)

    def __str__(self) -> str:
        """Return how tests name it."""
        return self.name

    @property
    def is_preloaded(self) -> bool:
        """Whether FPM's master compiled the code."""
        return "opcache.preload" in self.ini


VARIANTS = [
    Variant("opcache off", {"opcache.enable": 0}),
    Variant("opcache reset by each request", query={"reset": 1}),
    Variant("tracing JIT", {"opcache.jit": "tracing", **JIT_BUFFER}),
    Variant("function JIT", {"opcache.jit": "function", **JIT_BUFFER}),
    Variant("preloading", PRELOADING),
    Variant("preloading and JIT", {"opcache.jit": "tracing", **JIT_BUFFER, **PRELOADING}),
]


@dataclass(frozen=True)
class Varied:
    """A PHP-FPM that runs the code in one way."""

    variant: Variant
    fpm: PhpFpm


@pytest.fixture(scope="module", params=VARIANTS, ids=str)
def varied(request: pytest.FixtureRequest, extension: Path) -> Iterator[Varied]:
    """Run the code in each way, one after the other."""
    variant: Variant = request.param
    with PhpFpm(extension=extension, workers=1, ini=variant.ini) as fpm:
        yield Varied(variant, fpm)


@pytest.mark.parametrize("seed", SEEDS.values(), ids=str)
def test_a_culprit_is_found_however_php_runs_the_code(
    seed: Seed, varied: Varied, daemon: Compassd, tmp_path: Path
) -> None:
    finding = seek(seed, "method", varied.fpm, daemon, tmp_path, **varied.variant.query)
    check(finding, seed, is_fresh=varied.variant.is_preloaded)


@pytest.mark.parametrize("shape", ["generator", "fiber", "recursion", "destructor"])
@pytest.mark.parametrize("seed", [SEEDS["burn"], SEEDS["lines"]], ids=str)
def test_a_culprit_is_found_in_a_shape_however_php_runs_the_code(
    seed: Seed, shape: str, varied: Varied, daemon: Compassd, tmp_path: Path
) -> None:
    finding = seek(seed, shape, varied.fpm, daemon, tmp_path, **varied.variant.query)
    check(finding, seed, is_fresh=varied.variant.is_preloaded)


def _unknown(finding: Finding) -> list[str]:
    """Return what is above each function without a name."""
    # PHP's own frame at the bottom of a fiber has none.
    nameless = [index for index, name in enumerate(finding.names) if name == "(unknown)"]
    return [finding.names[index - 1] for index in nameless if finding.names[index - 1] != "Fiber::resume"]


@pytest.mark.parametrize(
    "ini", [{}, PRELOADING, {"opcache.jit": "tracing", **JIT_BUFFER}], ids=["plain", "preloading", "JIT"]
)
def test_names_are_known_in_fresh_workers(
    ini: dict[str, str | int], php_fpm: PhpFpmFactory, daemon: Compassd
) -> None:
    fpm = php_fpm(workers=1, max_requests=1, ini=ini)
    for n in range(2 * len(SHAPES)):
        finding = ask(fpm, daemon, hot(SHAPES[n % len(SHAPES)], "sleep", 120))
        check(finding, SEEDS["sleep"], is_fresh=True)
        assert not _unknown(finding)


def test_names_stay_right_across_workers_and_opcache_resets(php_fpm: PhpFpmFactory, daemon: Compassd) -> None:
    fpm = php_fpm(workers=2, max_requests=3)
    for n in range(10):
        more = {"reset": 1} if n % 4 == 3 else {}
        finding = ask(fpm, daemon, hot(SHAPES[n % len(SHAPES)], "sleep", 120, **more))
        check(finding, SEEDS["sleep"], is_fresh=True)
