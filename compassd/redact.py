"""What is taken out of a request before anything about it is queued, logged or sent."""

from __future__ import annotations

import re
from dataclasses import replace

from compassd.breach import Breach

MASK = "***"

# A JSON Web Token: two JSON objects, which begin with {" and so with eyJ in base64, and a signature.
_JWT = re.compile(r"eyJ[A-Za-z0-9_-]+\.eyJ[A-Za-z0-9_-]+\.[A-Za-z0-9_-]*")
# 32 and more characters of hex or base64 without a break. A UUID and the words of a title have dashes.
_LONG = re.compile(r"(?<![A-Za-z0-9_])[A-Za-z0-9_]{32,}={0,2}")
_DIGIT = re.compile(r"[0-9]")
_LETTER = re.compile(r"[A-Za-z]")


def redact(breach: Breach, *, query_strings: bool) -> Breach:
    """Return the breach with tokens in its path masked, without its query string unless that is wanted."""
    request = breach.request
    path, mark, query = request.uri.partition("?")
    uri = mask_tokens(path) + (mark + query if query_strings else "")
    if uri == request.uri:
        return breach
    # Where the query string goes, what was cut off it does not matter any more.
    uri_cut = request.uri_cut and (query_strings or not mark)
    return replace(breach, request=replace(request, uri=uri, uri_cut=uri_cut))


def mask_tokens(path: str) -> str:
    """Replace what looks like a secret in a path, such as a password reset token, by ***."""
    return _LONG.sub(_mask_mixed, _JWT.sub(MASK, path))


def _mask_mixed(found: re.Match[str]) -> str:
    text = found[0]
    return MASK if _DIGIT.search(text) and _LETTER.search(text) else text
