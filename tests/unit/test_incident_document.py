"""What machines are told of incidents."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from jsonschema import Draft202012Validator, ValidationError

from compassd.breach import Severity
from compassd.incident_document import incident_summary, message_document
from compassd.message import document, encode
from compassd.notice import (
    BreachNotice,
    DigestReason,
    Happening,
    Message,
    Notice,
    TestNotice,
)
from lab import schemas
from lab.breaches import make_breach
from lab.hostile_notices import messages
from lab.notices import BEGAN, INCIDENT_ID, make_digest, make_figures, make_incident, make_key, make_message
from lab.schemas import SCHEMAS

FIGURES = {
    "hits": 12,
    "new_hits": 4,
    "died": 0,
    "first_at": "2026-09-21T14:13:20.000000Z",
    "last_at": "2026-09-21T14:14:18.000000Z",
    "duration_p50_ns": 1_240_000_000,
    "duration_p95_ns": 2_100_000_000,
    "duration_max_ns": 4_200_000_000,
    "worst_ratio": 5.25,
}


def read(message: Message) -> dict[str, Any]:
    """Return what a receiver reads, which is strict about JSON."""

    def refuse(constant: str) -> None:
        raise AssertionError(f"{constant} is not JSON")

    document: dict[str, Any] = json.loads(encode(message_document(message)), parse_constant=refuse)
    return document


def sent(notice: Notice) -> dict[str, Any]:
    return read(make_message(notice))


def problems(message: Message) -> list[ValidationError]:
    return schemas.problems(read(message))


@pytest.mark.parametrize("kind", SCHEMAS)
def test_a_schema_is_valid_and_says_everything(kind: str) -> None:
    Draft202012Validator.check_schema(SCHEMAS[kind])

    def undescribed(schema: Any) -> list[str]:  # noqa: ANN401 - any part of a schema
        if isinstance(schema, list):
            return [name for inner in schema for name in undescribed(inner)]
        if not isinstance(schema, dict):
            return []
        properties = schema.get("properties", {})
        return [
            name
            for name, inner in properties.items()
            if "const" not in inner and not inner.get("description")
        ] + [name for inner in schema.values() for name in undescribed(inner)]

    assert undescribed(SCHEMAS[kind]) == []


@given(messages())
def test_every_message_follows_its_schema(message: Message) -> None:
    assert problems(message) == []


def test_the_schemas_reach_through_their_references() -> None:
    told = sent(make_incident())
    told["exemplars"][0]["request"]["duration_ns"] = -1
    told["figures"]["hits"] = -1
    errors = schemas.problems(told)
    assert sorted(error.json_path for error in errors) == [
        "$.exemplars[0].request.duration_ns",
        "$.figures.hits",
    ]
    told = sent(make_digest())
    told["lines"][0]["figures"]["hits"] = told["lines"][0]["incident_id"] = None
    errors = schemas.problems(told)
    assert sorted(error.json_path for error in errors) == [
        "$.lines[0].figures.hits",
        "$.lines[0].incident_id",
    ]


def test_an_incident() -> None:
    breach = make_breach()
    notice = make_incident(
        figures=make_figures(12, 4), exemplars=(breach,), key=make_key(route=breach.request.transaction)
    )
    assert sent(notice) == {
        "type": "compass.incident",
        "version": 1,
        "id": "message-1",
        "timestamp": "2026-09-21T14:14:20.000000Z",
        "summary": "checkout over budget: 12 requests to shop.example cart.show (pool www), 4.20 s at most",
        "incident_id": INCIDENT_ID,
        "happening": "opened",
        "severity": "warning",
        "key": {
            "rule": "checkout",
            "host": "shop.example",
            "pool": "www",
            "route": "cart.show",
            "function": r"Shop\Repo::find",
        },
        "figures": FIGURES,
        "attributes": {"host.name": "web1", "server.address": "shop.example", "http.route": "cart.show"},
        "exemplars": [document(breach)],
    }


def test_a_path_is_no_route_of_opentelemetry_and_other_is_no_host() -> None:
    notice = make_incident(key=make_key(host="<other>", route="/cart"))
    assert sent(notice)["attributes"] == {"host.name": "web1"}


def test_a_budget_of_nothing_is_exceeded_infinitely_which_json_cannot_say() -> None:
    notice = make_incident(figures=make_figures(worst_ratio=float("inf")))
    assert sent(notice)["figures"]["worst_ratio"] is None


def test_a_digest() -> None:
    digest = make_digest(1, dropped=7, reason=DigestReason.OUTAGE)
    (line,) = digest.lines
    told = sent(digest)
    alone = sent(
        make_incident(
            line.happening,
            line.figures,
            incident_id=line.incident_id,
            key=line.key,
            severity=line.severity,
        )
    )
    shared = ("incident_id", "happening", "severity", "key", "figures")
    assert told.pop("lines") == [{name: alone[name] for name in shared}]
    assert told == {
        "type": "compass.digest",
        "version": 1,
        "id": "message-1",
        "timestamp": "2026-09-21T14:14:20.000000Z",
        "summary": "10 requests over budget in 1 incident on web1, "
        "told late because nothing could be sent, 7 more only counted",
        "attributes": {"host.name": "web1"},
        "reason": "outage",
        "severity": "warning",
        "since": "2026-09-21T14:13:20.000000Z",
        "until": "2026-09-21T14:14:20.000000Z",
        "incidents": 1,
        "new_hits": 10,
        "dropped": 7,
    }


def test_a_test_says_that_it_is_one() -> None:
    notice = TestNotice(server="web1", at=BEGAN)
    assert problems(make_message(notice)) == []
    told = sent(notice)
    assert (told["type"], told["attributes"]) == ("compass.test", {"host.name": "web1"})


def test_a_breach_is_its_own_document() -> None:
    assert sent(BreachNotice(breach=make_breach())) == document(make_breach())


@given(messages())
def test_every_summary_is_one_bounded_line(message: Message) -> None:
    line = message_document(message)["summary"]
    assert len(line.splitlines()) == 1
    assert len(line) <= 1_000


def test_the_summary_says_what_happened() -> None:
    died = make_figures(1, died=1)
    path, nothing = make_key(pool=""), make_key(host="", pool="", route="")
    assert incident_summary(Happening.ESCALATED, path, died) == (
        "checkout worse now: 1 request to shop.example/cart, 1 of them died, 4.20 s at most"
    )
    assert incident_summary(Happening.CLOSED, nothing, died).startswith("checkout quiet again: 1 request, 1")
    assert incident_summary(Happening.UPDATED, path, died).startswith("checkout still over budget: 1 request")


def test_the_worst_severity_is_that_of_the_whole_digest() -> None:
    told = sent(make_digest(severity=Severity.CRITICAL))
    assert (told["severity"], told["lines"][0]["severity"]) == ("critical", "warning")
