"""Text that came from outside, made safe to show.

Request data is whatever a client cares to send: bytes in no encoding, terminal escapes, characters that
reorder or hide what surrounds them. It is cleaned once, where it enters; escaping for Slack, JSON or the
journal is each destination's own business.

Harmful characters are replaced, not removed: a reader sees that something was there, and two harmless halves
cannot join into something harmful.
"""

from __future__ import annotations

import re

REPLACEMENT = "\N{REPLACEMENT CHARACTER}"
ELLIPSIS = "\N{HORIZONTAL ELLIPSIS}"

# The categories are those of Unicode, the ranges are written out: what "unassigned" or "format" means differs
# between Python versions, and the same request must read the same everywhere.
_HARMFUL = re.compile(
    "["
    r"\u0000-\u001f\u007f-\u009f"  # C0 controls, DEL, C1 controls (8-bit terminal escapes)
    r"\u00ad\u061c\u180e"  # soft hyphen, Arabic letter mark, Mongolian vowel separator
    r"\u200b-\u200f"  # zero-width space, joiners and direction marks
    r"\u2028-\u202e"  # line and paragraph separators, bidirectional embeddings and overrides
    r"\u2060-\u206f"  # word joiner, invisible operators, bidirectional isolates, deprecated formats
    r"\ud800-\udfff"  # surrogates: cannot be encoded as UTF-8
    r"\ufeff\ufff9-\ufffb"  # byte order mark, interlinear annotations
    r"\U000e0000-\U000e007f"  # tags: an invisible copy of ASCII
    "]"
)


def clean(raw: bytes, limit: int) -> str:
    """Decode hostile bytes into text of at most limit characters that is safe to show on one line.

    What is not UTF-8 and every control, bidirectional, invisible or line-separating character becomes U+FFFD.
    What exceeds the limit is cut off without a mark, so that the text can still be matched by its beginning.
    """
    # A character takes at most four bytes, so this many hold at least limit characters, or everything.
    return clean_text(raw[: 4 * limit].decode("utf-8", "replace")[:limit])


def clean_text(text: str) -> str:
    """Replace every character of text that must not be shown by U+FFFD; the length stays the same."""
    return text if text.isprintable() else _HARMFUL.sub(REPLACEMENT, text)


def shorten(text: str, limit: int) -> str:
    """Cut text to at most limit characters, limit >= 1, the last one an ellipsis if anything was cut."""
    return text if len(text) <= limit else text[: limit - 1] + ELLIPSIS
