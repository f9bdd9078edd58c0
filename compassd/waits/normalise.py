"""The text a request waited for, made fit to leave the process."""

from __future__ import annotations

import codecs

from compassd.text import ELLIPSIS, clean_text, shorten
from compassd.waits.key import mask_key
from compassd.waits.kinds import TextKind, TextPolicy
from compassd.waits.resource import mask_host, mask_resource
from compassd.waits.sql import mask_sql

LONGEST_WAIT_TEXT = 1000
"""Bytes of a text that are read, and characters of the result at most."""

_MASKS = {
    TextKind.SQL: mask_sql,
    TextKind.RESOURCE: mask_resource,
    TextKind.KEY: mask_key,
    TextKind.HOST: mask_host,
}


def wait_text(kind: TextKind, raw: bytes, *, cut: bool, policy: TextPolicy) -> str:
    """Return what may be shown of a text, in one line of at most LONGEST_WAIT_TEXT characters.

    Masked texts of the same shape are equal, whatever literals, lists or ids they had.

    Args:
        kind: What the text is.
        raw: The text as PHP had it, in whatever encoding.
        cut: Whether it is only the beginning of a longer one.
        policy: How much may be shown.

    Returns:
        The text, with … at its end if it goes on, also if only what follows could not be masked safely; "" if
        there is nothing to show.
    """
    if policy is TextPolicy.OFF or not raw:
        return ""
    if len(raw) > LONGEST_WAIT_TEXT:
        raw, cut = raw[:LONGEST_WAIT_TEXT], True
    # The last character of a text that was cut may be, too.
    text = codecs.getincrementaldecoder("utf-8")("replace").decode(raw, final=not cut)
    if policy is TextPolicy.MASKED:
        text = _MASKS[kind](text, cut=cut)
    elif cut:
        text += ELLIPSIS
    return shorten(clean_text(" ".join(text.split())), LONGEST_WAIT_TEXT)
