r"""Globs for names that are no paths, each compiled to one regular expression that takes linear time.

A glob is anchored at both ends and case sensitive.

    *        any run of characters, "/", "\" and "::" too, also an empty one
    ?        one character
    [abc]    one of these; [a-z] a range, [!a] none of these
"""

from __future__ import annotations

import re

from compassd.rules.glob import SYMBOL, character_class
from compassd.units import quoted

MAX_LENGTH = 256
"""Characters. The extension keeps no longer names and tags."""


def compile_text_glob(glob: str, flags: re.RegexFlag = re.NOFLAG) -> re.Pattern[str]:
    """Return the expression whose match() from the beginning is true for exactly what the glob matches.

    Args:
        glob: The glob.
        flags: How characters are compared.

    Raises:
        ValueError: The glob is malformed, or cannot match anything; the message says how.
    """
    if not glob:
        raise ValueError('"" is an empty glob; write "*" to match everything')
    if len(glob) > MAX_LENGTH or not glob.isprintable():
        raise ValueError(f"{quoted(glob)} matches nothing: it is too long, or does not print")
    pieces = [""]
    for symbol in SYMBOL.findall(glob):
        if symbol.startswith("*"):
            pieces.append("")
        elif symbol == "?":
            pieces[-1] += "."
        elif symbol.startswith("["):
            pieces[-1] += character_class(symbol, glob)
        else:
            pieces[-1] += re.escape(symbol)
    first, *middle = pieces
    # The earliest place of a piece leaves the next star every choice that a later place would, so it is never
    # given up; only the last piece must reach the end, and its earliest place need not do.
    last = f".*{middle.pop()}" if middle else ""
    expression = first + "".join(f"(?>.*?{piece})" for piece in middle) + last
    return re.compile(rf"{expression}\Z", flags | re.DOTALL)
