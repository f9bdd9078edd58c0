from __future__ import annotations

import io
from pathlib import Path

import pytest

from compassd.__main__ import main
from compassd.breach import State
from compassd.capture import CapturedRequest, request_document
from compassd.message import encode
from lab.breaches import make_request

RULES = """
[[route]]
match = "/blog/**"
name = "/blog/{slug}"

[[rule]]
name = "slow"
budget = { duration = "1s", cpu = "200ms", memory = "64MiB" }
[[rule]]
name = "cart"
match = { uri = ["/cart", "/basket/*"], method = "POST", not.host = "test.*", tags.tenant = "acme" }
budget = { duration = "800ms" }
severity = "critical"
destinations = ["ops", "journal"]
overrides = ["slow"]
min_hits = 5
[[rule]]
name = "shop"
match = { host = "shop.example" }
budget = { duration = "100ms", function = { name = "PDO::*", waits = 3 } }
[[rule.exception]]
name = "nightly"
match = { uri = "/export/**" }
reason = "runs at night"
"""


@pytest.fixture
def rules(tmp_path: Path) -> str:
    path = tmp_path / "rules.toml"
    path.write_text(RULES)
    return str(path)


def _explained(rules: str, capsys: pytest.CaptureFixture[str], *arguments: str) -> list[str]:
    assert main(["explain", "--rules", rules, *arguments]) == 0
    return [line.rstrip() for line in capsys.readouterr().out.splitlines()]


def test_a_broken_rule_and_the_one_that_it_overrides(rules: str, capsys: pytest.CaptureFixture[str]) -> None:
    arguments = ["--uri", "/cart?x=1", "--method", "POST", "--tag", "tenant=acme", "--duration", "2s"]
    assert _explained(rules, capsys, *arguments) == [
        "POST /cart?x=1, took 2.00 s",
        "  counted under no host, /cart",
        "  slow  OVERRIDDEN: by cart",
        "  cart  BROKEN: critical, tells ops, journal, once there are 5 of them within 1 min 0 s",
        "        took 2.00 s, over the budget of 800 ms",
        '  shop  NO MATCH: host is "", the rule wants "shop.example"',
    ]


def test_every_reason_why_a_rule_is_not_about_a_request(
    rules: str, capsys: pytest.CaptureFixture[str]
) -> None:
    arguments = ["--only", "cart", "--uri", "/a", "--host", "test.example", "--duration", "2s"]
    assert _explained(rules, capsys, *arguments)[2:] == [
        '  cart  NO MATCH: method is "GET", the rule wants "POST"',
        '        uri is "/a", the rule wants "/cart" or "/basket/*"',
        '        tags.tenant is not there, the rule wants "acme"',
        '        not.host is "test.example", which leaves out "test.*"',
    ]


def test_within_the_budget_and_excepted(rules: str, capsys: pytest.CaptureFixture[str]) -> None:
    facts = ["--duration", "500ms", "--cpu", "10ms", "--host", "shop.example:80", "--status", "200"]
    assert _explained(rules, capsys, "--uri", "/export/all", *facts) == [
        "GET /export/all, took 500 ms, HTTP 200",
        "  counted under shop.example, /export/all",
        "  slow  WITHIN: took 500 ms, within the budget of 1.00 s, CPU 10.0 ms, within the budget of 200 ms, "
        "memory is not known, budget 64.0 MiB",
        '  cart  NO MATCH: method is "GET", the rule wants "POST"',
        '        uri is "/export/all", the rule wants "/cart" or "/basket/*"',
        '        tags.tenant is not there, the rule wants "acme"',
        "  shop  EXCEPTED: nightly: runs at night",
    ]


def test_a_capture_is_explained_request_by_request(
    rules: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    requests = [
        CapturedRequest(request=make_request(uri="/blog/why", transaction="", host="shop.example")),
        CapturedRequest(request=make_request(uri="/x", id="r2"), state=State.DIED, signal=11),
    ]
    lines = b"".join(encode(request_document(each)) + b"\n" for each in requests)
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(lines)))
    assert _explained(rules, capsys, "--only", "shop", "-") == [
        "POST /blog/why, took 1.24 s, HTTP 200, at standard input:1",
        "  counted under shop.example, /blog/{slug}",
        "  shop  BROKEN: warning, tells every destination",
        "        took 1.24 s, over the budget of 100 ms",
        "        waits in PDO::* is not known, budget 3",
        "",
        "POST /x, took 1.24 s, HTTP 200, killed by SIGSEGV, at standard input:2",
        "  counted under shop.example, cart.show",
        "  shop  BROKEN: warning, tells every destination",
        "        took 1.24 s, over the budget of 100 ms",
        "        waits in PDO::* is not known, budget 3",
    ]


@pytest.mark.parametrize("arguments", [[], ["x.jsonl", "--uri", "/"], ["--uri", "/", "--tag", "x"]])
def test_wrong_usage_exits_2(arguments: list[str], rules: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as end:
        main(["explain", "--rules", rules, *arguments])
    assert end.value.code == 2
    assert "explain: error" in capsys.readouterr().err


def test_a_rule_that_is_not_there_is_an_error(rules: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["explain", "--rules", rules, "--uri", "/", "--only", "none"]) == 1
    assert 'no rule "none"' in capsys.readouterr().err
