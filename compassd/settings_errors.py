"""What is wrong with the settings, in plain words and without a single value: those may be secrets."""

from __future__ import annotations

import difflib
import json
import re
from collections.abc import Collection
from dataclasses import dataclass
from typing import Any, get_args, get_origin

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails
from pydantic_settings import BaseSettings

from compassd.settings_sources import DELIMITER, PREFIX

_BARE_KEY = re.compile(r"[A-Za-z0-9_-]+")

_PLAIN = {
    "missing": "missing",
    "extra_forbidden": "unknown setting",
    "union_tag_not_found": "type is missing",
    "bool_parsing": "must be true or false",
    "bool_type": "must be true or false",
    "int_parsing": "must be a whole number",
    "int_type": "must be a whole number",
    "int_from_float": "must be a whole number",
    "string_type": "must be text",
    "path_type": "must be a path",
    "tuple_type": "must be a list",
    "dict_type": "must be a table",
    "model_type": "must be a table",
    "model_attributes_type": "must be a table",
}


@dataclass(frozen=True, slots=True)
class Origins:
    """Which names each source has, to tell where a wrong value comes from.

    Attributes:
        file: Name of the settings file.
        variables: Names of the environment variables that begin with our prefix.
        credentials: Names of the credentials, in lower case.
    """

    file: str
    variables: frozenset[str]
    credentials: frozenset[str]

    def of(self, keys: tuple[str, ...]) -> str:
        """Return what to look at for the setting at keys: a variable, a credential, or a key of the file."""
        # A variable may hold a whole table as JSON, so that the name of any level above will do.
        for depth in range(len(keys), 0, -1):
            name = DELIMITER.join(keys[:depth])
            below = "".join(f".{key}" for key in keys[depth:])
            for variable in self.variables:
                if variable.upper() == (PREFIX + name).upper():
                    return f"environment: {variable}{below}"
            if name.lower() in self.credentials:
                return f"credential: {name.lower()}{below}"
        dotted = ".".join(key if _BARE_KEY.fullmatch(key) else json.dumps(key) for key in keys)
        return f"{self.file}: {dotted}" if keys else self.file

    def unknown_variables(self, model: type[BaseSettings]) -> list[str]:
        """Return a problem for every environment variable with our prefix that names no setting."""
        known = [PREFIX + name.upper() for name in model.model_fields]
        return [
            f"environment: {variable}: unknown setting{_suggestion(head, known)}"
            for variable in sorted(self.variables)
            if (head := PREFIX + variable.upper().removeprefix(PREFIX).partition(DELIMITER)[0]) not in known
        ]


def explain(error: ValidationError, model: type[BaseModel], origins: Origins) -> list[str]:
    """Return one line per problem: where it is and what is wrong."""
    problems = []
    for details in error.errors(include_url=False, include_input=False):
        keys, owner = _resolve(details["loc"], model)
        problems.append(f"{origins.of(keys)}: {_words(details, keys, owner)}")
    return problems


def _resolve(
    location: tuple[int | str, ...], model: type[BaseModel]
) -> tuple[tuple[str, ...], type[BaseModel]]:
    """Return the keys as they are written, and the model in which the last one should have been known.

    A location holds more than keys: the tag of the tried member of a discriminated union, and "[key]" where
    not a dictionary's value but its key is wrong.
    """
    keys = []
    owner = model
    annotation: Any = model
    for part in location:
        # A key of a dictionary may be the same word as the tag that follows.
        is_key = get_origin(annotation) is dict
        member = None if is_key else _tagged(annotation, part)
        if is_key:
            keys.append(str(part))
            annotation = get_args(annotation)[1]
        elif member is not None:
            owner = annotation = member
        elif part != "[key]":
            keys.append(str(part))
            field = owner.model_fields.get(str(part))
            annotation = field.annotation if field else annotation
    return tuple(keys), owner


def _tagged(annotation: Any, tag: int | str) -> type[BaseModel] | None:  # noqa: ANN401 - any type expression
    """Return the model inside annotation whose field "type" is the literal tag."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        field = annotation.model_fields.get("type")
        return annotation if field and tag in get_args(field.annotation) else None
    return next(filter(None, (_tagged(inner, tag) for inner in get_args(annotation))), None)


def _words(details: ErrorDetails, keys: tuple[str, ...], owner: type[BaseModel]) -> str:
    kind = details["type"]
    context = details.get("ctx", {})
    if kind == "extra_forbidden":
        return _PLAIN[kind] + _suggestion(keys[-1], owner.model_fields)
    if kind == "union_tag_invalid":
        expected = re.findall(r"'([^']*)'", context["expected_tags"])
        tag = str(context["tag"])
        return f"unknown type {json.dumps(tag)}{_suggestion(tag, expected)}; there are {', '.join(expected)}"
    if details["loc"][-1] == "[key]":
        return "a name consists of a-z, 0-9 and single - or _, at most 32 characters"
    if kind in ("enum", "literal_error"):
        return f"must be {context['expected']}"
    if kind == "value_error":
        return str(context["error"])
    message = details["msg"]
    return _PLAIN.get(kind, message[:1].lower() + message[1:])


def _suggestion(name: str, known: Collection[str]) -> str:
    close = difflib.get_close_matches(name, known, n=1)
    return f", did you mean {close[0]}?" if close else ""
