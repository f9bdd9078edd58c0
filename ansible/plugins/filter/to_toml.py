"""The filter compass.compassd.to_toml."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from ansible.errors import AnsibleFilterError
from ansible_collections.compass.compassd.plugins.plugin_utils.toml import TomlError, render
from ansible_collections.compass.compassd.plugins.plugin_utils.vault import decrypted

DOCUMENTATION = """
name: to_toml
short_description: Render a dictionary as TOML
version_added: 0.1.0
author: Compass (@compass)
description:
  - Renders a dictionary as a TOML 1.0 document.
  - Dictionaries become tables, lists of dictionaries arrays of tables, dates and times those of TOML.
  - What TOML cannot hold, such as a null, is an error that says where it is.
positional: _input
options:
  _input:
    description: The document.
    type: dict
    required: true
"""

EXAMPLES = """
- name: Write a rules file
  ansible.builtin.copy:
    content: "{{ {'rule': rules} | compass.compassd.to_toml }}"
    dest: rules.toml
    mode: "0644"
  vars:
    rules:
      - name: slow
        budget: {duration: 2s}
"""

RETURN = """
_value:
  description: The TOML document.
  type: str
"""


def to_toml(document: Any) -> str:  # noqa: ANN401 - whatever somebody wrote into a variable
    """Return the document as TOML."""
    try:
        text: str = render(decrypted(document))
    except TomlError as error:
        raise AnsibleFilterError(f"to_toml: {error}") from error
    return text


class FilterModule:
    """Where Ansible looks for filters."""

    def filters(self) -> dict[str, Callable[..., Any]]:
        """Return the filters by name."""
        return {"to_toml": to_toml}
