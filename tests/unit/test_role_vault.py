from __future__ import annotations

from datetime import date

from lab.build import ROOT
from lab.by_path import load

vault = load(ROOT / "ansible/plugins/plugin_utils/vault.py")


class Encrypted:
    """As ansible-core 2.18 has it."""

    __ENCRYPTED__ = True

    def __str__(self) -> str:
        return "plain"


def test_encrypted_values_become_text_wherever_they_are() -> None:
    value = {
        "a": Encrypted(),
        "b": [Encrypted(), {"c": Encrypted()}],
        "d": [1, True, date(2026, 1, 1), "text"],
    }
    assert vault.decrypted(value) == {
        "a": "plain",
        "b": ["plain", {"c": "plain"}],
        "d": [1, True, date(2026, 1, 1), "text"],
    }
