"""The sections of docs/benchmarks.md, each of which can be measured and written anew. Pure functions.

In front of each section is a comment with its name, and below its heading when and of which commit it was
measured. What all sections have in common, the machine and its software, is in the introduction: a section
measured elsewhere cannot be put among the others.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence

from bench.errors import BenchError

_MARK = re.compile(r"^<!-- section: ([a-z]+) -->\n", re.MULTILINE)


def compose(introduction: str, sections: Mapping[str, str]) -> str:
    """Return the document: the introduction, and the sections in their order."""
    return introduction + "".join(f"\n<!-- section: {name} -->\n{text}" for name, text in sections.items())


def replaced(document: str, introduction: str, order: Sequence[str], sections: Mapping[str, str]) -> str:
    """Return the document with some sections replaced or added.

    Args:
        document: As compose() made it.
        introduction: That of the new sections.
        order: The names of all sections there are.
        sections: The new ones.

    Raises:
        BenchError: The others were measured on another machine, or with other software.
    """
    before, *rest = _MARK.split(document)
    if before.strip() != introduction.strip():
        raise BenchError(
            "docs/benchmarks.md is of another machine or of other software: measure everything anew"
        )
    present = {name: f"{text.strip()}\n" for name, text in zip(rest[::2], rest[1::2], strict=True)}
    together = {**present, **sections}
    return compose(introduction, {name: together[name] for name in order if name in together})


def section(lines: Iterable[str], stamp: str) -> str:
    """Return the text of a section, its heading first, with the stamp below that."""
    heading, *rest = lines
    return "\n".join((heading, stamp, *rest))
