"""Which settings the Ansible role takes for secrets, held against what compassd takes for secrets."""

from __future__ import annotations

from typing import Any, get_args

import pytest

from compassd.settings_destinations import DestinationSettings
from lab.build import ROOT
from lab.by_path import load

secrets = load(ROOT / "ansible/plugins/plugin_utils/secrets.py")


@pytest.mark.parametrize(
    ("destination", "names"),
    [
        ({"type": "slack", "url": "a"}, ["destinations__ops__url"]),
        ({"type": "slack", "token": "a", "channel": "C1"}, ["destinations__ops__token"]),
        ({"type": "webhook", "url": "a", "secret": ["b"]}, ["destinations__ops__secret"]),
        (
            {"type": "webhook", "headers": {"Authorization": "a", "X-B": "b"}},
            ["destinations__ops__headers__authorization", "destinations__ops__headers__x-b"],
        ),
        ({"type": "alertmanager", "url": "http://127.0.0.1:9093"}, []),
        ({"type": "journald"}, []),
        ({"url": "a"}, []),
        ("slack", []),
    ],
)
def test_secrets_among_the_settings_are_named_as_credentials(destination: object, names: list[str]) -> None:
    assert secrets.secret_settings({"destinations": {"ops": destination}}) == names


@pytest.mark.parametrize("settings", [{}, {"destinations": None}, {"destinations": ["slack"]}])
def test_settings_without_destinations_have_no_secrets(settings: dict[str, Any]) -> None:
    assert secrets.secret_settings(settings) == []


def test_a_credential_is_text_with_a_name_that_systemd_takes() -> None:
    fit = {"destinations__ops__url": "a", "hook.key": "-----BEGIN\n", "destinations__ops__headers__x-b": "c"}
    unfit: dict[Any, Any] = {"": "a", "a/b": "a", "Ops": "a", "a:b": "a", "a%n": "a", "a\n": "a", ".a": "a"}
    unfit |= {"empty": "", "list": ["a"], "null": None, 7: "a"}
    assert secrets.unfit_credentials(fit | unfit) == sorted(map(str, unfit))


def test_every_secret_of_compassds_destinations_is_known_or_an_address() -> None:
    # The address of one's own webhook or Alertmanager need not be a secret, and neither is Slack's API.
    for settings in get_args(get_args(DestinationSettings)[0]):
        kind = get_args(settings.model_fields["type"].annotation)[0]
        held = {name for name, field in settings.model_fields.items() if "SecretStr" in repr(field)}
        named = secrets.secret_settings({"destinations": {"a": {"type": kind, **dict.fromkeys(held, "a")}}})
        addresses = {"api_url"} if kind == "slack" else {"url"}
        assert held - addresses == {name.removeprefix("destinations__a__") for name in named}
