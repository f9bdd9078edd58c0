"""The filter compass.compassd.unfit_credentials."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from ansible_collections.compass.compassd.plugins.plugin_utils.secrets import unfit_credentials
from ansible_collections.compass.compassd.plugins.plugin_utils.vault import decrypted

DOCUMENTATION = """
name: unfit_credentials
short_description: Name what cannot be a credential
version_added: 0.1.0
author: Compass (@compass)
description:
  - Names the secrets that systemd or compassd could not read as credentials.
  - A name consists of a-z, 0-9, dot, dash and underscore, and a value is text that is not empty.
  - Never returns a value.
positional: _input
options:
  _input:
    description: Secrets by the names of their credentials.
    type: dict
    required: true
"""

EXAMPLES = """
- name: Refuse what cannot be a credential
  ansible.builtin.assert:
    that: not (compassd_secrets | compass.compassd.unfit_credentials)
"""

RETURN = """
_value:
  description: The names of those that cannot.
  type: list
  elements: str
"""


def _unfit(secrets: Mapping[object, object]) -> list[str]:
    names: list[str] = unfit_credentials(decrypted(secrets))
    return names


class FilterModule:
    """Where Ansible looks for filters."""

    def filters(self) -> dict[str, Callable[[Mapping[object, object]], list[str]]]:
        """Return the filters by name."""
        return {"unfit_credentials": _unfit}
