"""Values that ansible-vault has encrypted one by one, under the tag !vault."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any


def decrypted(value: Any) -> Any:  # noqa: ANN401 - whatever somebody wrote into a variable
    """Return the value with text for all that is encrypted in it.

    ansible-core 2.18 hands over an object of its own, which is no str and decrypts itself when it becomes
    one; from 2.19 on it is text already.
    """
    if getattr(value, "__ENCRYPTED__", False):
        return str(value)
    if isinstance(value, Mapping):
        return {key: decrypted(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [decrypted(item) for item in value]
    return value
