"""Names, places and shares, short enough to read. Pure."""

from __future__ import annotations

import posixpath
import re
from collections.abc import Iterable

from compassd.calltree import Frame

_NAMESPACE = re.compile(r"(?:\w+\\)+")


def short_name(function: str) -> str:
    r"""Return a function without namespaces: App\Cart\CartService::load is CartService::load."""
    return _NAMESPACE.sub("", function)


def common_root(files: Iterable[str]) -> str:
    """Return the directory that all absolute paths are in, with a slash at its end; "" if only / is."""
    folders = {posixpath.dirname(file) for file in files if file.startswith("/")}
    root = posixpath.commonpath(folders) if folders else "/"
    return "" if root in {"/", "//"} else f"{root}/"


def place(frame: Frame, root: str = "") -> str:
    """Return file:line, the file relative to root if it is below it; "" for a frame without a file."""
    if not frame.file:
        return ""
    file = frame.file.removeprefix(root)
    return f"{file}:{frame.line}" if frame.line else file


def percent(part_ns: int, whole_ns: int) -> str:
    """Return part of whole as "67.1%"; what is too little to have a digit is "<0.1%"."""
    share = 100 * part_ns / whole_ns if whole_ns else 0.0
    return "<0.1%" if 0 < share < 0.05 else f"{share:.1f}%"  # noqa: PLR2004 - rounds to 0.1
