"""The journald destination and a real systemd-journald."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from compassd.breach import Severity, State
from compassd.destinations.journald import MESSAGE_IDS, SUMMARY_ID
from lab.breaches import make_breach
from lab.journald import Journald

pytestmark = pytest.mark.ebpf  # not for eBPF's sake: journald needs root as well

SENT_BY_US = f"MESSAGE_ID={MESSAGE_IDS[State.FINISHED]}"

PROGRAM = """
from compassd.breach import Excess, Metric, Severity
from compassd.destinations.journald import JournaldDestination
from lab.breaches import make_breach
JournaldDestination("journal").send(make_breach({arguments}))
"""


@pytest.fixture
def journald() -> Iterator[Journald]:
    with Journald() as running:
        yield running


def test_a_breach_is_one_entry_with_exactly_these_fields(journald: Journald) -> None:
    journald.python(PROGRAM.format(arguments='uri="/cart", tags={"Tenant-ID": "acme"}'))
    (entry,) = journald.entries(SENT_BY_US)
    assert {name: value for name, value in entry.items() if not name.startswith("_")} == {
        "MESSAGE": "checkout: POST /cart took 1.24 s, budget 800 ms (HTTP 200, pool www)",
        "MESSAGE_ID": MESSAGE_IDS[State.FINISHED],
        "PRIORITY": "4",
        "SYSLOG_IDENTIFIER": "compassd",
        "COMPASS_BREACH_ID": make_breach().id,
        "COMPASS_RULE": "checkout",
        "COMPASS_SEVERITY": "warning",
        "COMPASS_STATE": "finished",
        "COMPASS_EXCEEDED": "duration",
        "COMPASS_BUDGET_DURATION_MS": "800.000",
        "COMPASS_DURATION_MS": "1240.000",
        "COMPASS_CPU_MS": "310.000",
        "COMPASS_MEMORY_BYTES": "12582912",
        "COMPASS_METHOD": "POST",
        "COMPASS_URI": "/cart",
        "COMPASS_HOST": "shop.example:8443",
        "COMPASS_STATUS": "200",
        "COMPASS_SCRIPT": "/srv/shop/index.php",
        "COMPASS_REQUEST_ID": "req-1",
        "COMPASS_PID": "4711",
        "COMPASS_POOL": "www",
        "COMPASS_TRANSACTION": "cart.show",
        "COMPASS_TAG_TENANT_ID": "acme",
    }


def test_newlines_cannot_forge_fields_or_entries(journald: Journald) -> None:
    forged = "/a\\nCOMPASS_RULE=forged\\n\\nMESSAGE=forged\\nCOMPASS_HOST\\n"
    tags = '{"a\\nCOMPASS_RULE=x": "b\\nCOMPASS_RULE=forged", "k" * 99: "long", "é=": "umlaut"}'
    journald.python(PROGRAM.format(arguments=f'uri="{forged}", pool="{forged}", tags={tags}'))
    (entry,) = journald.entries(SENT_BY_US)
    assert entry["COMPASS_RULE"] == "checkout"
    assert entry["COMPASS_HOST"] == "shop.example:8443"
    assert entry["COMPASS_URI"] == "/a\nCOMPASS_RULE=forged\n\nMESSAGE=forged\nCOMPASS_HOST\n"
    assert entry["MESSAGE"].startswith("checkout: POST /a")
    assert entry["COMPASS_TAG_A_COMPASS_RULE_X"] == "b\nCOMPASS_RULE=forged"
    assert entry["COMPASS_TAG_" + "K" * 52] == "long"
    assert entry["COMPASS_TAG___"] == "umlaut"
    assert journald.entries("COMPASS_RULE=forged") == []


def test_hostile_and_huge_values_arrive_whole(journald: Journald) -> None:
    arguments = (
        'uri="/" + "\\udcff\\x1b`<!channel>" * 5_000, cpu_ns=None, pool="", severity=Severity.CRITICAL'
    )
    excesses = "excesses=(Excess(Metric.CPU, 1, 2_345_678), Excess(Metric.MEMORY, 10, 20))"
    journald.python(PROGRAM.format(arguments=f"{arguments}, {excesses}"))
    (entry,) = journald.entries(SENT_BY_US, "PRIORITY=2")
    uri = (
        bytes(entry["COMPASS_URI"])
        if isinstance(entry["COMPASS_URI"], list)
        else entry["COMPASS_URI"].encode()
    )
    assert uri == b"/" + b"?\x1b`<!channel>" * 5_000
    assert entry["COMPASS_EXCEEDED"] == ["cpu", "memory"]
    assert entry["COMPASS_BUDGET_CPU_MS"] == "0.000"
    assert entry["COMPASS_BUDGET_MEMORY_BYTES"] == "10"
    assert "COMPASS_CPU_MS" not in entry
    assert "COMPASS_POOL" not in entry


def test_functions_over_budget_have_fields_of_their_own(journald: Journald) -> None:
    excesses = (
        'excesses=(Excess(Metric.FUNCTION_TIME, 300_000_000, 1_200_000_000, "PDO*::*"), '
        'Excess(Metric.FUNCTION_WAITS, 50, 212, "PDO*::*"))'
    )
    journald.python(PROGRAM.format(arguments=f'uri="/", {excesses}'))
    (entry,) = journald.entries(SENT_BY_US, "COMPASS_BUDGET_FUNCTION=PDO*::*")
    assert entry["MESSAGE"].startswith(
        "checkout: POST / spent 1.20 s in PDO*::*, budget 300 ms; waited 212 times in PDO*::*, budget 50"
    )
    assert set(entry["COMPASS_EXCEEDED"]) == {"function_time", "function_waits"}
    assert entry["COMPASS_BUDGET_FUNCTION_TIME_MS"] == "300.000"
    assert entry["COMPASS_ACTUAL_FUNCTION_TIME_MS"] == "1200.000"
    assert entry["COMPASS_BUDGET_FUNCTION_WAITS"] == "50"
    assert entry["COMPASS_ACTUAL_FUNCTION_WAITS"] == "212"


def test_too_many_waits_have_fields_of_their_own(journald: Journald) -> None:
    journald.python(PROGRAM.format(arguments='uri="/", excesses=(Excess(Metric.WAITS, 50, 212),)'))
    (entry,) = journald.entries(SENT_BY_US, "COMPASS_BUDGET_WAITS=50")
    assert (entry["COMPASS_EXCEEDED"], entry["COMPASS_ACTUAL_WAITS"]) == ("waits", "212")


def test_a_missing_journal_is_an_error_and_its_return_is_noticed(journald: Journald) -> None:
    told = journald.python(
        """
import os
from compassd.destinations.base import SendError
from compassd.destinations.journald import JournaldDestination
from lab.breaches import make_breach
destination = JournaldDestination("journal")
socket = "/run/systemd/journal/socket"
os.rename(socket, socket + "-away")
for attempt in range(2):
    try:
        destination.send(make_breach())
    except SendError as error:
        print(error, error.permanent)
    if attempt == 0:
        os.rename(socket + "-away", socket)
"""
    )
    assert told.splitlines() == ["destination journal: the journal does not run False"]
    assert len(journald.entries(SENT_BY_US)) == 1


def test_a_dead_journal_is_an_error(journald: Journald) -> None:
    told = journald.python(
        """
import socket
from pathlib import Path
from compassd.destinations.base import SendError
from compassd.destinations.journald import JournaldDestination
from lab.breaches import make_breach
path = Path("/run/systemd/journal/socket")
path.unlink()
socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM).bind(str(path))
try:
    JournaldDestination("journal").send(make_breach())
except SendError as error:
    print(error)
"""
    )
    assert told.strip() == "destination journal: the journal: Connection refused"


def test_the_severity_is_the_priority(journald: Journald) -> None:
    priorities = {Severity.INFO: "6", Severity.WARNING: "4", Severity.CRITICAL: "2"}
    for severity in priorities:
        journald.python(PROGRAM.format(arguments=f"severity=Severity.{severity.name}"))
    assert [entry["PRIORITY"] for entry in journald.entries(SENT_BY_US)] == list(priorities.values())


def test_beyond_the_rate_breaches_are_summed_up_without_waiting_for_another(journald: Journald) -> None:
    journald.python(
        """
from compassd.delivery import Delivery
from compassd.destinations.journald import JournaldDestination
from lab.breaches import make_breach
from lab.processes import wait_until
destination = JournaldDestination("ops", rate=1, burst=20)
delivery = Delivery([destination], queue_size=1_000)
for number in range(150):
    pool = "www" if number % 3 else "api"
    delivery.accept(make_breach(pid=number + 1, pool=pool, duration_ns=1_000_000 * number))
assert delivery.drain(10.0) == 0
assert destination.pause() is not None
wait_until(lambda: destination.pause() is None, timeout=10.0, what="the sums")
delivery.close()
"""
    )
    written = journald.entries(SENT_BY_US)
    sums = journald.entries(f"MESSAGE_ID={SUMMARY_ID}")
    assert len(written) in (20, 21)
    assert len(written) + sum(int(entry["COMPASS_SUPPRESSED"]) for entry in sums) == 150
    assert [entry["PRIORITY"] for entry in sums] == ["4", "4"]
    assert {entry["COMPASS_POOL"]: entry["COMPASS_MAX_DURATION_MS"] for entry in sums} == {
        "www": "149.000",
        "api": "147.000",
    }


def test_what_was_counted_is_written_at_the_end(journald: Journald) -> None:
    journald.python(
        """
from compassd.destinations.journald import JournaldDestination
from lab.breaches import make_breach
destination = JournaldDestination("ops", rate=1, burst=1)
for _ in range(5):
    destination.send(make_breach())
destination.close()
"""
    )
    (entry,) = journald.entries(f"MESSAGE_ID={SUMMARY_ID}")
    assert (entry["COMPASS_RULE"], entry["COMPASS_SUPPRESSED"]) == ("checkout", "4")


def test_sums_wait_for_a_journal_that_is_away(journald: Journald) -> None:
    journald.python(
        """
import os
import time
from compassd.destinations.base import SendError
from compassd.destinations.journald import JournaldDestination
from lab.breaches import make_breach
destination = JournaldDestination("ops", rate=1, burst=1)
for _ in range(5):
    destination.send(make_breach())
socket = "/run/systemd/journal/socket"
os.rename(socket, socket + "-away")
time.sleep(destination.pause())
for _ in range(2):
    try:
        destination.idle()
    except SendError:
        continue
    raise AssertionError
os.rename(socket + "-away", socket)
destination.idle()
"""
    )
    (entry,) = journald.entries(f"MESSAGE_ID={SUMMARY_ID}")
    assert entry["COMPASS_SUPPRESSED"] == "4"
