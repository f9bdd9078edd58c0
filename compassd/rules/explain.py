"""pydantic's errors in the words of somebody who writes a rules file."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from compassd.rules.model import (
    Budget,
    Exclusion,
    FunctionBudget,
    Match,
    Route,
    Rule,
    RuleException,
    RulesFile,
)
from compassd.rules.positions import KeyPath
from compassd.rules.values import suggestion
from compassd.units import quoted, shown


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing wrong with a document.

    Attributes:
        path: Of the value concerned, or of the table around it; it may go deeper than the document does.
        at_key: Whether to point to the key rather than to its value.
        message: What is wrong, in one line, beginning with the key inside of its rule.
    """

    path: KeyPath
    at_key: bool
    message: str


@dataclass(frozen=True, slots=True)
class Vocabulary:
    """What may be in a document.

    Attributes:
        root: The document as a whole.
        models: What may be in its tables, by their names.
        examples: How to write a table or a list of tables, by their names.
    """

    root: type[BaseModel]
    models: Mapping[str, type[BaseModel]]
    examples: Mapping[str, str]


_EXAMPLES = {
    "rule": "write [[rule]] above the keys of each rule, with two brackets",
    "route": "write [[route]] above the keys of each route, with two brackets",
    "match": 'write for example match = { uri = "/shop/**" }',
    "budget": 'write for example budget = { duration = "800ms" }',
    "function": 'write for example function = { name = "PDO::*", waits = 50 }',
    "not": 'write for example not = { uri = "/shop/export" }',
    "exception": "write [[rule.exception]] above the keys of each exception",
}
_MODELS: Mapping[str, type[BaseModel]] = {
    "rule": Rule,
    "route": Route,
    "match": Match,
    "not": Exclusion,
    "exception": RuleException,
    "budget": Budget,
    "function": FunctionBudget,
}


RULES = Vocabulary(RulesFile, _MODELS, _EXAMPLES)


def explain(error: ValidationError, vocabulary: Vocabulary = RULES) -> Iterator[Finding]:
    """Yield what is wrong with a document, from the error of its model's model_validate()."""
    for details in error.errors(include_url=False):
        path = details["loc"]
        if details["type"] == "extra_forbidden":
            yield Finding(path, at_key=True, message=_inside(path[:-1], _unknown_key(path, vocabulary)))
        elif details["type"] == "missing":
            message = f"missing key {quoted(str(path[-1]))}"
            yield Finding(path[:-1], at_key=True, message=_inside(path[:-1], message))
        else:
            yield Finding(path, at_key=False, message=_inside(path, _complaint(details, vocabulary)))


def _unknown_key(path: KeyPath, vocabulary: Vocabulary) -> str:
    *table, key = path
    names = [part for part in table if isinstance(part, str)]
    model = vocabulary.models[names[-1]] if names else vocabulary.root
    known = sorted(field.alias or name for name, field in model.model_fields.items())
    listed = "; known: " + ", ".join(quoted(each) for each in known)
    return f"unknown key {quoted(str(key))}{suggestion(str(key), known) or listed}"


def _complaint(details: ErrorDetails, vocabulary: Vocabulary) -> str:
    if details["type"] == "value_error":
        # One of this package's own; pydantic would put "Value error, " in front.
        return str(details["ctx"]["error"])
    if details["type"] in {"model_type", "tuple_type"}:
        names = [key for key in details["loc"] if isinstance(key, str)]
        expected = "list of tables" if details["type"] == "tuple_type" else "table"
        return f"{shown(details['input'])} is not a {expected}; {vocabulary.examples[names[-1]]}"
    return details["msg"]


def _inside(path: KeyPath, message: str) -> str:
    """Put the keys from the rule to the value in front; numbers in lists are left to the position."""
    keys = [key for key in path[2:] if isinstance(key, str)]
    return f"{'.'.join(keys)}: {message}" if keys else message
