"""What may be shown of a key of Redis or Memcached: the names in it, not what they are names of."""

from __future__ import annotations

import re

from compassd.text import ELLIPSIS

_MASK = "?"
# What separates namespaces, with the braces of Redis Cluster; and what separates words.
_NAMESPACES = re.compile(r"([:/|\\{}\[\]]+)")
_WORDS = re.compile(r"([._-]+)")
_WORD = re.compile(r"[A-Z]{1,20}|[A-Z]?[a-z]{1,20}(?:[A-Z][a-z]{1,20}){0,4}")
# The parts of camelCase have more letters than those of a random text.
_LETTERS_A_PART = 3
# What is no word all the same: letters of a hexadecimal number, and what nobody can pronounce.
_RANDOM = re.compile(r"[a-f]{8,}\Z|.*[bcdfghjklmnpqrstvwxz]{6}", re.IGNORECASE)


def mask_key(text: str, *, cut: bool) -> str:
    """Return the key with ? for ids, hashes and everything else that is no plain word.

    A secret that is a plain word cannot be told from a name.

    Args:
        text: The key, or a command. Of that only the name is shown.
        cut: Whether it is only the beginning. Its last part may be half a secret, and is left out.

    Returns:
        What may be shown, with … at its end if the text goes on. Not yet safe to show: see compassd.text.
    """
    name, *arguments = text.split(maxsplit=1) or [""]
    if arguments:
        return f"{_mask_name(name)} {_MASK}"
    if cut:
        return _mask_name(name[: _begin_of_last(name)]) + ELLIPSIS
    return _mask_name(name)


def _begin_of_last(name: str) -> int:
    return max((separator.end() for separator in _NAMESPACES.finditer(name)), default=0)


def _mask_name(name: str) -> str:
    # Every second one is a separator.
    parts = _NAMESPACES.split(name)
    return "".join(part if number % 2 else _mask_part(part) for number, part in enumerate(parts))


def _mask_part(part: str) -> str:
    """Mask what is between two separators of namespaces."""
    if "@" in part or _looks_like_base64(part):
        return _MASK
    shown: list[str] = []
    for number, word in enumerate(_WORDS.split(part)):
        if number % 2 or _is_word(word):
            shown.append(word)
            continue
        if len(shown) > 1 and shown[-2] == _MASK:
            # One mask for what is of several parts, such as a date or an address.
            shown.pop()
        else:
            shown.append(_MASK)
        if not word.isdecimal():
            # The rest may belong to it, as in a UUID or in base64.
            break
    return "".join(shown)


def _looks_like_base64(part: str) -> bool:
    """Tell a part with words and more in it whose words cannot be told from the rest."""
    words = _WORDS.split(part)[::2]
    is_mixed = any(not (word.isdecimal() or _is_word(word)) for word in words)
    return is_mixed and not (part.islower() or part.isupper())


def _is_word(text: str) -> bool:
    if not text:
        return True
    capitals = 1 if text.isupper() else sum(map(str.isupper, text))
    is_word = _WORD.fullmatch(text) and (capitals <= 1 or len(text) >= capitals * _LETTERS_A_PART)
    return bool(is_word) and not _RANDOM.match(text)
