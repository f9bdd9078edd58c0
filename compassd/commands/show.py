"""`compassd show`: a breach from its JSON document, for people or for a flame graph viewer."""

from __future__ import annotations

import io
import os
import sys
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import TextIO

from rich.console import Console

from compassd.errors import CompassError
from compassd.show.branches import Branch, grow
from compassd.show.document import NO_TREE, BreachDocument, parse_breach
from compassd.show.folded import folded
from compassd.show.source import MAX_BYTES, find_document
from compassd.show.speedscope import speedscope
from compassd.show.svg import svg
from compassd.show.terminal import show_breach

_PIPED_COLUMNS = 120  # where there is no terminal to ask


class Format(StrEnum):
    """What to make of a breach: the command line's names."""

    TERMINAL = "terminal"
    SPEEDSCOPE = "speedscope"
    FOLDED = "folded"
    SVG = "svg"


@dataclass(frozen=True, slots=True)
class ShowOptions:
    """What to show.

    Attributes:
        source: A file, or "-" for standard input.
        breach_id: The breach's id or the beginning of it; None for the last in the file.
        format: What to make of it.
        output: Where to write it; None for standard output.
    """

    source: str
    breach_id: str | None
    format: Format
    output: Path | None


def show(options: ShowOptions, out: TextIO) -> int:
    """Write the breach in the wanted format and return the exit status.

    Raises:
        CompassError: It cannot be read or written, or there is no call tree to export.
    """
    breach = parse_breach(*find_document(_read(options.source), options.breach_id))
    if options.format is Format.TERMINAL:
        text = _terminal(breach, out if options.output is None else io.StringIO())
    else:
        text = _export(breach, options.format)
    if options.output is not None:
        _write_file(options.output, text.encode("utf-8", "replace"))
        return 0
    # An export is UTF-8 by its format; what people read is in their terminal's encoding.
    encoding = out.encoding if options.format is Format.TERMINAL else "utf-8"
    _write(out, text.encode(encoding or "utf-8", "replace"))
    return 0


def _export(breach: BreachDocument, wanted: Format) -> str:
    if breach.call_tree is None:
        raise CompassError(
            "there is no call tree in this breach to export",
            hint=f"{NO_TREE}; without an export option its facts are shown",
        )
    root: Branch = grow(breach.call_tree, breach.title)
    title = breach.summary or breach.title
    if wanted is Format.SPEEDSCOPE:
        return speedscope(root, title)
    return folded(root) if wanted is Format.FOLDED else svg(root, title)


def _terminal(breach: BreachDocument, out: TextIO) -> str:
    asked = out.isatty() or os.environ.get("COLUMNS", "").isdecimal()
    console = Console(file=out, width=None if asked else _PIPED_COLUMNS)
    with console.capture() as capture:
        show_breach(console, breach)
    return "".join(f"{line.rstrip()}\n" for line in capture.get().splitlines())


def _read(source: str) -> bytes:
    """Return at most one byte more than is allowed, by which the input is found to be too large."""
    try:
        if source == "-":
            return sys.stdin.buffer.read(MAX_BYTES + 1)
        with Path(source).open("rb") as file:
            return file.read(MAX_BYTES + 1)
    except OSError as error:
        raise CompassError(
            f"{source}: {error.strerror}", hint='give a file with a breach, or "-" for standard input'
        ) from error


def _write_file(path: Path, data: bytes) -> None:
    try:
        path.write_bytes(data)
    except OSError as error:
        raise CompassError(f"{path}: {error.strerror}") from error


def _write(out: TextIO, data: bytes) -> None:
    out.flush()
    out.buffer.write(data)
    out.buffer.flush()
