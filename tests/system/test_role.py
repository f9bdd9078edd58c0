"""The role of the collection, and its example of a fleet, on machines that have not had Compass before.

Every play is for Debian 12 and 13 at a time, as hosts of one inventory.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest
import yaml

from lab.alertmanager import Alertmanager
from lab.ansible_controller import COLLECTION, Controller
from lab.booted import Booted
from lab.processes import wait_until
from lab.receiver import SLACK_PATH, WEBHOOK_PATH, Receiver, Status
from tests.system import debs
from tests.system.fleet import HOSTS, Fleet, Managed, changed, check, everywhere
from tests.system.host import PACKAGES

pytestmark = [pytest.mark.ebpf, pytest.mark.timeout(400)]

FLEET = COLLECTION / "examples/fleet"

SETTINGS: dict[str, Any] = {
    "incidents": {"coalesce": "0s", "max_messages": 1000},
    "destinations": {
        "slack": {"type": "slack"},
        "journal": {"type": "journald"},
        "webhook": {"type": "webhook"},
    },
}
# The variables are in Managed.variables, as each machine has a receiver of its own.
SECRETS = {"destinations__slack__url": "{{ slack_url }}", "destinations__webhook__url": "{{ webhook_url }}"}
RULES: list[dict[str, Any]] = [{"name": "slow", "budget": {"duration": "100ms"}, "escalate_ratio": 5.0}]
CONFIGURED = {
    "deb_files": "{{ built_debs }}",
    "settings": SETTINGS,
    "secrets": SECRETS,
    "rules": RULES,
}
SIGNING_KEY = "whsec_" + base64.b64encode(b"TOPSECRET" * 4).decode()

CREDENTIAL = "/etc/credstore/compassd.ansible.destinations__slack__url"
DROP_IN = "/etc/systemd/system/compassd.service.d/ansible-credentials.conf"


@pytest.fixture(scope="module")
def fleet(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Fleet]:
    """The machines, which have nothing of Compass."""
    controller = Controller.install(tmp_path_factory.mktemp("controller"))
    with ExitStack() as stack:
        machines = tuple(
            Managed(
                stack.enter_context(Booted(release, shown={debs.directory(release): PACKAGES})),
                name=name,
                receiver=stack.enter_context(Receiver(slack_rate=None)),
            )
            for name, release in HOSTS.items()
        )
        fleet = Fleet(controller, machines)
        fleet.each(Managed.prepare)
        yield fleet


@pytest.fixture
def bare(fleet: Fleet) -> Fleet:
    """The machines without Compass."""
    if fleet.applied is not None:
        fleet.apply(state="absent", purge=True)
    return fleet


@pytest.fixture
def configured(fleet: Fleet) -> Fleet:
    """The machines with Compass, configured at least like CONFIGURED; fleet.applied says how."""
    if not fleet.applied:
        fleet.apply(**CONFIGURED)
    return fleet


def test_check_mode_shows_what_an_installation_would_do(bare: Fleet) -> None:
    before = bare.each(Managed.files)
    planned = bare.try_apply("--check", "--diff", **CONFIGURED)
    check(planned)
    for outcome in planned.values():
        assert outcome.changed
        assert '+duration = "100ms"' in outcome.output
        assert SLACK_PATH not in outcome.output
    assert bare.each(Managed.files) == before
    assert bare.each(Managed.versions) == everywhere({})


def test_after_the_first_run_slow_requests_are_told(bare: Fleet) -> None:
    bare.apply(**CONFIGURED)
    bare.each(_check_what_is_installed)
    bare.each(_check_who_is_told)


def _check_what_is_installed(machine: Managed) -> None:
    run = machine.machine.run
    assert set(machine.versions()) == {"compassd", f"php{machine.php}-compass"}
    assert run("systemctl", "is-enabled", "compassd").strip() == "enabled"
    modes = ("stat", "-c", "%a %U:%G")
    assert run(*modes, CREDENTIAL, "/etc/credstore") == "600 root:root\n700 root:root\n"
    assert run(*modes, "/etc/compassd/compassd.toml", DROP_IN) == 2 * "644 root:root\n"
    assert DROP_IN in machine.property("DropInPaths")
    assert run("cat", CREDENTIAL) == machine.receiver.slack_url
    assert machine.receiver.origin not in run("sh", "-c", "cat /etc/compassd/*")


def _check_who_is_told(machine: Managed) -> None:
    assert machine.browse("/quick") == "served\n"
    assert machine.browse("/cart?ms=150") == "served\n"
    assert machine.browse("/office/report?ms=150") == "served\n"
    message = machine.wait_for(SLACK_PATH, "/cart")
    assert "`ask_the_warehouse` `srv/page.php:3`" in json.dumps(message.json)
    document = machine.wait_for(WEBHOOK_PATH, "/office/report").json
    assert (document["type"], document["happening"]) == ("compass.incident", "opened")
    assert document["attributes"]["host.name"] == machine.name
    assert machine.receiver.violations == []
    assert machine.told()[-2:] == ["/cart", "/office/report"]
    journal = machine.machine.run("journalctl", "-t", "compassd", "--no-pager")
    assert "slow: GET /office/report took" in journal
    wait_until(
        lambda: 'Status: "3 requests' in machine.machine.run("systemctl", "status", "compassd", "--no-pager"),
        timeout=30,
        what="the status to say how many requests there were",
    )
    assert machine.property("ActiveState") == "active"
    assert "alerts would flow" in machine.machine.run("compassd", "doctor")


def test_a_second_run_changes_nothing(configured: Fleet) -> None:
    before = configured.each(Managed.state)
    assert changed(configured.change()) == everywhere(0)
    assert configured.each(Managed.state) == before


def test_check_mode_shows_what_would_be_changed_and_no_secret(configured: Fleet) -> None:
    before = configured.each(Managed.state)
    changes = {
        "rules": [{**RULES[0], "budget": {"duration": "77ms"}}],
        "secrets": {**SECRETS, "destinations__webhook__secret": SIGNING_KEY},
    }
    planned = configured.try_change("--check", "--diff", **changes)
    check(planned)
    for outcome in planned.values():
        assert outcome.changed
        assert '+duration = "77ms"' in outcome.output
        assert "+LoadCredential=destinations__webhook__secret:" in outcome.output
        assert SIGNING_KEY not in outcome.output
    assert configured.each(Managed.state) == before


def test_changed_rules_are_reloaded(configured: Fleet) -> None:
    before = configured.each(Managed.process)
    rules = [{**RULES[0], "budget": {"duration": "60ms"}}]
    configured.change(rules=rules)
    assert configured.each(Managed.process) == before
    configured.each(lambda machine: machine.browse("/reloaded?ms=80"))
    configured.each(lambda machine: machine.wait_for_told("/reloaded"))


def test_rules_with_an_error_replace_nothing(configured: Fleet) -> None:
    before = configured.each(Managed.state)
    wrong = {
        "rules": [*RULES, {"name": "wrong", "budget": {"duration": "2 parsecs"}}],
        "secrets": {**SECRETS, "destinations__webhook__secret": SIGNING_KEY},
    }
    refused = configured.try_change(**wrong)
    for outcome in refused.values():
        assert outcome.failed
        assert outcome.changed == 0
        assert "rules.toml:17:12: rule " in outcome.output
        assert "2 parsecs" in outcome.output
    assert configured.each(Managed.state) == before
    configured.each(lambda machine: machine.browse("/still?ms=150"))
    configured.each(lambda machine: machine.wait_for_told("/still"))


def test_a_changed_secret_takes_a_restart(configured: Fleet) -> None:
    starts = configured.each(Managed.starts)
    key = "whsec_" + base64.b64encode(str(starts).encode().rjust(32)).decode()
    configured.change(secrets={**SECRETS, "destinations__webhook__secret": key})
    assert configured.each(Managed.starts) == {name: count + 1 for name, count in starts.items()}
    configured.each(lambda machine: machine.browse("/signed?ms=150"))
    received = configured.each(lambda machine: machine.wait_for(WEBHOOK_PATH, "/signed"))
    assert all("webhook-signature" in one.headers for one in received.values())


def test_the_latest_version_is_installed_and_what_is_under_way_goes_on(
    configured: Fleet, tmp_path: Path
) -> None:
    incidents = configured.each(lambda machine: _begin(machine, "upgrade"))
    before = configured.each(Managed.process)
    configured.each(lambda machine: machine.offer_later_packages(tmp_path / machine.name))
    try:
        configured.change(deb_files=[], state="latest")
        versions = configured.each(Managed.versions)
        assert all(version.endswith("+next") for found in versions.values() for version in found.values())
        after = configured.each(Managed.process)
        assert not set(before.items()) & set(after.items())
        configured.each(lambda machine: _prove_that_it_goes_on(machine, "upgrade", incidents[machine.name]))
    finally:
        configured.each(Managed.withdraw_later_packages)


def test_what_the_role_has_set_up_lasts(configured: Fleet) -> None:
    configured.each(_check_by_hand)
    incidents = configured.each(lambda machine: _begin(machine, "reboot"))
    # Not by each(): a machine ends with the thread that has booted it.
    for machine in configured.machines:
        machine.machine.reboot()
    configured.each(lambda machine: _prove_that_it_goes_on(machine, "reboot", incidents[machine.name]))
    assert changed(configured.change()) == everywhere(0)


def _check_by_hand(machine: Managed) -> None:
    """Do what administrators do between two runs of Ansible."""
    run, rules = machine.machine.run, "/etc/compassd/rules.toml"
    run("systemctl", "restart", machine.fpm)
    machine.browse("/again?ms=150")
    machine.wait_for_told("/again")
    # What the catalog has to say of it.
    text = run("journalctl", "MESSAGE_ID=55fb85bec3984995914a201238321127", "-x", "--no-pager")
    assert "GET /again took" in text
    assert "Subject: A PHP-FPM request was over the budget of rule slow" in text
    before = run("cat", rules)
    machine.machine.write(rules, before.replace("ms", "furlongs"))
    assert machine.machine.try_run("systemctl", "reload", "compassd")[0] != 0
    assert f"{rules}:" in machine.log()
    machine.machine.write(rules, before)
    run("systemctl", "reload", "compassd")


def _begin(machine: Managed, name: str) -> str:
    """Have an incident told, and the message about another one wait; return the first one's id."""
    machine.browse(f"/{name}?ms=150")
    opened = machine.wait_for(WEBHOOK_PATH, f"/{name}").json
    machine.wait_for(SLACK_PATH, f"/{name}")
    # The pauses between attempts do not grow while the packages are installed.
    machine.receiver.misbehave(*[Status(503, {"Retry-After": "10"})] * 1000)
    machine.browse(f"/waits-for-{name}?ms=150")
    wait_until(
        lambda: f"/waits-for-{name}" in machine.machine.run("compassd", "outbox", "list", "--json"),
        timeout=20,
        what="a message to wait",
    )
    return str(opened["incident_id"])


def _prove_that_it_goes_on(machine: Managed, name: str, incident: str) -> None:
    """Check that the message arrives after all, and that the incident is the same one when it gets worse."""
    machine.receiver.behave()
    machine.browse(f"/{name}?ms=700")
    machine.wait_for(WEBHOOK_PATH, f"/waits-for-{name}")
    machine.wait_for(SLACK_PATH, f"/waits-for-{name}")
    escalated = machine.wait_for(WEBHOOK_PATH, f"/{name}", '"escalated"').json
    assert escalated["incident_id"] == incident
    assert escalated["figures"]["hits"] == 2


def test_absent_leaves_nothing(configured: Fleet) -> None:
    configured.apply(state="absent", purge=True)
    configured.each(_check_that_nothing_is_left)
    assert changed(configured.apply(state="absent", purge=True)) == everywhere(0)


def _check_that_nothing_is_left(machine: Managed) -> None:
    run = machine.machine.run
    assert debs.left_behind(machine.machine) == []
    assert run("find", "/var/cache/apt/archives", "-name", "*compass*") == ""
    # systemd does not know of it any more, either.
    assert machine.property("LoadState") == "not-found"
    assert machine.property("DropInPaths") == ""
    assert run("systemctl", "list-units", "--all", "--quiet", "compassd*") == ""
    assert machine.browse("/cart") == "served\n"
    assert "compass" not in run(f"php-fpm{machine.php}", "-m")
    assert machine.machine.try_run("sh", "-c", "grep -l compassd /proc/[0-9]*/comm")[1] == ""


def test_the_examples_fleet_is_installed_from_a_repository_and_meets_at_alertmanager(bare: Fleet) -> None:
    web = yaml.safe_load((FLEET / "group_vars/web.yml").read_text())
    settings = web["compassd_settings"]
    with Receiver() as people, Alertmanager(people.webhook_url) as meeting_point:
        settings["destinations"]["alerts"]["url"] = meeting_point.url
        variables = {"compassd_settings": settings, "vault_alertmanager_password": "TOPSECRET"}
        limits = ("--inventory", FLEET / "inventory.yml", "--limit", ",".join(HOSTS))
        outcomes = bare.controller.play(FLEET / "site.yml", bare.hosts, variables, *limits)
        bare.applied = {}
        check(outcomes)
        bare.each(_ask_for_what_is_too_slow)

        def alerts() -> set[tuple[str, str]]:
            labels = [alert["labels"] for alert in meeting_point.alerts()]
            return {(one["instance"], one["rule"]) for one in labels}

        expected = {("shop-1.example", "checkout"), ("office-1.example", "slow")}
        wait_until(lambda: alerts() == expected, timeout=60, what="alerts", detail=lambda: str(alerts()))


def _ask_for_what_is_too_slow(machine: Managed) -> None:
    if machine.name.startswith("shop"):
        machine.browse("/cart?ms=900", "--request", "POST")
    else:
        for _ in range(3):
            machine.browse("/report?ms=2100")
