r"""Globs for the names of PHP functions, each compiled to one regular expression that takes linear time.

Names are as call trees show them: "usleep", "PDO::query", "Shop\Cart::total", "{main}". A glob is anchored at
both ends, and case does not count, as PHP does not count it either: that is, of a to z.

    *        any run of characters, "\" and "::" too, also an empty one
    ?        one character
    [abc]    one of these; [a-z] a range, [!a] none of these
"""

from __future__ import annotations

import re

from compassd.rules.glob import SYMBOL, character_class
from compassd.units import quoted

MAX_LENGTH = 256
"""Characters. The kernel keeps no longer names."""

# What people write where PHP's names have none of it: \Shop\Cart, usleep(), $cart->total.
_NEVER = re.compile(r"\\|\$|.*(?:\(\)\Z|->)", re.DOTALL)


def compile_function_glob(glob: str) -> re.Pattern[str]:
    """Return the expression whose match() from the beginning is true for exactly what the glob matches.

    Raises:
        ValueError: The glob is malformed, or cannot match a name; the message says how.
    """
    if not glob:
        raise ValueError('"" is an empty glob; write "*" to match every function')
    if len(glob) > MAX_LENGTH or not glob.isprintable():
        raise ValueError(f"{quoted(glob)} matches no function: it is too long, or does not print")
    if _NEVER.match(glob):
        example = r"""write for example "usleep", "PDO::query" or 'Shop\Cart::*'"""
        raise ValueError(f"{quoted(glob)} matches no function; {example}")
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
    return re.compile(rf"{expression}\Z", re.DOTALL | re.IGNORECASE | re.ASCII)
