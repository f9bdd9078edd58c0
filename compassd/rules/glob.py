"""Globs for paths and hosts, each compiled to one regular expression that takes linear time.

A glob is anchored at both ends and case sensitive.

    *        any run of characters but "/", also an empty one
    **       any run of characters
    ?        one character but "/"
    [abc]    one of these; [a-z] a range, [!a] none of these; never "/"
    X/**     at the end: X itself, X/ and everything below it
    X/**/Y   X/Y, and Y at any depth below X

What stands between two stars is a piece, of fixed length; what stands between two double stars is a part.
Paths are written by clients, so a glob such as **a**a**a**b must not try every way to place its pieces on
"aaaa…". It need not: the earliest place of a piece leaves the following star at least the choices that any
later place would, and so does the earliest place of a part. So each is tried once, from the left, inside an
atomic group that never gives its choice up. Only a part may start over, and only after a "/", because a star
stops there.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import Enum, auto

from compassd.units import quoted

SYMBOL = re.compile(r"\*+|\[!?[^\]]*\]|.", re.DOTALL)
"""One symbol of a glob: a run of stars, a class of characters, or one character."""
_STAR, _DOUBLE_STAR = "*", "**"
_ANY_RUN = "[^/]*"
# Over whole segments, so that a part is tried at its own beginning and after each "/".
_SEGMENTS = "(?:[^/]*+/)*?"


def compile_glob(glob: str) -> re.Pattern[str]:
    """Return the expression whose match() from the beginning is true for exactly what the glob matches.

    Raises:
        ValueError: The glob is malformed; the message says how.
    """
    if not glob:
        raise ValueError('"" is an empty glob; write "**" to match everything')
    end = r"\Z"
    rest = glob
    while rest.endswith("/**"):
        rest, end = rest.removesuffix("/**"), r"(?:/.*)?\Z"
    parts = _parts(rest)
    expression = "".join(part.expression(final=part is parts[-1]) for part in parts)
    return re.compile(expression + end, re.DOTALL)


class _Gap(Enum):
    """What may stand between a part and what comes before it."""

    NONE = auto()
    ANYTHING = auto()
    WHOLE_SEGMENTS = auto()


@dataclass(slots=True)
class _Part:
    """What stands between two double stars, as expressions of fixed length with a star between each two."""

    gap: _Gap
    pieces: list[str]

    def expression(self, *, final: bool) -> str:
        """Return the expression for the gap and the part; final: the glob ends here."""
        if final and self.gap is _Gap.ANYTHING and self.pieces == [""]:
            return ".*"
        placed = [f"(?>{_ANY_RUN}?{piece})" for piece in self.pieces]
        if self.gap is not _Gap.ANYTHING:
            placed[0] = self.pieces[0]
        if final and (self.gap is _Gap.ANYTHING or len(placed) > 1):
            # The last piece must reach the end, so its earliest place need not do.
            placed[-1] = f"{_ANY_RUN}?{self.pieces[-1]}"
        joined = "".join(placed)
        if self.gap is _Gap.NONE:
            return joined
        return f"{_SEGMENTS}{joined}" if final else f"(?>{_SEGMENTS}{joined})"


def _parts(glob: str) -> list[_Part]:
    """Split a glob at its double stars into parts, and those at their stars into pieces."""
    parts = [_Part(_Gap.NONE, [""])]
    at = 0
    while found := SYMBOL.match(glob, at):
        at = found.end()
        symbol = found[0]
        if symbol == _STAR:
            parts[-1].pieces.append("")
        elif symbol != _DOUBLE_STAR:
            parts[-1].pieces[-1] += _character(symbol, glob)
        elif glob[: found.start()].endswith("/") and glob.startswith("/", at):
            parts.append(_Part(_Gap.WHOLE_SEGMENTS, [""]))
            # Each of the whole segments ends in a "/", or there is none: the glob's second one is in the gap.
            at += 1
        else:
            parts.append(_Part(_Gap.ANYTHING, [""]))
    return parts


def _character(symbol: str, glob: str) -> str:
    """Return the expression for a symbol that stands for one character."""
    if symbol == "?":
        return "[^/]"
    if symbol.startswith(_STAR):
        raise ValueError(f'{quoted(glob)} has {len(symbol)} stars in a row; write "*" or "**"')
    if symbol == "\\":
        raise ValueError(f'{quoted(glob)}: "\\" escapes nothing in a glob; write "[*]" for the character "*"')
    if not symbol.startswith("["):
        return re.escape(symbol)
    expression = character_class(symbol, glob)
    if "/" in symbol:
        raise ValueError(f'{quoted(glob)}: the class {quoted(symbol)} contains "/", which no class matches')
    # A range such as [+-9] reaches across "/".
    return f"(?!/){expression}"


def character_class(symbol: str, glob: str) -> str:
    """Return the expression for a class of characters, a symbol that begins with "[".

    Raises:
        ValueError: It is malformed; the message says how.
    """
    if symbol == "[":
        raise ValueError(f'{quoted(glob)} has a "[" without its "]"; write "[[]" for the character itself')
    content = symbol[1:-1]
    negated = content.startswith("!")
    members = content.removeprefix("!")
    if not members:
        raise ValueError(f"{quoted(glob)}: the class {quoted(symbol)} is empty")
    if members.startswith("^"):
        raise ValueError(f'{quoted(glob)}: write "[!" instead of "[^" for none of these characters')
    expression = ""
    while members:
        first, dash, last = members[0], members[1:2], members[2:3]
        if dash == "-" and last:
            if first > last:
                raise ValueError(f"{quoted(glob)}: the range {quoted(members[:3])} runs backwards")
            expression += f"{re.escape(first)}-{re.escape(last)}"
            members = members[3:]
        else:
            expression += re.escape(first)
            members = members[1:]
    return f"[{'^' if negated else ''}{expression}]"
