"""The published schemas of what destinations are told, which refer to one another."""

from __future__ import annotations

import json
from collections.abc import Mapping
from importlib.resources import files
from typing import Any

from jsonschema import Draft202012Validator, ValidationError
from referencing import Registry, Resource

SCHEMAS: Mapping[str, dict[str, Any]] = {
    kind: json.loads((files("compassd") / f"schemas/{kind}.schema.json").read_text())
    for kind in ("breach", "incident", "digest", "test")
}
"""By what follows "compass." in the type of a document."""

_REGISTRY: Registry[Any] = Registry().with_resources(
    (schema["$id"], Resource.from_contents(schema)) for schema in SCHEMAS.values()
)


def problems(document: Mapping[str, Any]) -> list[ValidationError]:
    """Return what is wrong with a document, by the schema of its type."""
    schema = SCHEMAS[document["type"].removeprefix("compass.")]
    return list(Draft202012Validator(schema, registry=_REGISTRY).iter_errors(document))
