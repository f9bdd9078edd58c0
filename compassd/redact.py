"""What is taken out of a request before anything about it is queued, logged or sent."""

from __future__ import annotations

import re
from dataclasses import replace

from compassd.breach import Breach
from compassd.request import Request

MASK = "***"

# JSON Web Tokens begin with a JSON object, {" and so eyJ in base64; the parts are joined by dots.
_JWT = re.compile(r"eyJ[A-Za-z0-9_-]{16,}(?:\.[A-Za-z0-9_-]*){1,4}")
# What crypt(3) makes with bcrypt, as it is or percent-encoded.
_DOLLAR = r"(?:\$|%24)"
_BCRYPT = re.compile(rf"{_DOLLAR}2[abxy]?{_DOLLAR}[0-9]{{2}}{_DOLLAR}(?:[A-Za-z0-9./]|%2[EFef]){{53}}")
# What may be hex, a number or base64 in one of its alphabets, with its padding. Shorter secrets cannot be
# told from names.
_RUN = re.compile(
    r"(?<![A-Za-z0-9_+-])(?:[A-Za-z0-9_+-]|%2[BFbf]){32,}(?:=|%3[Dd]){0,2}",
)
_UUID = re.compile(
    r"(?<![0-9A-Za-z])[0-9A-Fa-f]{8}(?:-[0-9A-Fa-f]{4}){3}-[0-9A-Fa-f]{12}(?![0-9A-Za-z])",
)
# What separates the words of a title, and occurs in base64.
_SEPARATOR = re.compile(r"%[0-9A-Fa-f]{2}|[_+=-]")
# The words of camelCase, abbreviations and numbers.
_WORD = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+|[0-9]+")
_NUMBER = re.compile(r"[0-9]+")
_SHORTEST = 32
# A word with several numbers in it that is longer than the 24 hex digits of a MongoDB id.
_LONG_PIECE = 25
# Of all characters, how many begin a word in the middle of a piece: about 0.45 in base64, 0.2 in camelCase,
# next to none in titles. Of digits and both cases together less is enough: names seldom have all three.
_BROKEN, _BROKEN_MIXED = 0.25, 0.15


def redact(breach: Breach, *, query_strings: bool) -> Breach:
    """Return the breach with tokens in its path masked, without its query string unless that is wanted."""
    request = redact_request(breach.request, query_strings=query_strings)
    return breach if request is breach.request else replace(breach, request=request)


def redact_request(request: Request, *, query_strings: bool) -> Request:
    """Return the request with tokens in its path masked, without its query string unless that is wanted."""
    path, mark, query = request.uri.partition("?")
    uri = mask_tokens(path) + (mark + query if query_strings else "")
    if uri == request.uri:
        return request
    # Where the query string goes, what was cut off it does not matter any more.
    uri_cut = request.uri_cut and (query_strings or not mark)
    return replace(request, uri=uri, uri_cut=uri_cut)


def mask_tokens(path: str) -> str:
    """Replace what looks like a secret in a path, such as a password reset token, by ***."""
    return _RUN.sub(_mask_random, _JWT.sub(MASK, _BCRYPT.sub(MASK, path)))


def _mask_random(found: re.Match[str]) -> str:
    text = found[0]
    # UUIDs name things. What is around them may still be a secret.
    rest = _UUID.sub("-", text)
    return MASK if len(rest) >= _SHORTEST and _looks_random(rest) else text


def _looks_random(text: str) -> bool:
    """Tell hex, numbers and base64 from words, which do not change between cases and digits all the time."""
    pieces = [piece for piece in _SEPARATOR.split(text) if piece]
    if any(_is_token(piece) for piece in pieces):
        return True
    joined = "".join(pieces)
    breaks = sum(len(_WORD.findall(piece)) - 1 for piece in pieces)
    mixed = not (joined.isalpha() or joined.islower() or joined.isupper())
    return breaks > len(joined) * (_BROKEN_MIXED if mixed else _BROKEN)


def _is_token(piece: str) -> bool:
    """Tell numbers and mixtures of letters and digits, which no word is even without a separator."""
    if len(piece) >= _SHORTEST:
        return not piece.isalpha()
    return len(piece) >= _LONG_PIECE and len(_NUMBER.findall(piece)) > 1
