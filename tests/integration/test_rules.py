"""Rules about more than the path, on real PHP-FPM: pool, transaction, tags, exceptions, overrides."""

from __future__ import annotations

from urllib.parse import urlencode

import pytest

from lab.fastcgi import Call
from tests.conftest import PhpFpmFactory
from tests.integration.conftest import HOST, PAGES, CompassdFactory

pytestmark = pytest.mark.ebpf

RULES = f"""
[[rule]]
name = "everything"
match = {{ host = "{HOST}", not = {{ transaction = "health" }} }}
budget.duration = "50ms"

[[rule.exception]]
match = {{ tags = {{ plan = "trial" }} }}
reason = "they may wait"

[[rule]]
name = "orders"
match = {{ host = "{HOST}", pool = "www", transaction = "order.*", tags.plan = ["gold", "trial"] }}
budget.duration = "50ms"
severity = "warning"
escalate_ratio = 4
overrides = "everything"

[[rule]]
name = "other-pool"
match = {{ host = "{HOST}", pool = "api" }}
budget.duration = "1ms"

[[rule]]
name = "regular"
match = {{ host = "{HOST}", uri_regex = '/work\\.(php|html)' }}
budget.duration = "350ms"
"""


def _work(request_id: str, ms: int, **query: str) -> Call:
    headers = {"Host": HOST, "X-Request-ID": request_id}
    return Call(script=PAGES / "work.php", uri=f"/work.php?{urlencode({'ms': ms, **query})}", headers=headers)


def test_each_request_is_told_by_the_rules_that_are_about_it(
    php_fpm: PhpFpmFactory, compassd: CompassdFactory
) -> None:
    daemon = compassd(rules=RULES)
    fpm = php_fpm(workers=1)
    fpm.request(_work("plain", 100))
    fpm.request(_work("health", 100, transaction="health"))
    fpm.request(_work("trial", 100, transaction="cart.show", plan="trial"))
    fpm.request(_work("order", 100, transaction="order.list", plan="gold"))
    fpm.request(_work("free-order", 100, transaction="order.list", plan="free"))
    fpm.request(_work("long-order", 400, transaction="order.list", plan="trial"))
    told = daemon.wait_for_breaches(5)
    assert [(breach["request"]["id"], breach["rule"], breach["severity"]) for breach in told] == [
        ("plain", "everything", "warning"),
        ("order", "orders", "warning"),
        ("free-order", "everything", "warning"),
        ("long-order", "orders", "critical"),
        ("long-order", "regular", "warning"),
    ]
