"""The values of a rule, each as it is written and as what it is held.

A complaint says what is wrong with the value in plain words; where it stands is added by compassd.rules.load.
"""

from __future__ import annotations

import difflib
import math
import re
from collections.abc import Collection, Mapping
from datetime import UTC, date, datetime, timedelta
from typing import Annotated, TypeVar

from pydantic import BeforeValidator, Field, GetJsonSchemaHandler, ValidationInfo, WithJsonSchema
from pydantic.json_schema import JsonSchemaValue
from pydantic_core import CoreSchema

from compassd.breach import Severity
from compassd.rules.function_glob import MAX_LENGTH as MAX_FUNCTION_GLOB
from compassd.rules.function_glob import compile_function_glob
from compassd.rules.glob import compile_glob
from compassd.rules.path_regex import MAX_LENGTH as MAX_PATH_REGEX
from compassd.rules.path_regex import compile_path_regex
from compassd.rules.text_glob import MAX_LENGTH as MAX_TEXT_GLOB
from compassd.rules.text_glob import compile_text_glob
from compassd.units import quoted, shown

KNOWN_DESTINATIONS = "known_destinations"
"""Key of the validation context that holds the names of the configured destinations, or None."""

_NAME = re.compile(r"[a-zA-Z0-9._-]{1,64}")
_METHOD = re.compile(r"[A-Za-z][A-Za-z-]{0,31}")
_STATUS_CLASS = re.compile(r"[1-5]xx", re.IGNORECASE)
_PORT = re.compile(r"[^:]*:[0-9*]+")
# The kernel counts the waits of a request in 32 bits.
_MAX_WAITS = 2**32 - 1
_MAX_HITS = 1_000
_MAX_ROUTE_NAME = 128
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def suggestion(name: str, known: Collection[str]) -> str:
    """Return '; did you mean "…"?' with the known name closest to name, "" if none is close."""
    close = difflib.get_close_matches(name, known, n=1)
    return f"; did you mean {quoted(close[0])}?" if close else ""


def _text(value: object, what: str) -> str:
    if not isinstance(value, str):
        raise ValueError(f"{shown(value)} is not {what}; write text in quotes")  # noqa: TRY004 - pydantic's way
    return value


def _name(value: object) -> str:
    name = _text(value, "a name")
    if not _NAME.fullmatch(name):
        raise ValueError(
            f"{quoted(name)} is not a name; use 1 to 64 of a-z, A-Z, 0-9, dot, dash and underscore"
        )
    return name


def _one_or_many(value: object) -> object:
    if not isinstance(value, (list, tuple)):
        return (value,)
    if not value:
        raise ValueError("is an empty list; list at least one value, or leave the key out")
    return tuple(value)


def _path_glob(value: object) -> str:
    glob = _text(value, "a glob")
    compile_glob(glob)
    if not glob.startswith(("/", "**")):
        raise ValueError(f'{quoted(glob)} matches no path: paths begin with "/"; write "/…" or "**…"')
    return glob


def _path_regex(value: object) -> str:
    expression = _text(value, "a regular expression")
    compile_path_regex(expression)
    return expression


def _text_glob(value: object) -> str:
    glob = _text(value, "a glob")
    compile_text_glob(glob)
    return glob


def _tags(value: object) -> object:
    if not isinstance(value, Mapping) or not value:
        what = "an empty table" if isinstance(value, Mapping) else f"{shown(value)}, not a table"
        raise ValueError(f'is {what}; write for example tags = {{ tenant = "acme" }}')
    return value


def _host_glob(value: object) -> str:
    glob = _text(value, "a glob").lower()
    if "/" in glob:
        raise ValueError(
            f'{quoted(glob)} is not a host; write for example "shop.example.com" or "*.example.com"'
        )
    if _PORT.fullmatch(glob):
        raise ValueError(f"{quoted(glob)} has a port, which is not compared; leave it out")
    compile_glob(glob)
    return glob


def _method(value: object) -> str:
    method = _text(value, "a method")
    if not _METHOD.fullmatch(method):
        raise ValueError(f'{quoted(method)} is not a method; write for example "GET" or "POST"')
    return method.upper()


def _status(value: object) -> int | str:
    if isinstance(value, int) and 100 <= value <= 599:  # noqa: PLR2004 - HTTP's
        return value
    if isinstance(value, str) and _STATUS_CLASS.fullmatch(value):
        return value.lower()
    raise ValueError(f'{shown(value)} is not a status; write for example 404 or "5xx"')


def _function_glob(value: object) -> str:
    glob = _text(value, "the name of a function")
    compile_function_glob(glob)
    return glob


def _waits(value: object) -> int:
    # A bool is an int to Python.
    if not isinstance(value, int) or isinstance(value, bool) or not 0 <= value <= _MAX_WAITS:
        raise ValueError(f"{shown(value)} is not a number of waits; write for example 50")
    return value


def _number(value: object) -> float:
    # A bool is an int to Python.
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not math.isfinite(value):
        raise ValueError(f"{shown(value)} is not a number")
    return value


def _escalate_ratio(value: object) -> float:
    if _number(value) <= 1:
        raise ValueError(
            f"{shown(value)} is not greater than 1; write for example 5, for five times the budget"
        )
    return float(_number(value))


def _min_rate(value: object) -> float:
    if not 0 < _number(value) <= 1:
        raise ValueError(f"{shown(value)} is not a share of the requests; write for example 0.05, for 5 %")
    return float(_number(value))


def _min_hits(value: object) -> int:
    if not isinstance(value, int) or isinstance(value, bool) or not 1 <= value <= _MAX_HITS:
        raise ValueError(f"{shown(value)} is not a number of hits from 1 to {_MAX_HITS}; write for example 5")
    return value


def _reason(value: object) -> str:
    reason = _text(value, "a reason").strip()
    if not reason:
        raise ValueError('"" is not a reason; write for whoever will ask why this is excepted')
    return reason


def _expiry(value: object) -> int:
    if isinstance(value, datetime):
        if value.tzinfo is None:
            raise ValueError(
                f"{value.isoformat()} has no offset; write {value.isoformat()}Z for UTC, or a date"
            )
        end = value - _EPOCH
    elif isinstance(value, date):
        end = timedelta(days=value.toordinal() - _EPOCH.toordinal() + 1)
    else:
        example = "write for example 2026-12-31, without quotes"
        raise ValueError(f"{shown(value)} is not a date; {example}")  # noqa: TRY004 - pydantic's way
    return end // timedelta(microseconds=1) * 1_000


def _route_name(value: object) -> str:
    name = _text(value, "the name of a route")
    if not name or len(name) > _MAX_ROUTE_NAME or not name.isprintable():
        raise ValueError(
            f"{quoted(name)} is not the name of a route; use 1 to {_MAX_ROUTE_NAME} characters that print"
        )
    return name


def _severity(value: object) -> object:
    # Text only: pydantic's own complaint about an unknown one lists the members in its words.
    if value in tuple(Severity):
        return value
    close = suggestion(value, tuple(Severity)) if isinstance(value, str) else ""
    choices = '"info", "warning" or "critical"'
    raise ValueError(f"{shown(value)} is not a severity{close or '; write ' + choices}")


def _destination(value: object, info: ValidationInfo) -> str:
    name = _text(value, "the name of a destination")
    known: Collection[str] | None = (info.context or {}).get(KNOWN_DESTINATIONS)
    if known is not None and name not in known:
        listed = "; configured: " + ", ".join(quoted(each) for each in sorted(known)) if known else ""
        raise ValueError(f"no destination {quoted(name)} is configured{suggestion(name, known) or listed}")
    return name


_T = TypeVar("_T")


class _OneOrManySchema:
    """Says in the JSON Schema of a list that a single value needs no brackets."""

    def __get_pydantic_json_schema__(
        self, core_schema: CoreSchema, handler: GetJsonSchemaHandler
    ) -> JsonSchemaValue:
        items = handler(core_schema)["items"]
        return {"anyOf": [items, {"type": "array", "items": items, "minItems": 1}]}


def _text_schema(pattern: str) -> WithJsonSchema:
    return WithJsonSchema({"type": "string", "pattern": f"^(?:{pattern})$"})


def _length_schema(longest: int) -> WithJsonSchema:
    return WithJsonSchema({"type": "string", "minLength": 1, "maxLength": longest})


# What the JSON Schema says is what an editor can hold against a value; the validators know more.
OneOrMany = Annotated[tuple[_T, ...], BeforeValidator(_one_or_many), _OneOrManySchema()]
"""Written as one value or as a list that is not empty."""
PathGlob = Annotated[
    str, BeforeValidator(_path_glob), WithJsonSchema({"type": "string", "pattern": r"^(?:/|\*\*)"})
]
HostGlob = Annotated[str, BeforeValidator(_host_glob), _text_schema("[^/]+")]
Method = Annotated[str, BeforeValidator(_method), _text_schema(_METHOD.pattern)]
Status = Annotated[
    int | str,
    BeforeValidator(_status),
    WithJsonSchema(
        {
            "anyOf": [
                {"type": "integer", "minimum": 100, "maximum": 599},
                {"type": "string", "pattern": "^[1-5][xX][xX]$"},
            ]
        }
    ),
]
FunctionGlob = Annotated[str, BeforeValidator(_function_glob), _length_schema(MAX_FUNCTION_GLOB)]
Waits = Annotated[
    int, BeforeValidator(_waits), WithJsonSchema({"type": "integer", "minimum": 0, "maximum": _MAX_WAITS})
]
Destination = Annotated[str, BeforeValidator(_destination)]
Name = Annotated[str, BeforeValidator(_name), _text_schema(_NAME.pattern)]
PathRegexText = Annotated[str, BeforeValidator(_path_regex), _length_schema(MAX_PATH_REGEX)]
TextGlob = Annotated[str, BeforeValidator(_text_glob), _length_schema(MAX_TEXT_GLOB)]
Tags = Annotated[
    Mapping[str, OneOrMany[TextGlob]],
    BeforeValidator(_tags),
    Field(json_schema_extra={"minProperties": 1}),
]
"""Tags by their names, each with globs for its value."""
EscalateRatio = Annotated[
    float, BeforeValidator(_escalate_ratio), WithJsonSchema({"type": "number", "exclusiveMinimum": 1})
]
MinHits = Annotated[
    int, BeforeValidator(_min_hits), WithJsonSchema({"type": "integer", "minimum": 1, "maximum": _MAX_HITS})
]
MinRate = Annotated[
    float,
    BeforeValidator(_min_rate),
    WithJsonSchema({"type": "number", "exclusiveMinimum": 0, "maximum": 1}),
]
Reason = Annotated[str, BeforeValidator(_reason), WithJsonSchema({"type": "string", "pattern": r"\S"})]
Expiry = Annotated[
    int,
    BeforeValidator(_expiry),
    # JSON has no dates: editors hold their text against this.
    _text_schema(r"[0-9]{4}-[0-9]{2}-[0-9]{2}(?:[Tt ][0-9:.]+(?:[Zz]|[+-][0-9]{2}:[0-9]{2}))?"),
]
"""Written as a date, until its end in UTC, or a date and time with an offset; held as Unix time in ns."""
RouteName = Annotated[str, BeforeValidator(_route_name), _length_schema(_MAX_ROUTE_NAME)]
SeverityName = Annotated[Severity, BeforeValidator(_severity), WithJsonSchema({"enum": list(Severity)})]
