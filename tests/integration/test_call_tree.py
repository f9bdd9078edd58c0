"""Where the time went, on real PHP-FPM: what a call tree holds and where it ends."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import pytest

from lab.compassd import Compassd
from lab.fastcgi import Call
from lab.php_fpm import PhpFpm
from tests.conftest import PhpFpmFactory
from tests.integration.conftest import HOST, PAGES, CompassdFactory
from tests.integration.hot import SHAPES, ask, check_sums, check_time, hot

pytestmark = pytest.mark.ebpf


def test_a_loop_of_waits_is_counted(php_fpm: PhpFpmFactory, compassd: CompassdFactory) -> None:
    daemon = compassd()
    script = PAGES / "waits.php"
    fpm = php_fpm(workers=1)
    fpm.request(Call(script=script, uri="/waits?n=150", headers={"Host": HOST}))
    (breach,) = daemon.wait_for_breaches(1)
    leaf = breach["hot_path"][-1]
    assert leaf["function"] == "usleep"
    assert leaf["waits"] == pytest.approx(150, rel=0.1)
    assert breach["hot_path"][-2]["line"] == 6


def test_a_stack_deeper_than_the_bound_is_cut_at_its_root_and_says_so(
    worker: PhpFpm, daemon: Compassd
) -> None:
    finding = ask(worker, daemon, hot("recursion", "sleep", 200, depth=500))
    assert finding.names[-2:] == ["Culprit::run", "usleep"]
    check_time(finding)
    assert finding.breach["call_tree"]["cut_stacks"] >= 1
    assert "{main}" not in finding.names


def test_more_places_than_a_tree_holds_are_told_as_other(
    php_fpm: PhpFpmFactory, compassd: CompassdFactory
) -> None:
    daemon = compassd()
    script = PAGES / "waits.php"
    php_fpm(workers=1).request(Call(script=script, uri="/waits?places=900", headers={"Host": HOST}))
    (breach,) = daemon.wait_for_breaches(1)
    check_sums(breach)
    assert breach["call_tree"]["other"]["waits"] > 100
    assert breach["call_tree"]["other"]["off_cpu_ns"] > 0
    assert len(breach["call_tree"]["nodes"]) <= 511


def test_many_workers_do_not_mix(php_fpm: PhpFpmFactory, daemon: Compassd) -> None:
    fpm = php_fpm(workers=16)
    calls = [hot(SHAPES[n % len(SHAPES)], "sleep", 300 + n) for n in range(48)]
    with ThreadPoolExecutor(len(calls)) as pool:
        findings = list(pool.map(lambda call: ask(fpm, daemon, call), calls))
    for call, finding in zip(calls, findings, strict=True):
        shape = str(call.uri).split("/")[1]
        assert finding.names[-2:] == ["Culprit::run", "usleep"]
        closures = ("closure", "callback", "fiber", "destructor")
        assert ("{closure" in "".join(finding.names)) == (shape in closures)
        assert ("Shape::generator" in finding.names) == (shape == "generator")
        check_sums(finding.breach)


def test_sampling_can_be_switched_off(php_fpm: PhpFpmFactory, compassd: CompassdFactory) -> None:
    daemon = compassd(settings='sampling = false\n[destinations.out]\ntype = "stdout"\n')
    php_fpm(workers=1).request(hot("method", "sleep", 200))
    (breach,) = daemon.wait_for_breaches(1)
    assert breach["hot_path"] is None
    assert breach["call_tree"] is None
