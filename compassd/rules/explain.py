"""pydantic's errors in the words of somebody who writes a rules file."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from compassd.rules.codes import Code
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
from compassd.rules.problems import Finding
from compassd.rules.values import suggestion
from compassd.units import quoted, shown

_EXAMPLES = {
    "rule": "write [[rule]] above the keys of each rule, with two brackets",
    "route": "write [[route]] above the keys of each route, with two brackets",
    "match": 'write for example match = { uri = "/shop/**" }',
    "budget": 'write for example budget = { duration = "800ms" }',
    "function": 'write for example function = { name = "PDO::*", waits = 50 }',
    "tags": 'write for example tags = { tenant = "acme" }',
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

# What pydantic calls a value that is no table where there must be one.
_SHAPES = {"model_type": "table", "mapping_type": "table", "tuple_type": "list of tables"}
# Of a wrong value, by its key, or by its table and key where the key alone does not tell.
_CODES: Mapping[str, Code] = {
    "rule": Code.WITHIN,
    "name": Code.NAME,
    "overrides": Code.NAME,
    "uri": Code.URI,
    "route.match": Code.URI,
    "uri_regex": Code.URI_REGEX,
    "method": Code.METHOD,
    "host": Code.HOST,
    "status": Code.STATUS,
    "pool": Code.GLOB,
    "transaction": Code.GLOB,
    "tags": Code.GLOB,
    "not": Code.EMPTY_MATCH,
    "budget": Code.NO_LIMIT,
    "duration": Code.DURATION,
    "cpu": Code.DURATION,
    "time": Code.DURATION,
    "within": Code.DURATION,
    "memory": Code.SIZE,
    "waits": Code.WAITS,
    "function": Code.NO_LIMIT,
    "function.name": Code.FUNCTION,
    "severity": Code.SEVERITY,
    "destinations": Code.DESTINATION,
    "escalate_ratio": Code.NUMBER,
    "min_hits": Code.NUMBER,
    "min_rate": Code.NUMBER,
    "exception": Code.EMPTY_MATCH,
    "reason": Code.REASON,
    "expires": Code.EXPIRES,
    "route.name": Code.ROUTE_NAME,
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
    keys = [part for part in details["loc"] if isinstance(part, str)]
    if "tags" in keys:
        # What follows is the name of a tag, which may be that of a key.
        keys = keys[: keys.index("tags") + 1]
    code = _CODES.get(".".join(keys[-2:])) or _CODES[keys[-1]]
    if code is Code.DESTINATION and isinstance(details["input"], str):
        return Code.UNKNOWN_DESTINATION
    return code


def _unknown_key(path: KeyPath) -> str:
    *table, key = path
    names = [part for part in table if isinstance(part, str)]
    model = _MODELS[names[-1]] if names else RulesFile
    known = sorted(field.alias or name for name, field in model.model_fields.items())
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
