"""What the role refuses, and that it says what to do instead."""

from __future__ import annotations

from typing import Any

import pytest

from tests.role.conftest import SECRET, Role

pytestmark = pytest.mark.ebpf  # not for eBPF's sake: overlays need root as well


@pytest.mark.parametrize(
    ("variables", "complaint"),
    [
        ({"state": "gone"}, "value of compassd_state must be one of: present, latest, absent, got: gone"),
        ({"rules": [], "rules_file": "rules.toml"}, "Set either compassd_rules"),
        ({"settings": {"rules": "/srv/rules.toml"}}, "Leave compassd_settings.rules out."),
        (
            {"settings": {"destinations": {"ops": {"type": "slack", "url": SECRET}}}},
            "These belong into compassd_secrets, each by the name given here: destinations__ops__url",
        ),
        ({"secrets": {"../ops": SECRET}}, "These are otherwise: ../ops"),
        (
            {"php_versions": ["9.9"], "deb_files": ["/a/compassd_1.0_amd64.deb"]},
            "needs one file NAME_VERSION_ARCH.deb for each of compassd, php9.9-compass; it has compassd 1.0",
        ),
    ],
)
def test_a_mistake_is_told_with_what_to_do_and_without_secrets(
    role: Role, variables: dict[str, Any], complaint: str
) -> None:
    outcome = role("-vvv", "--check", **variables)
    assert outcome.failed
    assert outcome.changed == 0
    assert complaint in outcome.output
    assert "TOPSECRET" not in outcome.output
