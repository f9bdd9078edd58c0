"""What an eBPF program goes on by when the process that has loaded it has ended. Pure.

Whoever keeps its descriptors until the next process takes them keeps a name with each. It says what lays out
the records and maps, which program it is of, and which part of it.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

_ATTACHED, _REQUESTS, _SYMBOLS = "attached", "requests", "symbols"
_COUNTERS, _REPORTED = "counters", "reported"
_NAME = re.compile(r"compass\.(?P<layout>[0-9a-f]+)\.(?P<program>[0-9a-f]+)\.(?P<part>[a-z]+)")

Named = Mapping[str, tuple[int, ...]]
"""Descriptors by the name that is kept with them."""


@dataclass(frozen=True, slots=True)
class Legacy:
    """Descriptors by which a program stays attached, and can be read by another process.

    Attributes:
        attached: What it is attached by, for as long as somebody has them open.
        requests: Its ring buffer request_shutdown.
        symbols: Its map symbols.
        counters: Its map counters.
        reported: Its map reported.
    """

    attached: tuple[int, ...]
    requests: int
    symbols: int
    counters: int
    reported: int

    def named(self, layout: str, program: str) -> Named:
        """Return the descriptors by their names.

        What it is attached by comes last: there is nothing that is attached and cannot be read.

        Args:
            layout: What lays out records and maps, in hexadecimal digits.
            program: What tells it from other programs, likewise.
        """
        parts = {
            _REQUESTS: (self.requests,),
            _SYMBOLS: (self.symbols,),
            _COUNTERS: (self.counters,),
            _REPORTED: (self.reported,),
            _ATTACHED: self.attached,
        }
        return {f"compass.{layout}.{program}.{part}": descriptors for part, descriptors in parts.items()}


def find_legacies(kept: Named, layout: str) -> dict[str, Legacy]:
    """Return the programs that can be read, by what tells one from the other.

    Args:
        kept: What was kept, maybe by another release, and maybe not all that was to be kept.
        layout: What lays out the records and maps that can be read.
    """
    parts: dict[str, dict[str, tuple[int, ...]]] = {}
    for name, descriptors in kept.items():
        match = _NAME.fullmatch(name)
        if match and match["layout"] == layout:
            parts.setdefault(match["program"], {})[match["part"]] = descriptors
    return {
        program: Legacy(
            attached=found.get(_ATTACHED, ()),
            requests=found[_REQUESTS][0],
            symbols=found[_SYMBOLS][0],
            counters=found[_COUNTERS][0],
            reported=found[_REPORTED][0],
        )
        for program, found in parts.items()
        if found.keys() >= {_REQUESTS, _SYMBOLS, _COUNTERS, _REPORTED}
    }
