"""The packages on a machine with nginx, PHP-FPM and a journal: installed, upgraded, rebooted, removed."""

from __future__ import annotations

import re
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from lab import slack_text
from lab.processes import wait_until
from lab.receiver import SLACK_PATH, WEBHOOK_PATH, Received, Receiver, Status
from tests.system import debs
from tests.system.host import Host

pytestmark = [pytest.mark.ebpf, pytest.mark.timeout(400)]

_RULES = """
[[rule]]
name = "slow"
match = { uri = "/**" }
budget = { duration = "100ms" }
escalate_ratio = 5.0
"""
_SETTINGS = """
rescan_interval = "200ms"

[incidents]
coalesce = "0s"

[destinations.journal]
type = "journald"

[destinations.webhook]
type = "webhook"
url = "%s"
"""


@pytest.fixture
def fresh(installed: Host) -> Iterator[Host]:
    """The machine right after the installation of the packages, where they have not been before."""
    installed.clean()
    _reinstall(installed)
    yield installed
    _reinstall(installed)


def _reinstall(host: Host) -> None:
    # Whether they are installed, removed or unknown.
    host.machine.run("dpkg", "--purge", "compassd", f"php{host.php}-compass", timeout=120)
    host.install_packages()


def test_after_apt_install_the_journal_is_told_of_what_is_slow(fresh: Host) -> None:
    run = fresh.machine.run
    assert fresh.property("ActiveState") == "active"
    assert run("systemctl", "is-enabled", "compassd").strip() == "enabled"
    assert fresh.browse("/cart?ms=2100") == "served\n"
    assert fresh.browse("/office/report?ms=2100") == "served\n"
    assert fresh.browse("/quick") == "served\n"
    fresh.wait_for_told("/office/report")
    # Perhaps also while they ran.
    assert set(fresh.told()) == {"/cart", "/office/report"}

    text = run("journalctl", "-t", "compassd", "--no-pager")
    assert re.search("GET /cart .*ask_the_warehouse", text)
    # What the catalog has to say of it.
    text = run("journalctl", "MESSAGE_ID=55fb85bec3984995914a201238321127", "-x", "--no-pager")
    assert "Subject: A PHP-FPM request was over the budget of rule slow" in text
    assert "Documentation: man:compassd-rules(5)" in text
    assert "GET /office/report took 2" in text
    (entry,) = fresh.machine.journal("COMPASS_URI=/office/report", "COMPASS_STATE=finished")
    assert (entry["COMPASS_POOL"], entry["COMPASS_FUNCTION"]) == ("office", "usleep")
    assert (entry["COMPASS_FILE"], entry["COMPASS_LINE"]) == ("/srv/page.php", "3")

    status = run("systemctl", "status", "compassd", "--no-pager")
    assert "Active: active (running)" in status
    assert re.search(r"Status: .*requests", status)
    assert "alerts would flow" in run("compassd", "doctor")


def test_slack_and_a_webhook_are_told(host: Host) -> None:
    with Receiver() as receiver:
        host.machine.write("/etc/credstore/compassd.destinations__slack__url", receiver.slack_url, mode=0o600)
        host.machine.write("/etc/compassd/rules.toml", _RULES)
        host.settings(_SETTINGS % receiver.webhook_url + '[destinations.slack]\ntype = "slack"\n')
        host.start()
        host.browse("/cart?ms=150")
        received = {one.path: one for one in receiver.wait_for(2)}
        assert receiver.violations == []
    assert set(received) == {SLACK_PATH, WEBHOOK_PATH}
    assert all(one.accepted for one in received.values())
    assert "ask_the_warehouse srv/page.php:3" in slack_text.render(received[SLACK_PATH].json)
    document = received[WEBHOOK_PATH].json
    assert (document["type"], document["happening"]) == ("compass.incident", "opened")


def test_an_upgrade_keeps_what_is_configured_and_what_is_under_way(fresh: Host, tmp_path: Path) -> None:
    versions = [deb.read_bytes() for deb in debs.next_version(fresh.machine.release, tmp_path)]
    later = [f"/root/next-{number}.deb" for number in range(len(versions))]
    for path, content in zip(later, versions, strict=True):
        (fresh.machine.root / path.lstrip("/")).write_bytes(content)
    with Receiver() as receiver:
        incident = _begin(fresh, receiver)
        before = fresh.property("MainPID")
        fresh.apt("-o", "Dpkg::Options::=--force-confold", "install", *later)
        assert fresh.property("MainPID") != before
        assert "+next" in fresh.machine.run("dpkg-query", "--show", "compassd", f"php{fresh.php}-compass")
        assert fresh.machine.run("cat", "/etc/compassd/rules.toml") == _RULES
        _prove_that_it_goes_on(fresh, receiver, incident)
    # The PHP-FPM that dpkg's trigger has started again is known: twelve looks later nothing has happened.
    before = fresh.property("MainPID")
    time.sleep(5)
    assert fresh.property("MainPID") == before


def test_a_reboot_keeps_what_is_under_way(fresh: Host) -> None:
    with Receiver() as receiver:
        incident = _begin(fresh, receiver)
        fresh.machine.reboot()
        assert fresh.property("ActiveState") == "active"
        _prove_that_it_goes_on(fresh, receiver, incident)


def test_removing_the_daemon_does_not_touch_a_request(fresh: Host) -> None:
    answers: list[str] = []
    request = threading.Thread(target=lambda: answers.append(fresh.browse("/cart?until=/srv/gate")))
    request.start()
    # While it runs, after two seconds.
    fresh.wait_for_told("/cart")
    fresh.apt("remove", "compassd")
    assert fresh.machine.try_run("systemctl", "is-active", "compassd")[0] != 0
    assert not fresh.is_attached()
    fresh.machine.write("/srv/gate", "")
    request.join()
    fresh.machine.run("rm", "/srv/gate")
    assert answers == ["served\n"]
    assert fresh.browse("/cart") == "served\n"
    # What it knew is kept until it is purged.
    assert "rules.toml" in fresh.machine.run("ls", "/etc/compassd")
    assert "compassd" in fresh.machine.run("ls", "/var/lib")


def test_a_purge_leaves_nothing(fresh: Host) -> None:
    fresh.apt("purge", "compassd", f"php{fresh.php}-compass")
    assert fresh.browse("/cart") == "served\n"
    assert debs.left_behind(fresh.machine) == []
    assert "Compass" not in fresh.machine.run("journalctl", "--list-catalog", "--no-pager")
    assert "compass" not in fresh.machine.run(f"php-fpm{fresh.php}", "-m")
    # As Debian's users do, ours stays; none of its processes does.
    assert fresh.machine.try_run("sh", "-c", "grep -l compassd /proc/[0-9]*/comm")[1] == ""


def _begin(host: Host, receiver: Receiver) -> str:
    """Have an incident told, and the message about another one wait; return the first one's id."""
    host.machine.write("/etc/compassd/rules.toml", _RULES)
    host.settings(_SETTINGS % receiver.webhook_url)
    host.machine.run("systemctl", "restart", "compassd")
    host.browse("/cart?ms=150")
    (opened,) = receiver.wait_for(1)
    receiver.misbehave(*[Status(503)] * 1000)
    host.browse("/office/report?ms=150")
    receiver.wait_for(2)
    assert "/office/report" in host.machine.run("compassd", "outbox", "list", "--json")
    return str(opened.json["incident_id"])


def _prove_that_it_goes_on(host: Host, receiver: Receiver, incident: str) -> None:
    """Check that the message arrives after all, and that the incident is the same one when it gets worse."""
    receiver.behave()
    host.browse("/cart?ms=700")
    host.wait_for_told("/cart")

    def arrived(happening: str) -> list[Received]:
        return [one for one in receiver.received if one.accepted and one.json["happening"] == happening]

    wait_until(
        lambda: len(arrived("opened")) == 2, timeout=90, what="the message that waited", detail=host.log
    )
    wait_until(lambda: bool(arrived("escalated")), timeout=90, what="the escalation", detail=host.log)
    (escalated,) = arrived("escalated")
    assert escalated.json["incident_id"] == incident
    assert escalated.json["figures"]["hits"] == 2
