"""The collection as a whole: what Galaxy and ansible-doc make of it, and its examples."""

from __future__ import annotations

import json
import subprocess
import time
import tomllib
from pathlib import Path
from typing import Any

import pytest
import yaml

from compassd import __version__
from compassd.rules.check import check
from compassd.settings import load_settings
from lab.ansible_controller import COLLECTION, Controller
from lab.build import ROOT

FLEET = COLLECTION / "examples/fleet"


def read(path: str) -> Any:  # noqa: ANN401 - YAML
    return yaml.safe_load((COLLECTION / path).read_text())


def test_its_version_is_that_of_compass() -> None:
    assert read("galaxy.yml")["version"] == __version__


def test_the_defaults_are_those_that_are_documented() -> None:
    options = read("roles/compassd/meta/argument_specs.yml")["argument_specs"]["main"]["options"]
    documented = {name: option["default"] for name, option in options.items() if "default" in option}
    assert read("roles/compassd/defaults/main.yml") == documented


def test_ansible_doc_shows_the_role_and_the_filters(controller: Controller) -> None:
    shown = controller.run("ansible-doc", "--type", "role", "compass.compassd.compassd")
    assert "compassd_deb_files" in shown.stdout
    assert "WARNING" not in shown.stdout
    for name in ("to_toml", "secret_settings", "unfit_credentials"):
        shown = controller.run("ansible-doc", "--type", "filter", f"compass.compassd.{name}")
        assert shown.returncode == 0, shown.stdout
        assert "WARNING" not in shown.stdout


def test_the_fleets_playbook_is_sound(controller: Controller) -> None:
    inventory, playbook = FLEET / "inventory.yml", FLEET / "site.yml"
    checked = controller.run("ansible-playbook", "--syntax-check", "--inventory", inventory, playbook)
    assert checked.returncode == 0, checked.stdout
    assert "WARNING" not in checked.stdout


def render_for(controller: Controller, host: str, template: Path, target: Path) -> None:
    """Render a template with the fleet's variables of a host."""
    more = {
        "ansible_python_interpreter": "/usr/bin/python3",
        "compassd_routes": [],
        "vault_alertmanager_password": "a",
        "vault_alertmanager_password_hash": "$2y$05$" + 53 * "a",
        "vault_slack_url": "https://hooks.slack.example/a",
    }
    words: list[str | Path] = [
        "--inventory",
        FLEET / "inventory.yml",
        "--connection",
        "local",
        "--extra-vars",
        json.dumps(more),
    ]
    words += ["--module-name", "ansible.builtin.template", "--args", f"src={template} dest={target}"]
    done = controller.run("ansible", host, *words)
    assert done.returncode == 0, done.stdout


@pytest.mark.parametrize(("host", "rule"), [("shop-1.example", "checkout"), ("office-1.example", "export")])
def test_the_fleets_rules_and_settings_are_accepted(
    controller: Controller, tmp_path: Path, host: str, rule: str
) -> None:
    templates = COLLECTION / "roles/compassd/templates"
    rules, config = tmp_path / "rules.toml", tmp_path / "compassd.toml"
    render_for(controller, host, templates / "rules.toml.j2", rules)
    render_for(controller, host, templates / "compassd.toml.j2", config)
    report = check(rules, load_settings(config).destinations, now_ns=time.time_ns(), strict=True)
    assert report.ok, report.problems
    assert [table["name"] for table in tomllib.loads(rules.read_text())["rule"]] == ["slow", rule]


def test_the_fleets_alertmanager_is_configured_as_amtool_wants_it(
    controller: Controller, tmp_path: Path
) -> None:
    config = tmp_path / "alertmanager.yml"
    render_for(controller, "monitor.example", FLEET / "alertmanager.yml.j2", config)
    amtool = ROOT / "build/lab/usr/bin/amtool"
    checked = subprocess.run([amtool, "check-config", config], text=True, check=False, capture_output=True)
    assert checked.returncode == 0, checked.stderr
    assert "1 receivers" in checked.stdout
