"""`compassd schema`: the JSON Schemas that Compass publishes."""

from __future__ import annotations

from importlib.resources import files
from typing import TextIO

from compassd.errors import CompassError
from compassd.rules.values import suggestion
from compassd.units import quoted

_SUFFIX = ".schema.json"


def schema_names() -> list[str]:
    """Return what the schemas are called, such as "rules"."""
    found = (file.name for file in (files("compassd") / "schemas").iterdir())
    return sorted(name.removesuffix(_SUFFIX) for name in found if name.endswith(_SUFFIX))


def schema(name: str, out: TextIO) -> int:
    """Print a schema and return the exit status.

    Raises:
        CompassError: There is none of this name.
    """
    names = schema_names()
    if name not in names:
        known = "there are: " + ", ".join(names)
        raise CompassError(f"no schema {quoted(name)}{suggestion(name, names)}", hint=known)
    out.write((files("compassd") / "schemas" / f"{name}{_SUFFIX}").read_text(encoding="utf-8"))
    return 0
