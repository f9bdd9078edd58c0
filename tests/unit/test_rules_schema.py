from __future__ import annotations

import io
import json
import tomllib
from collections.abc import Iterator
from datetime import date
from importlib.resources import files
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from compassd.commands.schema import schema, schema_names
from compassd.errors import CompassError
from compassd.rules.load import load_rules
from compassd.rules.problems import RulesError
from compassd.rules.schema import rules_schema, write_schema

EXAMPLE = Path(__file__).parents[2] / "rules.example.toml"
PUBLISHED: dict[str, Any] = json.loads((files("compassd") / "schemas/rules.schema.json").read_text())
VALIDATOR = jsonschema.Draft202012Validator(PUBLISHED)

FULL = """
[[rule]]
name = "a"
budget = { duration = "800ms", cpu = "1.5 s", memory = "64MiB", waits = 50 }
severity = "critical"
escalate_ratio = 5
destinations = ["ops-slack", "journal"]
overrides = "b"
min_hits = 5
min_rate = 0.05
within = "5m"

[rule.match]
uri = ["/shop/**", "**.php"]
uri_regex = '/shop/[0-9]+'
method = "post"
host = "*.example.com"
status = [404, "5xx"]
pool = "shop-*"
transaction = "cart/*"
tags = { tenant = "acme", plan = ["free", "trial*"] }
not = [{ uri = "/shop/export" }, { status = 499, tags.internal = "yes" }]

[[rule.exception]]
name = "import"
match.uri = "/shop/import"
reason = "runs at night"
expires = 2026-12-31

[[rule.exception]]
match.method = "PUT"
reason = "being mended"
expires = 2026-12-31T12:00:00+02:00

[[rule]]
name = "b"
budget.function = { name = "PDO::*", time = "300ms", waits = 5 }
severity = "info"

[[route]]
match = "/blog/*"
name = "/blog/{slug}"
host = ["a.example.com"]
"""


def _iso(value: date) -> str:
    return value.isoformat()


def as_json(text: str) -> object:
    """A file as editors hold it against the schema: JSON has no dates."""
    return json.loads(json.dumps(tomllib.loads(text), default=_iso))


def test_the_published_schema_is_that_of_the_models() -> None:
    jsonschema.Draft202012Validator.check_schema(PUBLISHED)
    assert rules_schema() == PUBLISHED, "python -m compassd.rules.schema > compassd/schemas/rules.schema.json"
    out = io.StringIO()
    write_schema(out)
    assert json.loads(out.getvalue()) == PUBLISHED


def test_every_key_has_a_description_for_those_who_write_rules() -> None:
    for table in (PUBLISHED, *PUBLISHED["$defs"].values()):
        assert "Attributes:" not in table["description"]
        for key, value in table["properties"].items():
            assert value["description"], key


@pytest.mark.parametrize("text", [EXAMPLE.read_text(), FULL], ids=["example", "full"])
def test_what_check_accepts_the_schema_accepts(text: str, tmp_path: Path) -> None:
    VALIDATOR.validate(as_json(text))
    (tmp_path / "rules.toml").write_text(text)
    assert load_rules(tmp_path / "rules.toml").rules


def keys(value: object) -> Iterator[str]:
    if isinstance(value, dict):
        for key, inner in value.items():
            yield key
            yield from keys(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from keys(inner)


def test_the_full_file_has_every_key_there_is() -> None:
    known = {key for table in PUBLISHED["$defs"].values() for key in table["properties"]}
    assert known <= set(keys(tomllib.loads(FULL)))


@pytest.mark.parametrize(
    "text",
    [
        "",
        "rules = 3",
        "rule = 3",
        '[rule]\nname = "a"\nbudget.cpu = "1s"',
        "[[rule]]\nbudget.cpu = '1s'",
        "[[rule]]\nname = 'a'",
        "[[rule]]\nname = 'a b'\nbudget.cpu = '1s'",
        *(
            f"[[rule]]\nname = 'a'\nbudget = {budget}"
            for budget in (
                "{}",
                "'1s'",
                "{ duration = 800 }",
                "{ duration = '800' }",
                "{ duration = '800 msec' }",
                "{ memory = '64M' }",
                "{ cpus = '1s' }",
                "{ waits = -1 }",
                "{ function = { name = 'f' } }",
                "{ function = { time = '1s', waits = 1 } }",
                "{ function = [] }",
            )
        ),
        *(
            f"[[rule]]\nname = 'a'\nbudget.cpu = '1s'\n{line}"
            for line in (
                "severity = 'warn'",
                "destinations = []",
                "destinations = 3",
                "colour = 'red'",
                "escalate_ratio = 1",
                "min_rate = 5",
                "min_hits = 0",
                "within = '5m'",
                "overrides = 'a b'",
                "match.uri = 'shop'",
                "match.uri = []",
                "match.uri = 3",
                "match.metod = 'GET'",
                "match.method = 'P T'",
                "match.host = 'http://a/'",
                "match.status = 600",
                "match.status = '404'",
                "match.pool = ''",
                "match.tags = {}",
                "match.tags = { a = [] }",
                "match.tags = 'a'",
                "match.not = {}",
                "match.not.not.uri = '/a'",
                "exception = { match = {}, reason = 'x' }",
                "exception = { match.uri = '/a' }",
                "exception = { match.uri = '/a', reason = ' ' }",
                "exception = { match.uri = '/a', reason = 'x', expires = 'tomorrow' }",
                "exception = { match.uri = '/a', reason = 'x', expires = 2026-01-01T00:00:00 }",
                "[[route]]\nname = 'a'",
                "[[route]]\nname = ''\nmatch = '/a'",
                "[[route]]\nname = 'a'\nmatch = 'a'",
            )
        ),
    ],
)
def test_what_has_the_wrong_shape_is_refused_by_both(text: str, tmp_path: Path) -> None:
    assert not VALIDATOR.is_valid(as_json(text))
    (tmp_path / "rules.toml").write_text(text)
    with pytest.raises(RulesError):
        load_rules(tmp_path / "rules.toml")


def test_each_schema_is_printed_by_its_name() -> None:
    assert {"breach", "rules"} <= set(schema_names())
    for name in schema_names():
        out = io.StringIO()
        assert schema(name, out) == 0
        jsonschema.Draft202012Validator.check_schema(json.loads(out.getvalue()))


@pytest.mark.parametrize("name", ["rule", "../schemas/rules", "", "\x1b"])
def test_a_schema_that_does_not_exist_is_an_error_that_names_those_that_do(name: str) -> None:
    with pytest.raises(CompassError) as caught:
        schema(name, io.StringIO())
    assert caught.value.hint.startswith("there are: breach, ")
    assert str(caught.value).isprintable()
