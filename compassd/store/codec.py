"""Notices as bytes and back: JSON with the kind and its version, compressed where that pays."""

from __future__ import annotations

import zlib
from typing import Any

from pydantic import TypeAdapter, ValidationError

from compassd.errors import StoreError
from compassd.notice import BreachNotice, DigestNotice, IncidentNotice, Notice, TestNotice
from compassd.notice_facts import kind

# Raised for a kind when an older release would misread it: what that cannot read is not sent.
_VERSION = 1

_ADAPTERS: dict[str, TypeAdapter[Any]] = {
    "incident": TypeAdapter(IncidentNotice),
    "digest": TypeAdapter(DigestNotice),
    "breach": TypeAdapter(BreachNotice),
    "test": TypeAdapter(TestNotice),
}

_PLAIN, _COMPRESSED = b"j", b"z"
_COMPRESS_FROM = 1_024
# A notice is a few MiB at most. What claims to be more is damaged.
_MAX_BYTES = 64 * 2**20
_MAX_HEAD = 64


def encode(notice: Notice) -> bytes:
    """Return the notice as bytes that decode() takes."""
    name = kind(notice)
    head = f"{name} {_VERSION}\n".encode()
    body = head + _ADAPTERS[name].dump_json(notice)
    return _PLAIN + body if len(body) < _COMPRESS_FROM else _COMPRESSED + zlib.compress(body, 3)


def decode(data: bytes) -> Notice:
    """Return the notice that encode() made into data.

    Raises:
        StoreError: It was damaged, or written by a newer release. The message quotes nothing of it.
    """
    head, newline, body = _body(data).partition(b"\n")
    name, _, version = head[:_MAX_HEAD].decode("ascii", "replace").partition(" ")
    if not newline or name not in _ADAPTERS or not version.isdecimal():
        raise StoreError("damaged: it is no notice")
    if int(version) != _VERSION:
        raise StoreError(f"written by another release: its {name} has version {version}, not {_VERSION}")
    try:
        notice: Notice = _ADAPTERS[name].validate_json(body)
    except ValidationError as error:
        # The library's own text quotes what it found, which came from requests.
        places = {".".join(map(str, fault["loc"][:3])) for fault in error.errors(include_input=False)}
        raise StoreError(f"damaged: {name}: {', '.join(sorted(places)[:3]) or 'no JSON'}") from None
    return notice


def _body(data: bytes) -> bytes:
    if data[:1] == _PLAIN:
        return data[1:]
    if data[:1] != _COMPRESSED:
        raise StoreError("damaged: it is no notice")
    inflate = zlib.decompressobj()
    try:
        body = inflate.decompress(data[1:], _MAX_BYTES)
    except zlib.error:
        raise StoreError("damaged: it cannot be decompressed") from None
    if not inflate.eof:
        raise StoreError("damaged: its end is missing")
    return body
