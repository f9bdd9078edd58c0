"""The JSON Schema of a rules file, for editors: made of the models, and of words for those who write rules.

It knows less than `compassd check`: JSON has no dates, and no schema tells whether a glob is well formed or a
name is used twice. It accepts every file that is fine.

    python -m compassd.rules.schema > compassd/schemas/rules.schema.json
"""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, TextIO

from pydantic.json_schema import GenerateJsonSchema, JsonSchemaValue
from pydantic_core import core_schema

from compassd.rules.model import RulesFile

_MATCH = {
    "uri": 'Globs for the path, such as "/shop/**". * is any run of characters but "/", ** any run. '
    "A query string is never compared.",
    "uri_regex": "Regular expressions for the whole path, without look-around and backreferences.",
    "method": 'HTTP methods, such as "POST".',
    "host": 'Globs for the host, such as "*.example.com"; without port, and case does not count.',
    "status": 'Status codes: 404, or a class of them such as "5xx". Known only at the end of a request.',
    "pool": "Globs for the name of the PHP-FPM pool.",
    "transaction": "Globs for the name that the application gave the request. Known only at its end.",
    "tags": "Tags that the application gave the request, with globs for their values. Known only at its end.",
}


@dataclass(frozen=True, slots=True)
class _Table:
    """What to say of a table, of its keys, and what else holds for it."""

    text: str
    keys: Mapping[str, str]
    more: Mapping[str, object] = field(default_factory=dict)


_TABLES = {
    "RulesFile": _Table(
        "Which PHP-FPM requests may take how much, and who hears about it when one takes more.",
        {
            "rule": "One rule. Every rule is asked about every request, and all that are broken are told.",
            "route": "What to call the requests of some paths. The first that is about a request names it.",
        },
        {"required": ["rule"]},
    ),
    "Rule": _Table(
        "A budget for some requests.",
        {
            "name": "Unique; letters, digits, dot, dash, underscore; at most 64.",
            "match": "Which requests the rule is about. All keys must match; a list means any of it. "
            "Without: every request.",
            "budget": "What such a request may take. The rule is broken by what is greater than any of it.",
            "severity": "How bad it is to exceed the budget.",
            "escalate_ratio": "From so many times a limit on, the severity is one step worse.",
            "destinations": "Whom to tell: names from the settings. Without: all of them.",
            "overrides": "Names of rules that are not asked about the requests that this one is about.",
            "exception": "Requests that may exceed the budget all the same.",
            "min_hits": "How many breaches it takes within the time until they are told.",
            "min_rate": "How many breaches per finished request of the machine it takes within the time: "
            "0.05 is 5 %.",
            "within": "The time for min_hits and min_rate. Without: a minute.",
        },
        {"dependentSchemas": {"within": {"anyOf": [{"required": ["min_hits"]}, {"required": ["min_rate"]}]}}},
    ),
    "Match": _Table(
        "Which requests. All keys must match; a list means any of it.",
        _MATCH | {"not": "What is left out: a request that all keys of one of these match."},
    ),
    "Exclusion": _Table("What a match leaves out. All keys must match.", _MATCH, {"minProperties": 1}),
    "Budget": _Table(
        "Limits, at least one.",
        {
            "duration": 'Wall time, such as "800ms"; told while the request still runs.',
            "cpu": 'CPU time, such as "300ms", without what is waited for.',
            "memory": 'The peak of PHP\'s memory manager, such as "64MiB".',
            "waits": "How often the request may wait: for a database, the network, a file, a lock, a clock.",
            "function": "Limits of functions.",
        },
        {"minProperties": 1},
    ),
    "FunctionBudget": _Table(
        "Limits of some functions with all that they call, at least one.",
        {
            "name": 'A glob for their names, such as "PDO::*" or "curl_exec". Case does not count.',
            "time": 'Wall time in all of them over the whole request, such as "300ms".',
            "waits": "How often the request may wait in them.",
        },
        {"minProperties": 2},
    ),
    "RuleException": _Table(
        "Requests that a rule is about and that may exceed its budget all the same.",
        {
            "match": "Which requests; at least one key.",
            "reason": "Why, for whoever will ask.",
            "name": "What to call the exception.",
            "expires": "A date, until its end in UTC, or a date and time with an offset; without quotes.",
        },
        {"allOf": [{"properties": {"match": {"minProperties": 1}}}]},
    ),
    "Route": _Table(
        "What to call the requests of some paths, where the application does not say.",
        {
            "match": 'Globs for the path, such as "/blog/*".',
            "name": 'What to call them, such as "/blog/{slug}".',
            "host": 'Globs for the host, such as "*.example.com". Without: any.',
        },
    ),
}


class _Generator(GenerateJsonSchema):
    """pydantic's, without what a rules file cannot say: there is no null in TOML."""

    def nullable_schema(self, schema: core_schema.NullableSchema) -> JsonSchemaValue:
        return self.generate_inner(schema["schema"])

    def default_schema(self, schema: core_schema.WithDefaultSchema) -> JsonSchemaValue:
        json_schema = super().default_schema(schema)
        # Empty stands for "not given" here, and would often be refused if it were written.
        if not isinstance(json_schema.get("default"), str | int):
            json_schema.pop("default", None)
        return json_schema

    def field_title_should_be_set(self, schema: object) -> bool:  # noqa: ARG002 - the hook's
        """Return that keys need no title: it would be their name once more."""
        return False


def rules_schema() -> dict[str, Any]:
    """Return the schema, a JSON document of draft 2020-12."""
    schema = RulesFile.model_json_schema(schema_generator=_Generator)
    tables = schema.pop("$defs")
    for name, table in (*tables.items(), ("RulesFile", schema)):
        _describe(table, _TABLES[name])
    return {
        "$schema": GenerateJsonSchema.schema_dialect,
        "$id": "urn:compass:schema:rules:1",
        **schema,
        "title": "Compass rules",
        "$defs": dict(sorted(tables.items())),
    }


def _describe(table: dict[str, Any], text: _Table) -> None:
    """Put the words for those who write rules in place of those for us, and add what else holds."""
    table["description"] = text.text
    for key, description in text.keys.items():
        table["properties"][key]["description"] = description
    table.update(text.more)


def write_schema(out: TextIO) -> None:
    """Write the schema as it is published."""
    json.dump(rules_schema(), out, indent=2, ensure_ascii=False)
    out.write("\n")


if __name__ == "__main__":
    write_schema(sys.stdout)
