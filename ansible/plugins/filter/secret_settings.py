"""The filter compass.compassd.secret_settings."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from ansible_collections.compass.compassd.plugins.plugin_utils.secrets import secret_settings

DOCUMENTATION = """
name: secret_settings
short_description: Name the secrets among compassd's settings
version_added: 0.1.0
author: Compass (@compass)
description:
  - Names the settings that are secrets, each as the credential that it should be instead.
  - Never returns a value.
positional: _input
options:
  _input:
    description: The settings of compassd.
    type: dict
    required: true
"""

EXAMPLES = """
- name: Keep secrets out of the settings
  ansible.builtin.assert:
    that: not (compassd_settings | compass.compassd.secret_settings)
"""

RETURN = """
_value:
  description: The names, such as V(destinations__slack__url).
  type: list
  elements: str
"""


class FilterModule:
    """Where Ansible looks for filters."""

    def filters(self) -> dict[str, Callable[[Mapping[str, object]], list[str]]]:
        """Return the filters by name."""
        return {"secret_settings": secret_settings}
