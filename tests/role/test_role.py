"""The role against a copy of this machine: real Ansible, apt and compassd, and a stand-in for systemctl."""

from __future__ import annotations

import tomllib
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import pytest

from lab.php_fpm import default_version
from tests.role.conftest import SECRET, VERSION, Role, build_deb

pytestmark = [
    pytest.mark.ebpf,  # not for eBPF's sake: overlays need root as well
    pytest.mark.timeout(600),  # a play takes seconds, many on a busy machine
]

CREDENTIAL = "/etc/credstore/compassd.ansible.destinations__slack__url"
DROP_IN = "/etc/systemd/system/compassd.service.d/ansible-credentials.conf"
SETTINGS: dict[str, Any] = {"log_level": "debug", "destinations": {"slack": {"type": "slack"}}}
RULES: list[dict[str, Any]] = [{"name": "slow", "budget": {"duration": "2s"}, "destinations": ["slack"]}]
SECRETS = {"destinations__slack__url": SECRET}


def configured(**changes: Any) -> dict[str, Any]:  # noqa: ANN401 - whatever the role takes
    return {"settings": SETTINGS, "rules": RULES, "secrets": SECRETS, **changes}


def versions(role: Role) -> dict[str, str]:
    """The packages of Compass that the machine has."""
    show = ["dpkg-query", "--show", "--showformat=${db:Status-Status} ${Package} ${Version}\n"]
    # All, as it complains of names that are unknown.
    rows = (line.split(" ") for line in role.machine.run(*show).splitlines())
    return {name: version for status, name, version in rows if "compass" in name and status == "installed"}


def test_installs_and_configures_once_and_then_changes_nothing(role: Role, debs: list[str]) -> None:
    planned = role("--check", "--diff", **configured(deb_files=debs))
    assert planned.changed
    assert not planned.failed
    assert not versions(role)

    first = role("--diff", **configured(deb_files=debs))
    assert not first.failed, first.output
    # For the PHP-FPM that this machine has, and for no other.
    assert versions(role) == {"compassd": VERSION, f"php{default_version()}-compass": VERSION}
    assert tomllib.loads(role.machine.read("/etc/compassd/compassd.toml")) == SETTINGS
    assert tomllib.loads(role.machine.read("/etc/compassd/rules.toml")) == {"rule": RULES}
    assert role.machine.systemctl_calls() == ["enable compassd", "start compassd", "restart compassd"]

    again = role(**configured(deb_files=debs))
    assert not again.failed
    assert again.changed == 0, again.output
    assert role.machine.systemctl_calls() == []
    assert not role.machine.run("find", "/run", "/var/cache/apt", "-name", "*compass*", "-type", "d")
    assert not role.machine.run("find", "/var/cache/apt", "-name", "*compass*.deb")


def test_rules_are_reloaded_and_everything_else_takes_one_restart(installed: Role) -> None:
    installed(**configured())
    assert installed.machine.systemctl_calls() == ["restart compassd"]
    other_rules = [{**RULES[0], "severity": "critical"}]
    outcome = installed("--diff", **configured(rules=other_rules))
    assert '+severity = "critical"' in outcome.output
    assert outcome.changed == 2
    assert installed.machine.systemctl_calls() == ["reload compassd"]
    installed(**configured(settings={**SETTINGS, "queue_size": 5}))
    assert installed.machine.systemctl_calls() == ["restart compassd"]


def test_what_compassd_refuses_replaces_nothing(installed: Role) -> None:
    installed(**configured())
    before = installed.machine.run("sh", "-c", "cat /etc/compassd/* /etc/credstore/*")
    installed.machine.systemctl_calls()
    changes = {"rules": [{**RULES[0], "name": "new"}], "secrets": {"destinations__slack__url": SECRET + "2"}}

    refused = installed("--check", **configured(**changes, settings={**SETTINGS, "queue_sise": 5}))
    assert refused.failed
    assert "compassd.toml: queue_sise: unknown setting, did you mean queue_size?" in refused.output

    changes["rules"] = [{**RULES[0], "budget": {"duration": "2 parsecs"}}]
    refused = installed(**configured(**changes, settings={**SETTINGS, "queue_size": 5}))
    assert refused.failed
    # Ansible escapes the quotes that follow, depending on its version.
    assert "rules.toml:11:12: rule " in refused.output

    assert installed.machine.run("sh", "-c", "cat /etc/compassd/* /etc/credstore/*") == before
    assert installed.machine.systemctl_calls() == []
    assert not installed.machine.run("find", "/run", "-name", "compassd-ansible*")


def test_secrets_are_credentials_that_nobody_else_reads_or_sees(installed: Role) -> None:
    told = installed("-vvv", "--diff", **configured())
    assert not told.failed, told.output
    assert "TOPSECRET" not in told.output
    assert (
        installed.machine.run("stat", "-c", "%a %U", CREDENTIAL, "/etc/credstore") == "600 root\n700 root\n"
    )
    assert installed.machine.read(CREDENTIAL) == SECRET
    loaded = "LoadCredential=destinations__slack__url:compassd.ansible.destinations__slack__url\n"
    assert loaded in installed.machine.read(DROP_IN)
    assert "TOPSECRET" not in installed.machine.run("sh", "-c", "cat /etc/compassd/*")

    installed.machine.systemctl_calls()
    assert not installed(settings={}, rules=[{"name": "slow", "budget": {"duration": "2s"}}]).failed
    assert installed.machine.systemctl_calls() == ["restart compassd"]
    assert not installed.machine.run(
        "find", "/etc", "-name", "*ansible*cred*", "-o", "-name", "*compassd.ansible*"
    )


def test_what_is_not_given_is_left_alone(installed: Role) -> None:
    installed.machine.run(
        "sh", "-c", "echo '# by hand' | tee /etc/compassd/compassd.toml /etc/compassd/rules.toml"
    )
    assert installed().changed == 0
    assert installed.machine.run("sh", "-c", "cat /etc/compassd/*") == "# by hand\n# by hand\n"


def test_rules_alone_need_no_secrets_unless_the_role_would_take_them_away(installed: Role) -> None:
    installed.machine.run(
        "sh", "-c", "echo '[destinations]\nslack.type = \"slack\"' > /etc/compassd/compassd.toml"
    )
    outcome = installed(rules=RULES)
    assert not outcome.failed, outcome.output
    installed(rules=RULES, secrets=SECRETS)
    refused = installed(rules=RULES)
    assert refused.failed
    assert "destinations.slack" in refused.output
    assert installed.machine.read(CREDENTIAL) == SECRET


def test_a_secret_alone_is_checked(installed: Role) -> None:
    installed(**configured())
    refused = installed(secrets={"destinations__slack__url": SECRET.replace("https", "ftp")})
    assert refused.failed
    assert "destinations__slack__url" in refused.output
    assert "TOPSECRET" not in refused.output
    assert installed.machine.read(CREDENTIAL) == SECRET


def test_rules_can_be_a_template_of_ones_own(installed: Role, tmp_path: Path) -> None:
    template = tmp_path / "rules.toml.j2"
    template.write_text('[[rule]]\nname = "{{ inventory_hostname }}"\nbudget = { duration = "1s" }\n')
    assert not installed(rules_file=str(template)).failed
    (rule,) = tomllib.loads(installed.machine.read("/etc/compassd/rules.toml"))["rule"]
    assert rule["name"] == "machine"


def test_dates_and_routes_arrive_as_they_are(installed: Role) -> None:
    moments = [date(2099, 12, 31), datetime(2099, 12, 31, 12, tzinfo=UTC)]
    rules = [
        {
            "name": f"rule-{number}",
            "budget": {"duration": "1s"},
            "exception": [{"match": {"uri": "/a"}, "reason": 'it\'s "known" \\', "expires": moment}],
        }
        for number, moment in enumerate(moments)
    ]
    routes = [{"match": ["/blog/*"], "name": "/blog/{slug}"}]
    outcome = installed(rules=rules, routes=routes)
    assert not outcome.failed, outcome.output
    written = tomllib.loads(installed.machine.read("/etc/compassd/rules.toml"))
    assert written == {"rule": rules, "route": routes}


def test_given_files_are_the_versions_to_have(installed: Role, debs: list[str], tmp_path: Path) -> None:
    newer = str(build_deb(tmp_path, "compassd", "1.0.1-1"))
    installed(deb_files=[newer, *debs[1:]])
    assert versions(installed)["compassd"] == "1.0.1-1"
    assert installed.machine.systemctl_calls() == ["restart compassd"]
    installed(deb_files=debs)
    assert versions(installed)["compassd"] == VERSION


def test_php_versions_can_be_chosen(role: Role, debs: list[str]) -> None:
    # As YAML reads 9.9.
    assert not role(deb_files=debs, php_versions=[9.8, "9.9"]).failed
    assert set(versions(role)) == {"compassd", "php9.8-compass", "php9.9-compass"}


def test_absent_leaves_nothing_but_what_is_not_the_roles(installed: Role) -> None:
    installed(**configured())
    installed.machine.run("sh", "-c", "echo mine > /etc/credstore/compassd.mine")
    removed = installed("--diff", state="absent", purge=True)
    assert not removed.failed, removed.output
    assert "TOPSECRET" not in removed.output
    assert not versions(installed)
    left = installed.machine.run("find", "/etc/credstore", "/etc/systemd/system", "-name", "*compassd*")
    assert left == "/etc/credstore/compassd.mine\n"
    assert installed(state="absent", purge=True).changed == 0
