"""What may be shown of a URL, of the path of a file, and of the name of a server.

What PHP opens is not parsed as a URL, because much of it is none: a password may hold the characters that
end it, and wrappers hold one another, as in compress.zlib://http://user:password@host/. So the text is taken
apart by its slashes, and what could be credentials is masked wherever it is.
"""

from __future__ import annotations

import re

from compassd.redact import MASK, mask_tokens
from compassd.text import ELLIPSIS

# Where a URL begins, alone or inside another one. What data: holds is no address.
_BEGIN = re.compile(r"(?<![a-z0-9+.-])(?:(?P<data>data:)|[a-z][a-z0-9+.-]*://)", re.IGNORECASE)
# Behind these comes no server but a path, or another URL.
_WRAPPER = re.compile(r"(?:php|file|phar|glob|zip|rar|unix|compress\.\w+)://", re.IGNORECASE)
_SHELL = "expect://"
_QUERY = re.compile(r"[?#]")
_END_OF_HOST = re.compile(r"[/\\?#,;\s]")
_END_OF_SERVER = re.compile(r"[/\\?#]")
_SERVER = re.compile(r"(?:[\w.-]*|\[[0-9A-Fa-f:.]+(?:%\w+)?\])(?::[0-9]{0,5})?")
_BARE_IPV6 = re.compile(r"[0-9A-Fa-f]*:[0-9A-Fa-f]*:[0-9A-Fa-f:.]*")
# In a part of a path: what may end credentials, as it is or percent-encoded; a URL that is encoded as a
# whole; the parameters of Java's servlets; whatever is given by name.
_AT = re.compile(r"[^/]@|%40")
_URL = re.compile(r"%3a%2f%2f", re.IGNORECASE)
_PARAMETER = re.compile(r";.*", re.DOTALL)
_ARGUMENT = re.compile(r"=.+", re.DOTALL)
# Shorter than what mask_tokens takes for a token: the secret in the address of a webhook may be of 24.
_SHORT_TOKEN = re.compile(r"(?<![A-Za-z0-9])(?=[A-Za-z]*[0-9])(?=[0-9]*[A-Za-z])[A-Za-z0-9]{20,}")


def mask_resource(text: str, *, cut: bool) -> str:
    """Return a URL without credentials, query and fragment, or a path; tokens in them are masked.

    Args:
        text: The URL or path, or its beginning.
        cut: Whether it is only the beginning. Behind the last slash may be half a secret, which is left out.

    Returns:
        What may be shown, with … at its end if the text goes on. Not yet safe to show: see compassd.text.
    """
    text = text.strip()
    if cut and not _QUERY.search(text):
        return _mask(text[: text.rfind("/") + 1], cut=True) + ELLIPSIS
    return _mask(text, cut=cut)


def mask_host(text: str, *, cut: bool) -> str:
    """Return the name of a server with its port, maybe with the scheme before it, without credentials.

    Args:
        text: The name, the path of a socket, or either as a URL.
        cut: Whether it is only the beginning. Where credentials end is not known then, and nothing is shown.
    """
    text = text.strip()
    if cut:
        return ELLIPSIS
    begin = _BEGIN.match(text)
    if text.startswith("/") or (begin and _WRAPPER.match(text)):
        return _mask(text, cut=False)
    scheme = begin[0] if begin and not begin["data"] else ""
    # mysqli keeps a connection to p:host open.
    persistent = "p:" if text.startswith("p:") else ""
    authority, *rest = _END_OF_HOST.split(text.removeprefix(scheme).removeprefix(persistent), maxsplit=1)
    credentials, _, server = authority.rpartition("@")
    if not credentials and "@" in "".join(rest):
        # Credentials with a separator in them, or an address with something else behind it.
        server = MASK
    return scheme + persistent + _mask_server(server)


def _mask(text: str, *, cut: bool) -> str:
    """Mask a URL or a path, and every URL inside it."""
    shown = ""
    while True:
        begin = _BEGIN.search(text)
        path = text[: begin.start()] if begin else text
        query = _QUERY.search(path)
        shown += _mask_path(path[: query.start()] if query else path)
        if not begin or query:
            return shown
        shown += begin[0]
        if begin["data"] or begin[0].lower() == _SHELL:
            return shown
        text = text[begin.end() :]
        if _WRAPPER.fullmatch(begin[0]):
            continue
        end = _END_OF_SERVER.search(text)
        authority, text = (text[: end.start()], text[end.start() :]) if end else (text, "")
        server = _mask_server(authority.rpartition("@")[2])
        if ":" in authority and "@" not in authority and (server == MASK or _may_end_late(text, cut=cut)):
            # What seems to be a port may be a password, with slashes or question marks in it.
            return shown + MASK
        shown += server


def _may_end_late(rest: str, *, cut: bool) -> bool:
    """Tell whether credentials may end behind what seems to be the server: user:12/34@host, user:1?2@host."""
    path, *query = _QUERY.split(rest, maxsplit=1)
    if path and query:
        return bool(_AT.search(path))
    return cut or bool(_AT.search(rest))


def _mask_server(server: str) -> str:
    is_server = _SERVER.fullmatch(server) or _BARE_IPV6.fullmatch(server)
    return _mask_tokens(server) if is_server else MASK


def _mask_path(path: str) -> str:
    parts = _mask_tokens(path).split("/")
    ats = [number for number, part in enumerate(parts) if _AT.search(part)]
    colons = [number for number, part in enumerate(parts) if ":" in part]
    if ats and colons and colons[0] < ats[-1]:
        # As in user:12/34@host: a password with slashes.
        parts[colons[0] : ats[-1] + 1] = [MASK]
    return "/".join(_mask_part(part) for part in parts)


def _mask_part(part: str) -> str:
    if _AT.search(part) or _URL.search(part):
        return MASK
    return _ARGUMENT.sub(f"={MASK}", _PARAMETER.sub("", part))


def _mask_tokens(text: str) -> str:
    return _SHORT_TOKEN.sub(MASK, mask_tokens(text))
