"""From a route back to a glob for the paths that have it."""

from __future__ import annotations

import re

from compassd.routes import OTHER

_GLOBS = {"{n}": "[0-9]*", "{hash}": "[0-9A-Fa-f]*", "{uuid}": "[0-9A-Fa-f]*-*"}
# A placeholder, what clients may write in several ways, or a character that means something in a glob.
_SYMBOL = re.compile(r"\{[a-z]+\}|(?:%[0-9A-Fa-f]{2})+|[*?\[]")
_STARS = re.compile(r"\*{2,}")
_CLASS = re.compile(r"\[[^\]]*\]")
_WILD = re.compile(r"\[[^\]]*\]|[*?]")
_MORE = "/…"


def path_glob(route: str) -> str | None:
    """Return a glob for the paths of a route that was made of a path; None if there is none.

    It may match paths of other routes, too: "/orders/[0-9]*" is also about /orders/7-eleven.
    """
    if not route.startswith("/") or route == OTHER:
        return None
    beginning = route.removesuffix(_MORE)
    glob = _STARS.sub("*", _SYMBOL.sub(_symbol, beginning))
    return f"{glob}/**" if beginning != route else glob


def text_glob(text: str) -> str:
    """Return a glob for that text alone; for what no glob may hold it has a "?"."""
    return "".join(f"[{each}]" if each in "*?[" else each if each.isprintable() else "?" for each in text)


def _symbol(found: re.Match[str]) -> str:
    symbol = found[0]
    if symbol.startswith(("{", "%")):
        # Others stand for anything, and what a client may escape or not is found as either.
        return _GLOBS.get(symbol, "*")
    return f"[{symbol}]"


def narrowness(glob: str) -> tuple[int, int]:
    """Return what is greater of the narrower of two globs: it has more characters, or fewer stars."""
    classes, stars = len(_CLASS.findall(glob)), glob.count("*")
    return 2 * len(_WILD.sub("", glob)) + classes, -stars
