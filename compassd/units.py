"""Durations and sizes as people write and read them.

Inside Compass a duration is an int of nanoseconds and a size an int of bytes. What is written with a unit is
converted exactly: no floating point is involved, and what is no whole number of ns or bytes is refused.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated

from pydantic import BeforeValidator, WithJsonSchema


@dataclass(frozen=True, slots=True)
class _Kind:
    """One kind of quantity: its name, two valid examples, what it counts, and its units in that."""

    name: str
    examples: str
    counts: str
    units: Mapping[str, int]


_DURATION = _Kind(
    name="duration",
    examples='"800ms" or "1.5s"',
    counts="nanoseconds",
    units={
        "ns": 1,
        "us": 1_000,
        "ms": 1_000_000,
        "s": 1_000_000_000,
        "m": 60 * 1_000_000_000,
        "h": 3_600 * 1_000_000_000,
    },
)
_SIZE = _Kind(
    name="size",
    examples='"64MiB" or "500MB"',
    counts="bytes",
    units={
        "B": 1,
        "KB": 10**3,
        "MB": 10**6,
        "GB": 10**9,
        "TB": 10**12,
        "KiB": 2**10,
        "MiB": 2**20,
        "GiB": 2**30,
        "TiB": 2**40,
    },
)
# The kernel side compares signed and unsigned 64-bit numbers; what fits in both is safe everywhere.
_MAX = 2**63 - 1
# One space is allowed, so that what the formatters print can be written back. [0-9] rather than \d, which
# takes every script's digits; bounded, because int() of a very long number is slow, then refused.
_QUANTITY = re.compile(r"([0-9]{1,30})(?:\.([0-9]{1,30}))? ?([A-Za-z]{1,4})")
_SHOWN = 60


def quoted(text: str, limit: int = _SHOWN) -> str:
    """Return text in double quotes for a message: unprintable characters escaped, cut to limit characters."""
    cut = text[:limit]
    safe = "".join(c if c.isprintable() else c.encode("unicode_escape").decode("ascii") for c in cut)
    return f'"{safe}"' if cut == text else f'"{safe}…"'


def shown(value: object) -> str:
    """Return a value from a configuration file for a message, as its author wrote it where that is short."""
    if isinstance(value, str):
        return quoted(value)
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, int):
        return str(value) if abs(value) <= _MAX else "a very large number"
    if isinstance(value, float):
        return str(value)
    if isinstance(value, Mapping):
        return "a table"
    return "a list" if isinstance(value, Sequence) else "this value"


def _parse(value: object, kind: _Kind, *, zero: bool = False) -> int:
    """Return the amount written in value, in the kind's smallest unit; raise ValueError if there is none.

    Args:
        value: What was written.
        kind: What it should be.
        zero: Whether it may be zero.
    """
    found = _QUANTITY.fullmatch(value) if isinstance(value, str) else None
    scale = kind.units.get(found[3], 0) if found else 0
    if found is None or not scale:
        raise ValueError(f"{shown(value)} is not a {kind.name}; write for example {kind.examples}")
    fraction = found[2] or ""
    divisor = int("1" + "0" * len(fraction))
    amount, rest = divmod(int(found[1] + fraction) * scale, divisor)
    if rest:
        fault = f"is not a whole number of {kind.counts}"
    elif amount == 0 and not zero:
        fault = "is zero"
    elif amount > _MAX:
        fault = "is too large"
    else:
        return amount
    raise ValueError(f"{shown(value)} {fault}; write for example {kind.examples}")


def parse_duration(value: object) -> int:
    """Return the nanoseconds of a text such as "800ms", "1.5s", "250us", "2m" or "1h".

    Takes any object, so that it can stand in front of a field; what is no text has no unit and is refused.

    Raises:
        ValueError: No such text, zero, beyond 63 bits, or finer than one ns; the message shows examples.
    """
    return _parse(value, _DURATION)


def parse_duration_or_zero(value: object) -> int:
    """Return what parse_duration() does, and 0 for "0s" or zero of another unit.

    Raises:
        ValueError: As there, but for zero.
    """
    return _parse(value, _DURATION, zero=True)


def parse_size(value: object) -> int:
    """Return the bytes of a text such as "64MiB", "512KiB", "500MB" or "1024B".

    Takes any object, so that it can stand in front of a field; what is no text has no unit and is refused.

    Raises:
        ValueError: No such text, zero, beyond 63 bits, or no whole number of bytes; the message
            shows examples.
    """
    return _parse(value, _SIZE)


def format_duration(ns: int) -> str:
    """Return nanoseconds for people, about three digits: "812 ms", "1.24 s", "2 min 4 s", "1 h 5 min"."""
    if ns < 1_000:  # noqa: PLR2004 - a us
        return f"{ns} ns"
    # A unit ends where rounding would print the next one: 999.6 ms is "1.00 s".
    for unit, scale, end in (("us", 1e3, 999.5), ("ms", 1e6, 999.5), ("s", 1e9, 59.95)):
        amount = ns / scale
        if amount < end:
            return f"{_three_digits(amount)} {unit}"
    seconds = round(ns / 1e9)
    if seconds < 3_600:  # noqa: PLR2004 - an hour
        return f"{seconds // 60} min {seconds % 60} s"
    minutes = round(ns / 60e9)
    return f"{minutes // 60} h {minutes % 60} min"


def _three_digits(amount: float) -> str:
    for end, decimals in ((9.995, 2), (99.95, 1)):
        if amount < end:
            return f"{amount:.{decimals}f}"
    return f"{amount:.0f}"


def format_size(size: int) -> str:
    """Return bytes for people: "812 B", "64.0 MiB"."""
    if size < 1_024:  # noqa: PLR2004 - a KiB
        return f"{size} B"
    amount = float(size)
    for unit in ("KiB", "MiB", "GiB"):
        amount /= 1_024
        # 1023.95 and more would print as 1024.0.
        if amount < 1_023.95:  # noqa: PLR2004 - see above
            return f"{amount:.1f} {unit}"
    return f"{amount / 1_024:.1f} TiB"


def _schema(kind: _Kind) -> WithJsonSchema:
    """Return what a JSON Schema says of such a quantity: text, as far as a pattern can tell."""
    pattern = rf"^[0-9]{{1,30}}(?:\.[0-9]{{1,30}})? ?(?:{'|'.join(kind.units)})$"
    return WithJsonSchema({"type": "string", "pattern": pattern})


DurationNs = Annotated[int, BeforeValidator(parse_duration), _schema(_DURATION)]
"""A pydantic field written as a duration with its unit, held as nanoseconds.

A number without a unit is refused, as its unit would be a guess. A field's default is already in ns: where a
model validates its defaults (pydantic-settings does), give it with Field(default=…, validate_default=False).
"""

SizeBytes = Annotated[int, BeforeValidator(parse_size), _schema(_SIZE)]
"""A pydantic field written as a size with its unit, held as bytes; for defaults see DurationNs."""
