"""Budgets of waits and functions on real PHP-FPM: only they are exceeded, and the kernel tells of it."""

from __future__ import annotations

from typing import Any
from urllib.parse import urlencode

import pytest

from lab.errors import LabError
from lab.fastcgi import Call
from tests.conftest import PhpFpmFactory
from tests.integration.conftest import HOST, PAGES, RULES, CompassdFactory

pytestmark = pytest.mark.ebpf

MS = 1_000_000


def _rule(name: str, function: str) -> str:
    return _limited(name, f"function = {{ {function} }}")


def _limited(name: str, limit: str) -> str:
    return f'[[rule]]\nname = "{name}"\nmatch = {{ host = "{HOST}" }}\nbudget.{limit}\n'


def _page(script: str, request_id: str, **query: str | int) -> Call:
    headers = {"Host": HOST, "X-Request-ID": request_id}
    return Call(script=PAGES / script, uri=f"/{script}?{urlencode(query)}", headers=headers)


def _told(breaches: list[dict[str, Any]]) -> list[tuple[str, str]]:
    return [(breach["rule"], breach["request"]["id"]) for breach in breaches]


def test_a_page_that_waits_too_often_in_a_function_is_told(
    php_fpm: PhpFpmFactory, compassd: CompassdFactory
) -> None:
    daemon = compassd(
        rules=_rule("fifty", 'name = "USLEEP", waits = 50')
        + _rule("seventy", 'name = "usleep", waits = 70')
        + _rule("elsewhere", 'name = "curl_*", waits = 0')
    )
    fpm = php_fpm(workers=1)
    for n in (40, 60, 80):
        fpm.request(_page("waits.php", str(n), n=n))
    told = daemon.wait_for_breaches(3)
    assert _told(told) == [("fifty", "60"), ("fifty", "80"), ("seventy", "80")]
    (excess,) = told[0]["exceeded"]
    assert excess == {
        "metric": "function_waits",
        "function": "USLEEP",
        "budget_waits": 50,
        "actual_waits": pytest.approx(60, abs=2),
    }
    assert f"waited {excess['actual_waits']} times in USLEEP, budget 50" in told[0]["summary"]
    assert told[0]["hot_path"][-1]["waits"] == excess["actual_waits"]


def test_a_page_that_waits_too_often_is_told(php_fpm: PhpFpmFactory, compassd: CompassdFactory) -> None:
    daemon = compassd(rules=_limited("fifty", "waits = 50") + _limited("seventy", "waits = 70"))
    fpm = php_fpm(workers=1)
    for n in (40, 60, 80):
        fpm.request(_page("waits.php", str(n), n=n))
    told = daemon.wait_for_breaches(3)
    assert _told(told) == [("fifty", "60"), ("fifty", "80"), ("seventy", "80")]
    (excess,) = told[0]["exceeded"]
    assert excess == {"metric": "waits", "budget_waits": 50, "actual_waits": pytest.approx(60, abs=3)}


# What is called, what it calls, and what calls itself, which counts once.
@pytest.mark.parametrize("name", ["Culprit::run", "usleep", "shape::re*"])
def test_a_page_that_spends_too_long_in_a_function_is_told(
    name: str, php_fpm: PhpFpmFactory, compassd: CompassdFactory
) -> None:
    daemon = compassd(
        rules=_rule("long", f'name = "{name}", time = "150ms"')
        + _rule("longer", f'name = "{name}", time = "300ms"')
    )
    fpm = php_fpm(workers=1)
    own = {
        str(ms): fpm.request(
            _page("hot.php", str(ms), shape="recursion", depth=30, culprit="sleep", ms=ms)
        ).json()
        for ms in (100, 200, 400)
    }
    told = daemon.wait_for_breaches(3)
    assert _told(told) == [("long", "200"), ("long", "400"), ("longer", "400")]
    for breach in told:
        (excess,) = breach["exceeded"]
        assert (excess["metric"], excess["function"]) == ("function_time", name)
        assert excess["actual_ns"] == pytest.approx(own[breach["request"]["id"]]["ns"], abs=10 * MS)


def test_a_busy_function_has_a_budget_too(php_fpm: PhpFpmFactory, compassd: CompassdFactory) -> None:
    daemon = compassd(rules=_rule("busy", 'name = "culprit::burn", time = "200ms"'))
    fpm = php_fpm(workers=1)
    fpm.request(_page("hot.php", "sleeps", shape="method", culprit="sleep", ms=400))
    fpm.request(_page("hot.php", "burns", shape="method", culprit="burn", ms=400))
    (told,) = daemon.wait_for_breaches(1)
    assert told["request"]["id"] == "burns"
    assert told["exceeded"][0]["actual_ns"] == pytest.approx(400 * MS, rel=0.1)


def test_without_sampling_such_rules_are_refused(compassd: CompassdFactory) -> None:
    settings = 'sampling = false\n[destinations.out]\ntype = "stdout"\n'
    functions = _rule("queries", 'name = "PDO*::*", waits = 50')
    with pytest.raises(LabError, match="set sampling = true and restart"):
        compassd(settings=settings, rules=functions)
    daemon = compassd(settings=settings, rules=RULES)
    daemon.rules.write_text(functions)
    daemon.reload()
    daemon.wait_for_log("rules not reloaded: the 1 old rules stay in force")
    assert daemon.log_text().count("set sampling = true and restart") == 2
