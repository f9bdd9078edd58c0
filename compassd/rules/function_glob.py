r"""Globs for the names of PHP functions.

Names are as call trees show them: "usleep", "PDO::query", "Shop\Cart::total", "{main}". A glob is one of
text_glob, but case does not count, as PHP does not count it either: that is, of a to z.
"""

from __future__ import annotations

import re

from compassd.rules.text_glob import compile_text_glob
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
    return compile_text_glob(glob, re.IGNORECASE | re.ASCII)
