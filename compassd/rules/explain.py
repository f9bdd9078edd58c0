"""pydantic's errors in the words of somebody who writes a rules file."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from compassd.rules.codes import Code
from compassd.rules.model import Budget, FunctionBudget, Match, Rule, RulesFile, suggestion
from compassd.rules.positions import KeyPath
from compassd.rules.problems import Finding
from compassd.units import quoted, shown

_EXAMPLES = {
    "rule": "write [[rule]] above the keys of each rule, with two brackets",
    "match": 'write for example match = { uri = "/shop/**" }',
    "budget": 'write for example budget = { duration = "800ms" }',
    "function": 'write for example function = { name = "PDO::*", waits = 50 }',
}
_MODELS: Mapping[str, type[BaseModel]] = {"match": Match, "budget": Budget, "function": FunctionBudget}

# What pydantic calls a value that is no table where there must be one.
_SHAPES = {"model_type": "table", "tuple_type": "list of tables"}
# Of a wrong value, by its key, or by its table and key where the key alone does not tell.
_CODES: Mapping[str, Code] = {
    "name": Code.NAME,
    "uri": Code.URI,
    "host": Code.HOST,
    "method": Code.METHOD,
    "status": Code.STATUS,
    "budget": Code.NO_LIMIT,
    "duration": Code.DURATION,
    "cpu": Code.DURATION,
    "memory": Code.SIZE,
    "function": Code.NO_LIMIT,
    "function.name": Code.FUNCTION,
    "time": Code.DURATION,
    "waits": Code.WAITS,
    "severity": Code.SEVERITY,
    "destinations": Code.DESTINATION,
}


def explain(error: ValidationError) -> Iterator[Finding]:
    """Yield what is wrong with a document, from the error of RulesFile.model_validate."""
    for details in error.errors(include_url=False):
        path = details["loc"]
        if details["type"] == "extra_forbidden":
            message = _inside(path[:-1], _unknown_key(path))
            yield Finding(Code.UNKNOWN_KEY, path, at_key=True, message=message)
        elif details["type"] == "missing":
            message = _inside(path[:-1], f"missing key {quoted(str(path[-1]))}")
            yield Finding(Code.MISSING_KEY, path[:-1], at_key=True, message=message)
        else:
            message = _inside(path, _complaint(details))
            yield Finding(_code(details), path, at_key=False, message=message)


def _code(details: ErrorDetails) -> Code:
    """Return the kind of a wrong value."""
    if details["type"] in _SHAPES:
        return Code.NOT_A_TABLE
    *_, table, key = ("", *(part for part in details["loc"] if isinstance(part, str)))
    code = _CODES.get(f"{table}.{key}") or _CODES[key]
    if code is Code.DESTINATION and isinstance(details["input"], str):
        return Code.UNKNOWN_DESTINATION
    return code


def _unknown_key(path: KeyPath) -> str:
    *table, key = path
    names = [part for part in table if isinstance(part, str)]
    model = _MODELS.get(names[-1], Rule) if names else RulesFile
    known = sorted(model.model_fields)
    listed = "; known: " + ", ".join(quoted(each) for each in known)
    return f"unknown key {quoted(str(key))}{suggestion(str(key), known) or listed}"


def _complaint(details: ErrorDetails) -> str:
    if details["type"] == "value_error":
        # One of this package's own; pydantic would put "Value error, " in front.
        return str(details["ctx"]["error"])
    if expected := _SHAPES.get(details["type"]):
        names = [key for key in details["loc"] if isinstance(key, str)]
        return f"{shown(details['input'])} is not a {expected}; {_EXAMPLES[names[-1]]}"
    return details["msg"]


def _inside(path: KeyPath, message: str) -> str:
    """Put the keys from the rule to the value in front; numbers in lists are left to the position."""
    keys = [key for key in path[2:] if isinstance(key, str)]
    return f"{'.'.join(keys)}: {message}" if keys else message
