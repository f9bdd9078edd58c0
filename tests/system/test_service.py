"""The unit on a real systemd: confined, fed with secrets, reloaded, started again for what is new."""

from __future__ import annotations

import json
import threading
import time
from pathlib import Path

import pytest

from lab.certificates import self_signed
from lab.processes import wait_until
from lab.receiver import WEBHOOK_PATH, Hang, Receiver
from tests.system.host import RULES, Host

# A machine is booted, and the packages installed, in the first test of each release.
pytestmark = [pytest.mark.ebpf, pytest.mark.timeout(400)]

_WEBHOOK = '[destinations.webhook]\ntype = "webhook"\n'
_HOOKED = RULES + 'destinations = ["webhook"]\n'


def test_requests_are_told_by_a_service_without_privileges(host: Host) -> None:
    host.start()
    host.request("/slow?ms=150")
    host.wait_for_told("/slow")
    assert host.property("User") == "compassd"
    status = host.machine.run("sh", "-c", f"cat /proc/{host.property('MainPID')}/task/*/status")
    lines = [line.split() for line in status.splitlines()]
    kept = {line[1] for line in lines if line[0] in ("CapInh:", "CapPrm:", "CapEff:", "CapAmb:")}
    assert kept == {"0" * 16}
    user = host.machine.run("id", "-u", "compassd").strip()
    assert {tuple(line[1:]) for line in lines if line[0] == "Uid:"} == {(user,) * 4}
    assert "requests" in host.property("StatusText")


def test_what_the_service_may_write_is_never_executed(host: Host) -> None:
    host.start()
    # Python runs this at each start where it looks into the home of its user.
    run = host.machine.run
    version = run("python3", "-c", "import sys; print('%d.%d' % sys.version_info[:2])").strip()
    planted = f"/var/lib/compassd/.local/lib/python{version}/site-packages/planted.pth"
    host.machine.write(planted, "import os; os.mkdir('/var/lib/compassd/executed')\n")
    run("chown", "--recursive", "compassd:", "/var/lib/compassd/.local")
    shell = "env HOME=/var/lib/compassd python3 -c pass; rmdir /var/lib/compassd/executed"
    run("runuser", "-u", "compassd", "--", "sh", "-c", shell)
    run("systemctl", "reload", "compassd")
    run("systemctl", "restart", "compassd")
    assert host.machine.try_run("ls", "/var/lib/compassd/executed")[0] != 0


def test_the_unit_is_as_confined_as_systemds_own_measure_asks(host: Host) -> None:
    unit = "/usr/lib/systemd/system/compassd.service"
    analyze = ("systemd-analyze", "security", "--offline=true", "--no-pager", unit)
    host.machine.run(*analyze, "--threshold=25")
    assert host.machine.try_run(*analyze, "--threshold=5")[0] != 0
    host.machine.run("systemd-analyze", "verify", "--man=no", unit)


def test_the_doctor_beside_it_finds_nothing_wrong(host: Host) -> None:
    host.start()
    status, text = host.machine.try_run("compassd", "doctor")
    assert (status, text.splitlines()[-1]) == (0, "alerts would flow"), text


def test_a_reload_puts_rules_in_force_and_refuses_a_bad_file(host: Host) -> None:
    host.start()
    host.machine.write("/etc/compassd/rules.toml", RULES.replace("100ms", "10ms"))
    host.machine.run("systemctl", "reload", "compassd")
    host.wait_for_log("^rules reloaded: 1 rules$")
    host.request("/quick?ms=30")
    host.wait_for_told("/quick")

    host.machine.write("/etc/compassd/rules.toml", RULES.replace("100ms", "soon"))
    status, _ = host.machine.try_run("systemctl", "reload", "compassd")
    assert status != 0
    assert "/etc/compassd/rules.toml:5:" in host.log()
    assert '"soon" is not a duration' in host.log()
    assert host.property("ActiveState") == "active"
    host.request("/still?ms=30")
    host.wait_for_told("/still")


def test_rules_with_an_error_are_not_tried_again(host: Host) -> None:
    host.machine.write("/etc/compassd/rules.toml", "[[rule")
    assert host.machine.try_run("systemctl", "start", "compassd")[0] != 0
    assert host.property("ActiveState") == "failed"
    assert (host.property("ExecMainStatus"), host.property("NRestarts")) == ("78", "0")


def test_a_killed_daemon_is_started_again(host: Host) -> None:
    host.start()
    host.machine.run("systemctl", "kill", "--signal=KILL", "--kill-who=main", "compassd")
    host.wait_for_log("^compassd ready: ", 2)
    host.request("/after?ms=150")
    host.wait_for_told("/after")


def test_secrets_come_from_credentials(host: Host) -> None:
    with Receiver() as receiver:
        host.machine.write(
            "/etc/credstore/compassd.destinations__webhook__url", receiver.webhook_url + "\n", mode=0o600
        )
        host.machine.write("/etc/compassd/rules.toml", _HOOKED)
        host.settings(_WEBHOOK)
        host.start()
        # The check before the reload needs the secret, too.
        host.machine.run("systemctl", "reload", "compassd")
        host.request("/slow?ms=150")
        (received,) = receiver.wait_for(1)
        assert received.path == WEBHOOK_PATH
        assert "/slow" in json.dumps(received.json)
        # By hand, root sees what the service sees, and its state.
        assert "webhook" in host.machine.run("compassd", "notify-test")
        assert len(receiver.wait_for(2)) == 2
        assert "nothing waits" in host.machine.run("compassd", "outbox", "list")
        assert "alerts would flow" in host.machine.run("compassd", "doctor")


def test_the_doctor_says_what_the_service_sees_not_what_root_sees(host: Host, tmp_path: Path) -> None:
    machine = host.machine
    pair = self_signed(tmp_path, "hook")
    machine.write("/etc/credstore/hook.pem", pair.read_text(), mode=0o600)
    machine.write("/etc/compassd/root.pem", machine.run("cat", "/etc/credstore/hook.pem"), mode=0o600)
    machine.run("install", "-d", "-o", "compassd", "/srv/state")
    settings = (
        f'state_directory = "/srv/state"\n{_WEBHOOK}url = "https://127.0.0.1:9/"\nclient_certificate = '
    )
    host.settings(
        f'{settings}"/run/credentials/compassd.service/hook.pem"\n',
        "[Service]\nLoadCredential=hook.pem\nEnvironment=HTTPS_PROXY=http://me:TOPSECRET@127.0.0.1:9\n",
    )
    # The service does not run yet, so the credential is not there, either.
    machine.run("compassd", "check")
    host.start()
    text = machine.try_run("compassd", "doctor")[1]
    assert "warn  state directory: /srv/state is read-only for the service: " in text
    assert "warn  environment: not the same for the service as here: https_proxy; " in text
    assert "hook.pem" not in text
    assert "TOPSECRET" not in text
    # What root can read is not for the service.
    machine.write("/etc/compassd/other.toml", f'{settings}"/etc/compassd/root.pem"\n')
    status, text = machine.try_run("compassd", "check", "--config", "/etc/compassd/other.toml")
    assert status != 0
    assert "client_certificate: /etc/compassd/root.pem cannot be read: Permission denied" in text

    unit = "/run/systemd/system/compassd.service.d/test.conf"
    machine.write(unit, machine.run("cat", unit) + "ReadWritePaths=/srv/state\n")
    machine.run("systemctl", "daemon-reload")
    machine.run("systemctl", "restart", "compassd")
    assert "ok    state directory: /srv/state can be written" in machine.try_run("compassd", "doctor")[1]
    assert "compassd.db" in machine.run("ls", "/srv/state")


def test_it_starts_without_php_and_attaches_when_it_comes(host: Host) -> None:
    host.machine.run("systemctl", "stop", host.fpm)
    host.machine.run("rm", host.extension)
    host.start()
    host.wait_for_log("no compass.so found: install the extension")
    host.put_extension()
    host.machine.run("systemctl", "start", host.fpm)
    host.wait_for_log(f"^attached to {host.extension}$")
    wait_until(lambda: host.property("ActiveState") == "active", timeout=30, what="compassd to be ready")
    host.request("/first?ms=150")
    host.wait_for_told("/first")


def test_an_upgrade_of_the_extension_loses_no_request_that_spans_it(host: Host) -> None:
    host.settings("running = false\n")
    host.start()
    host.request("/before?ms=150")
    request = threading.Thread(target=host.request, args=("/across?until=/srv/gate",))
    request.start()
    host.put_extension()
    host.wait_for_log("is new: ending, so that a process with the privileges to attach is started")
    host.wait_for_log("^compassd ready: ", 2)
    host.machine.write("/srv/gate", "")
    request.join()
    host.machine.run("rm", "/srv/gate")
    # PHP-FPM still runs the file that was replaced; then the new one.
    host.request("/old?ms=150")
    host.machine.run("systemctl", "restart", host.fpm)
    host.request("/new?ms=150")
    host.wait_for_told("/new")
    assert host.told() == ["/before", "/across", "/old", "/new"]
    assert host.property("NRestarts") == "1"
    assert "Failed with result" not in host.log()


def test_a_restart_of_php_fpm_is_no_reason_to_start_again(host: Host) -> None:
    host.settings('rescan_interval = "200ms"\n')
    host.start()
    pid = host.property("MainPID")
    host.machine.run("systemctl", "restart", host.fpm)
    # Longer than a master that may have another file is left alone.
    time.sleep(4)
    host.request("/after?ms=150")
    host.wait_for_told("/after")
    assert host.property("MainPID") == pid


def test_draining_for_longer_than_the_watchdog_waits_is_not_the_end(host: Host) -> None:
    with Receiver() as receiver:
        receiver.misbehave(*[Hang()] * 20)
        host.machine.write("/etc/compassd/rules.toml", _HOOKED)
        host.settings(
            f'drain_timeout = "8s"\n[incidents]\ncoalesce = "0s"\n{_WEBHOOK}url = "{receiver.webhook_url}"\n',
            "[Service]\nWatchdogSec=2s\nTimeoutStopSec=3s\n",
        )
        host.start()
        host.request("/slow?ms=150")
        receiver.wait_for(1)
        begun = time.monotonic()
        host.machine.run("systemctl", "stop", "compassd")
        assert time.monotonic() - begun > 4
    assert (host.property("Result"), host.property("ActiveState")) == ("success", "inactive")
    assert "compassd stopped: " in host.log()


def test_the_state_is_the_services_own(host: Host) -> None:
    host.settings(_WEBHOOK + 'url = "http://127.0.0.1:9/"\n')
    host.start()
    listing = host.machine.run("stat", "--format=%a %U", "/var/lib/compassd")
    assert listing.split() == ["700", "compassd"]
    assert Path(host.machine.root / "var/lib/compassd").is_dir()
