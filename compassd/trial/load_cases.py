"""From a file of tests to its cases, or to everything that is wrong with the file."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from compassd.errors import ConfigurationError
from compassd.rules.positions import Place, locate
from compassd.rules.source import RulesSource, read_source
from compassd.rules.values import suggestion
from compassd.settings import IncidentSettings
from compassd.trial.cases import AlertCase, Case, CaseFile, FunctionCase, MessageCase, RequestCase
from compassd.units import quoted, shown

_MODELS: Mapping[str, type[BaseModel]] = {
    "incidents": IncidentSettings,
    "test": Case,
    "request": RequestCase,
    "functions": FunctionCase,
    "alert": AlertCase,
    "message": MessageCase,
}
_SHAPES = {"model_type": "a table", "dict_type": "a table", "tuple_type": "a list", "list_type": "a list"}
_HINT = "docs/testing-rules.md says what is in such a file"


@dataclass(frozen=True, slots=True)
class LoadedCases:
    """A file of tests.

    Attributes:
        path: The file.
        cases: What is in it.
    """

    path: Path
    cases: CaseFile
    _source: RulesSource

    def place(self, *path: str | int) -> str:
        """Return where something in the file stands, as file:line."""
        position = locate(self._source.positions, path)
        return f"{self._source.file}:{position.key.line}" if position else self._source.file


def load_cases(path: Path) -> LoadedCases:
    """Read and check a file of tests.

    Raises:
        ConfigurationError: It cannot be used; the message has a line for each problem.
    """
    source = read_source(path, _HINT)
    try:
        return LoadedCases(path, CaseFile.model_validate(source.document), source)
    except ValidationError as error:
        problems = sorted(_problem(source, details) for details in error.errors(include_url=False))
        lines = "\n".join(text for _, text in problems)
    raise ConfigurationError(lines, hint=_HINT)


def _problem(source: RulesSource, details: ErrorDetails) -> tuple[Place, str]:
    """Return where a problem is, and what to say of it."""
    path = details["loc"]
    missing, unknown = details["type"] == "missing", details["type"] == "extra_forbidden"
    position = locate(source.positions, path[:-1] if missing else path)
    # A file that says nothing has no place for what is missing.
    at_value = position and not missing and not unknown
    place = (position.value if at_value else position.key) if position else Place(1, 1)
    inside = [part for part in (path[:-1] if missing or unknown else path) if isinstance(part, str)][1:]
    where = f"{source.file}:{place.line}:{place.column}: " + (f"{'.'.join(inside)}: " if inside else "")
    return place, where + _complaint(details)


def _complaint(details: ErrorDetails) -> str:
    path, kind = details["loc"], details["type"]
    match kind:
        case "missing":
            return f"missing key {quoted(str(path[-1]))}"
        case "extra_forbidden":
            tables = [part for part in path[:-1] if isinstance(part, str)]
            model = _MODELS[tables[-1]] if tables else CaseFile
            known = sorted(field.alias or name for name, field in model.model_fields.items())
            listed = "; known: " + ", ".join(map(quoted, known))
            return f"unknown key {quoted(str(path[-1]))}{suggestion(str(path[-1]), known) or listed}"
        case "value_error":
            # One of this package's own; pydantic would put "Value error, " in front.
            return str(details["ctx"]["error"])
    if kind in _SHAPES:
        return f"{shown(details['input'])} is not {_SHAPES[kind]}"
    return details["msg"]
