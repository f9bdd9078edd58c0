"""The alertmanager destination and a real Prometheus Alertmanager."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from compassd.breach import Severity
from compassd.calltree import NO_PARENT, CallTree, Frame, Node
from compassd.destinations.alertmanager import AlertmanagerDestination
from compassd.destinations.base import SendError
from compassd.destinations.tls import ClientTls
from compassd.notice import BreachNotice, Figures, Happening, Notice, TestNotice
from lab.alertmanager import Alertmanager
from lab.breaches import make_breach
from lab.certificates import self_signed
from lab.hostile import ATTACKS
from lab.memory import InMemory
from lab.notices import SECOND, make_digest, make_figures, make_incident, make_key, make_message
from lab.processes import wait_until
from lab.receiver import Receiver

pytestmark = pytest.mark.ebpf  # not for eBPF's sake: a mount namespace needs root as well

COOLDOWN = 600 * SECOND


@pytest.fixture
def people() -> Iterator[Receiver]:
    with Receiver() as running:
        yield running


@pytest.fixture
def server(people: Receiver) -> Iterator[Alertmanager]:
    with Alertmanager(people.webhook_url) as running:
        yield running


class Sender:
    """Sends notices, as the courier does."""

    def __init__(self, server: Alertmanager) -> None:
        self.memory = InMemory()
        self.destination = AlertmanagerDestination("alerts", server.url + "/", cooldown_ns=COOLDOWN)

    def __call__(self, notice: Notice) -> None:
        self.destination.send(make_message(notice), self.memory)


@pytest.fixture
def send(server: Alertmanager) -> Iterator[Sender]:
    sender = Sender(server)
    yield sender
    sender.destination.close()


def recent(hits: int, *, seconds_ago: int = 0, **changes: Any) -> Figures:  # noqa: ANN401 - any field
    """Return figures of an incident of 30 s, whose last breach was that long ago."""
    last = time.time_ns() - seconds_ago * SECOND
    return make_figures(hits, first_at=last - 30 * SECOND, last_at=last, **changes)


def tree() -> CallTree:
    return CallTree(
        duration_ns=1_240_000_000,
        nodes=(
            Node(Frame("{main}", "/srv/shop/index.php", 3), NO_PARENT, 0, 0, 0),
            Node(Frame("PDO::query", "", 0), 0, 0, 1_200_000_000, 212, "SELECT ?"),
        ),
    )


def test_an_incident_is_an_alert(server: Alertmanager, send: Sender) -> None:
    breach = make_breach(tree=tree())
    figures = recent(12, died=1)
    send(make_incident(figures=figures, exemplars=(breach,)))
    (alert,) = server.alerts("alertname=CompassOverBudget", "rule=checkout", "instance=web1")
    assert alert["labels"] == {
        "alertname": "CompassOverBudget",
        "job": "compassd",
        "instance": "web1",
        "severity": "warning",
        "rule": "checkout",
        "http_host": "shop.example",
        "pool": "www",
        "route": "/cart",
        "function": r"Shop\Repo::find",
    }
    annotations = alert["annotations"]
    assert annotations.pop("description").splitlines() == [
        "worst: checkout: POST /cart?voucher=SPRING took 1.24 s, budget 800 ms (HTTP 200, pool www)",
        "97% in PDO::query at shop/index.php:3, waiting, 212 waits (in a loop?): SELECT ?",
        "97% {main} at shop/index.php:3",
        "97% PDO::query",
    ]
    assert annotations == {
        "summary": "checkout over budget: 12 requests to shop.example/cart (pool www), 1 of them died, "
        "4.20 s at most",
        "incident_id": make_incident().incident_id,
        "breach_id": breach.id,
        "request_id": "req-1",
        "hits": "12",
        "died": "1",
        "duration_p50": "1.24 s",
        "duration_p95": "2.10 s",
        "duration_max": "4.20 s",
    }
    assert "generatorURL" not in alert


def test_an_update_is_the_same_alert_and_the_end_resolves_it(
    server: Alertmanager, send: Sender, people: Receiver
) -> None:
    send(make_incident(figures=recent(12)))
    (first,) = server.alerts()
    send(make_incident(Happening.UPDATED, replace(recent(20), first_at=make_figures().first_at)))
    (second,) = server.alerts()
    assert first["fingerprint"] == second["fingerprint"]
    assert (first["annotations"]["hits"], second["annotations"]["hits"]) == ("12", "20")
    people.wait_for(1)
    send(make_incident(Happening.CLOSED, recent(20, seconds_ago=601)))
    assert server.alerts() == []
    told = [request.json["status"] for request in people.wait_for(2)]
    assert told[0] == "firing"
    assert told[-1] == "resolved"
    assert send.memory.kept == {}


def test_an_alert_outlasts_the_longest_time_between_two_messages(server: Alertmanager, send: Sender) -> None:
    send(make_incident(figures=recent(1)))
    (alert,) = server.alerts()
    lasts = datetime.fromisoformat(alert["endsAt"]) - datetime.fromisoformat(alert["updatedAt"])
    assert timedelta(minutes=84) < lasts < timedelta(minutes=86)


def test_a_worse_severity_replaces_the_alert(server: Alertmanager, send: Sender, people: Receiver) -> None:
    send(make_incident(figures=recent(1)))
    people.wait_for(1)
    send(make_incident(Happening.ESCALATED, recent(2), severity=Severity.CRITICAL))
    assert [alert["labels"]["severity"] for alert in server.alerts()] == ["critical"]
    # Told again or not: there is nothing left to replace.
    send(make_incident(Happening.ESCALATED, recent(2), severity=Severity.CRITICAL))
    assert [alert["labels"]["severity"] for alert in server.alerts()] == ["critical"]
    second = people.wait_for(2)[1].json
    assert {(alert["labels"]["severity"], alert["status"]) for alert in second["alerts"]} == {
        ("warning", "resolved"),
        ("critical", "firing"),
    }


def test_what_failed_is_not_remembered_as_sent(server: Alertmanager, send: Sender) -> None:
    send(make_incident(figures=recent(1)))
    kept = dict(send.memory.kept)
    lost = AlertmanagerDestination("alerts", server.url + "/elsewhere", cooldown_ns=COOLDOWN)
    critical = make_message(make_incident(Happening.ESCALATED, recent(2), severity=Severity.CRITICAL))
    with pytest.raises(SendError, match="HTTP 404"):
        lost.send(critical, send.memory)
    lost.close()
    assert send.memory.kept == kept


def test_alerts_are_grouped_and_silenced_by_their_labels(
    server: Alertmanager, send: Sender, people: Receiver
) -> None:
    for rule, route in (("checkout", "/cart"), ("checkout", "/pay"), ("search", "/find")):
        send(make_incident(figures=recent(1), key=make_key(rule=rule, route=route)))

    def groups() -> dict[str, set[str]]:
        told: dict[str, set[str]] = {}
        for request in people.received:
            routes = {alert["labels"]["route"] for alert in request.json["alerts"]}
            told.setdefault(request.json["groupLabels"]["rule"], set()).update(routes)
        return told

    wait_until(
        lambda: groups() == {"checkout": {"/cart", "/pay"}, "search": {"/find"}}, timeout=10.0, what="groups"
    )
    server.amtool("silence", "add", "rule=checkout", "--author=test", "--comment=known", "--duration=1h")
    wait_until(lambda: len(server.alerts()) == 1, timeout=10.0, what="the silence")
    assert [alert["labels"]["rule"] for alert in server.alerts()] == ["search"]
    assert len(server.alerts("--silenced")) == 2


def test_a_digest_is_an_alert_with_the_totals_and_one_for_each_line(
    server: Alertmanager, send: Sender
) -> None:
    digest = make_digest(500, dropped=3, severity=Severity.CRITICAL)
    send(digest)
    (storm,) = server.alerts("alertname=CompassStorm")
    assert storm["labels"] == {
        "alertname": "CompassStorm",
        "job": "compassd",
        "instance": "web1",
        "severity": "critical",
    }
    assert {name: storm["annotations"][name] for name in ("incidents", "new_hits", "dropped")} == {
        "incidents": "500",
        "new_hits": "5000",
        "dropped": "3",
    }
    routes = {alert["labels"]["route"] for alert in server.alerts("alertname=CompassOverBudget")}
    assert routes == {f"/page/{number}" for number in range(10)}


def test_in_a_digest_the_incident_that_came_later_counts(server: Alertmanager, send: Sender) -> None:
    now, later = make_digest(2).lines
    begun = replace(now, key=make_key(), figures=recent(1))
    over = replace(later, key=make_key(), happening=Happening.CLOSED, figures=recent(9, seconds_ago=2_000))
    send(make_digest(2, lines=(begun, over)))
    (alert,) = server.alerts("alertname=CompassOverBudget")
    assert alert["annotations"]["hits"] == "1"


def test_a_test_is_an_alert(server: Alertmanager, send: Sender) -> None:
    send(TestNotice(server="web1", at=time.time_ns()))
    (alert,) = server.alerts()
    assert (alert["labels"]["alertname"], alert["labels"]["severity"]) == ("CompassTest", "info")


def test_a_single_breach_is_no_alert(server: Alertmanager, send: Sender) -> None:
    with pytest.raises(SendError) as caught:
        send(BreachNotice(breach=make_breach()))
    assert caught.value.permanent
    assert server.alerts() == []


def test_what_clients_send_is_taken_and_stays_in_its_label(server: Alertmanager, send: Sender) -> None:
    for attack in ATTACKS:
        send(make_incident(figures=recent(1), key=make_key(host=attack, route=attack, function=attack)))
    alerts = server.alerts()
    assert len(alerts) == len(ATTACKS)
    assert {alert["labels"]["rule"] for alert in alerts} == {"checkout"}
    assert max(len(value) for alert in alerts for value in alert["labels"].values()) <= 200


def test_a_server_that_asks_for_a_certificate_gets_ours(people: Receiver, tmp_path: Path) -> None:
    theirs, ours = self_signed(tmp_path, "server"), self_signed(tmp_path, "client")
    with Alertmanager(people.webhook_url, certificate=theirs, authority=ours.with_suffix(".crt")) as server:
        ca = theirs.with_suffix(".crt")
        for tls in (ClientTls(ca), ClientTls(ca, ours)):
            destination = AlertmanagerDestination("alerts", server.url, cooldown_ns=COOLDOWN, tls=tls)
            if tls.certificate:
                destination.send(make_message(make_incident(figures=recent(1))), InMemory())
            else:
                with pytest.raises(SendError):
                    destination.send(make_message(make_incident(figures=recent(1))), InMemory())
            destination.close()
        people.wait_for(1)
