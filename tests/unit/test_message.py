from __future__ import annotations

import json
from importlib.resources import files
from typing import Any

import pytest
from hypothesis import given
from jsonschema import Draft202012Validator

from compassd.breach import Breach, Excess, Metric, State
from compassd.calltree import NO_PARENT, CallTree, Frame, Node
from compassd.message import attributes, document, summary
from compassd.redact import redact
from lab.breaches import make_breach
from lab.hostile import breaches

SCHEMA: dict[str, Any] = json.loads((files("compassd") / "schemas/breach.schema.json").read_text())


def test_the_schema_is_valid_and_says_everything() -> None:
    Draft202012Validator.check_schema(SCHEMA)

    def undescribed(schema: dict[str, Any]) -> list[str]:
        properties = schema.get("properties", {})
        return [
            name
            for name, inner in properties.items()
            if "const" not in inner and not inner.get("description")
        ] + [name for inner in properties.values() for name in undescribed(inner)]

    assert undescribed(SCHEMA) == []


@given(breaches())
def test_every_document_follows_the_schema(breach: Breach) -> None:
    errors = list(Draft202012Validator(SCHEMA).iter_errors(json.loads(json.dumps(document(breach)))))
    assert errors == []


@given(breaches())
def test_every_summary_is_one_bounded_line(breach: Breach) -> None:
    line = summary(breach)
    assert len(line.splitlines()) == 1
    assert len(line) <= 1_000


def test_the_document() -> None:
    assert document(redact(make_breach(), query_strings=False)) == {
        "type": "compass.breach",
        "version": 1,
        "id": make_breach().id,
        "timestamp": "2026-09-21T14:13:21.363456Z",
        "rule": "checkout",
        "severity": "warning",
        "state": "finished",
        "told_running": False,
        "signal": None,
        "summary": "checkout: POST /cart took 1.24 s, budget 800 ms (HTTP 200, pool www)",
        "exceeded": [{"metric": "duration", "budget_ns": 800_000_000, "actual_ns": 1_240_000_000}],
        "request": {
            "id": "req-1",
            "started_at": "2026-09-21T14:13:20.123456Z",
            "duration_ns": 1_240_000_000,
            "cpu_ns": 310_000_000,
            "memory_peak_bytes": 12_582_912,
            "script": "/srv/shop/index.php",
            "pool": "www",
            "uri_cut": False,
            "tags": {"tenant": "acme"},
        },
        "attributes": {
            "http.request.method": "POST",
            "url.path": "/cart",
            "http.response.status_code": 200,
            "http.route": "cart.show",
            "server.address": "shop.example",
            "server.port": 8443,
            "process.pid": 4711,
            "host.name": "web1",
        },
        "last_seen": None,
        "hot_path": None,
        "top_self": None,
        "wait_places": None,
        "call_tree": None,
    }


def test_what_has_become_of_the_request_is_told() -> None:
    tree = CallTree(
        duration_ns=1_240_000_000,
        nodes=(
            Node(Frame("{main}", "/srv/shop/index.php", 3), NO_PARENT, 0, 0, 0),
            Node(Frame("PDO::query", "", 0), 0, 0, 1_200_000_000, 212, "SELECT ?"),
        ),
        last=1,
    )
    unknown: dict[str, Any] = {"status": None, "memory_peak": None, "cpu_ns": None}
    place = {"function": "PDO::query", "file": "/srv/shop/index.php", "line": 3}
    running = make_breach(state=State.RUNNING, tree=tree, waiting_ns=200_000_000, **unknown)
    told = document(running)
    assert told["summary"].endswith("still runs after 1.24 s, budget 800 ms (pool www)")
    assert told["last_seen"] == {**place, "waiting_ns": 200_000_000, "waited_for": "SELECT ?"}
    times = {"on_cpu_ns": 0, "off_cpu_ns": 1_200_000_000, "waits": 212}
    assert told["top_self"] == [{**place, **times}]
    assert told["wait_places"] == [{**place, **times, "waited_for": "SELECT ?"}]
    assert "http.response.status_code" not in told["attributes"]
    died = document(make_breach(state=State.DIED, signal=11, excesses=(), tree=tree, **unknown))
    assert (died["state"], died["signal"], died["exceeded"]) == ("died", "SIGSEGV", [])
    end = "never ended: its worker was killed by SIGSEGV after 1.24 s (pool www)"
    assert died["summary"].endswith(end)
    assert died["last_seen"] == {**place, "waiting_ns": None, "waited_for": "SELECT ?"}
    exited = document(make_breach(state=State.DIED, signal=0, **unknown))
    assert "its worker exited after 1.24 s, budget 800 ms" in exited["summary"]
    assert document(make_breach(state=State.FINISHED, tree=tree))["last_seen"] is None


def test_a_query_string_that_was_kept_is_an_attribute() -> None:
    assert attributes(make_breach().request, "web-1")["url.query"] == "voucher=SPRING"


def test_an_unknown_method_is_other() -> None:
    found = attributes(make_breach(method="BREW").request, "web-1")
    assert (found["http.request.method"], found["http.request.method_original"]) == ("_OTHER", "BREW")


@pytest.mark.parametrize(
    ("host", "expected"),
    [
        ("", (None, None)),
        ("a.example", ("a.example", None)),
        ("[::1]:80", ("::1", 80)),
        ("a:b:c", ("a:b:c", None)),
        ("a:99999", ("a:99999", None)),
        ("a:0", ("a", None)),
        ("[]:1", ("[]:1", 1)),
    ],
)
def test_the_host_header_is_taken_apart(host: str, expected: tuple[str | None, int | None]) -> None:
    found = attributes(make_breach(host=host).request, "web-1")
    assert (found.get("server.address"), found.get("server.port")) == expected


def test_all_exceeded_limits_are_told() -> None:
    breach = make_breach(
        excesses=(
            Excess(Metric.CPU, 200_000_000, 310_000_000),
            Excess(Metric.MEMORY, 8 * 2**20, 12 * 2**20),
        ),
        pool="",
    )
    assert summary(breach) == (
        "checkout: POST /cart?voucher=SPRING used 310 ms of CPU, budget 200 ms; "
        "peaked at 12.0 MiB of memory, budget 8.0 MiB (HTTP 200)"
    )


OF_FUNCTIONS = (
    Excess(Metric.FUNCTION_TIME, 300_000_000, 1_200_000_000, "PDO*::*"),
    Excess(Metric.FUNCTION_WAITS, 50, 212, "PDO*::*"),
    Excess(Metric.FUNCTION_WAITS, 0, 1, "curl_exec"),
)


def test_functions_over_budget_are_told_by_the_names_in_the_rule() -> None:
    breach = make_breach(excesses=OF_FUNCTIONS, pool="", uri="/cart")
    assert summary(breach) == (
        "checkout: POST /cart spent 1.20 s in PDO*::*, budget 300 ms; "
        "waited 212 times in PDO*::*, budget 50; waited once in curl_exec, budget 0 (HTTP 200)"
    )
    assert document(breach)["exceeded"] == [
        {
            "metric": "function_time",
            "function": "PDO*::*",
            "budget_ns": 300_000_000,
            "actual_ns": 1_200_000_000,
        },
        {"metric": "function_waits", "function": "PDO*::*", "budget_waits": 50, "actual_waits": 212},
        {"metric": "function_waits", "function": "curl_exec", "budget_waits": 0, "actual_waits": 1},
    ]


@pytest.mark.parametrize(
    ("waits", "said"), [(101, "waited 101 times, budget 100"), (1, "waited once, budget 0")]
)
def test_too_many_waits_are_told(waits: int, said: str) -> None:
    breach = make_breach(excesses=(Excess(Metric.WAITS, waits - 1, waits),), pool="", uri="/cart")
    assert summary(breach) == f"checkout: POST /cart {said} (HTTP 200)"
    assert document(breach)["exceeded"] == [
        {"metric": "waits", "budget_waits": waits - 1, "actual_waits": waits}
    ]


def test_of_many_exceeded_limits_the_line_counts_the_rest_and_the_document_has_all() -> None:
    breach = make_breach(
        excesses=tuple(Excess(Metric.FUNCTION_WAITS, 1, 2, f"f{n}") for n in range(9)), uri="/"
    )
    assert "waited 2 times in f3, budget 1; 5 more over budget (HTTP" in summary(breach)
    assert len(document(breach)["exceeded"]) == 9
