"""Which settings are secrets, and what may be a credential. Nothing here ever returns a value."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

_CREDENTIAL = re.compile(r"[a-z0-9][a-z0-9._-]*")
_SECRETS_BY_TYPE = {"slack": ("url", "token"), "webhook": ("secret", "headers"), "alertmanager": ("headers",)}
"""What everybody who knows it can use. A webhook's or an Alertmanager's url is up to whoever runs it."""


def secret_settings(settings: Mapping[str, Any]) -> list[str]:
    """Return the secrets among the settings, each by the name of its credential.

    What is no table where there should be one is left to compassd, which says so at its place.
    """
    destinations = settings.get("destinations")
    if not isinstance(destinations, Mapping):
        return []
    return sorted(
        name
        for destination, table in destinations.items()
        if isinstance(table, Mapping)
        for key in _SECRETS_BY_TYPE.get(str(table.get("type")), ())
        if key in table
        for name in _names(f"destinations__{destination}__{key}", table[key])
    )


def _names(name: str, value: object) -> list[str]:
    if isinstance(value, Mapping):
        return [f"{name}__{key}".lower() for key in value]
    return [name]


def unfit_credentials(secrets: Mapping[Any, Any]) -> list[str]:
    """Return the names of those that systemd or compassd could not read as credentials."""
    return sorted(
        str(name)
        for name, value in secrets.items()
        if not (isinstance(name, str) and _CREDENTIAL.fullmatch(name) and isinstance(value, str) and value)
    )
