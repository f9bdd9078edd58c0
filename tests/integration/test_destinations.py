"""Slack and webhook destinations against a real server that misbehaves."""

from __future__ import annotations

import base64
import json
import socket
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from typing import Any

import pytest
from standardwebhooks.webhooks import Webhook, WebhookVerificationError

from compassd.delivery import Delivery
from compassd.destinations.base import Destination, SendError
from compassd.destinations.slack import SlackDestination
from compassd.destinations.webhook import WebhookDestination
from compassd.incident_document import message_document
from compassd.message import document
from compassd.notice import BreachNotice, Notice, TestNotice
from compassd.outgoing import Backoff, Counters
from lab.breaches import make_breach
from lab.each_breach import EachBreach
from lab.hostile import ATTACKS
from lab.memory import InMemory
from lab.notices import BEGAN, make_digest, make_incident, make_message
from lab.processes import wait_until
from lab.receiver import Hang, Mode, Receiver, Reset, SlowBytes, Status

OLD, NEW = b"o" * 24, b"n" * 32
SHORT = 0.3
PATIENT = 20.0

Make = Callable[..., Destination]


def webhook(url: str, name: str = "ops", **settings: Any) -> EachBreach:  # noqa: ANN401 - of a webhook
    return EachBreach(WebhookDestination(name, url, **settings))


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with Receiver(slack_rate=None) as running:
        yield running


@pytest.fixture(params=["slack", "webhook"])
def make(request: pytest.FixtureRequest, receiver: Receiver) -> Iterator[Make]:
    made: list[Destination] = []

    def create(timeout: float = PATIENT) -> Destination:
        if request.param == "slack":
            made.append(EachBreach(SlackDestination("ops", receiver.slack_url, timeout=timeout)))
        else:
            made.append(webhook(receiver.webhook_url, timeout=timeout))
        return made[-1]

    yield create
    for destination in made:
        destination.close()


def failure(destination: Destination) -> SendError:
    with pytest.raises(SendError) as caught:
        destination.send(make_breach())
    error = caught.value
    assert str(error).startswith("destination ops: ")
    for told in (str(error), repr(error.__cause__)):
        assert "127.0.0.1" not in told
        assert "T000" not in told
    assert error.__suppress_context__ or error.__context__ is None
    return error


def test_both_deliver_over_one_kept_connection(make: Make, receiver: Receiver) -> None:
    destination = make()
    for _ in range(3):
        destination.send(make_breach())
    assert [request.accepted for request in receiver.received] == [True] * 3


@pytest.mark.parametrize("status", [301, 302, 307, 400, 401, 403, 404, 410, 413])
def test_refusals_are_permanent_and_redirects_not_followed(
    make: Make, receiver: Receiver, status: int
) -> None:
    receiver.misbehave(Status(status, {"Location": receiver.origin + "/elsewhere"}, b"no_service"))
    error = failure(make())
    assert error.permanent
    assert f"HTTP {status} (no_service)" in str(error)
    assert len(receiver.received) == 1


@pytest.mark.parametrize("status", [408, 425, 429, 500, 502, 503, 504])
def test_what_may_pass_can_be_retried(make: Make, receiver: Receiver, status: int) -> None:
    receiver.misbehave(Status(status, {"Retry-After": "7"}, b"<html>what was sent</html>"))
    error = failure(make())
    assert not error.permanent
    assert error.retry_after == 7.0
    assert "sent" not in str(error)


def test_retry_after_can_be_a_date(make: Make, receiver: Receiver) -> None:
    date = format_datetime(datetime.now(UTC) + timedelta(seconds=120), usegmt=True)
    receiver.misbehave(Status(429, {"Retry-After": date}))
    retry_after = failure(make()).retry_after
    assert retry_after is not None
    assert 60.0 < retry_after <= 120.0


@pytest.mark.parametrize("mode", [Hang(), SlowBytes(after_head=False)])
def test_a_server_without_an_answer_is_left_in_time(make: Make, receiver: Receiver, mode: Mode) -> None:
    receiver.misbehave(mode)
    destination = make(timeout=SHORT)
    begun = time.monotonic()
    error = failure(destination)
    assert time.monotonic() - begun < PATIENT / 2
    assert "no complete answer within 0.3 s" in str(error)
    assert not error.permanent
    destination.send(make_breach())


def test_a_reset_can_be_retried(make: Make, receiver: Receiver) -> None:
    receiver.misbehave(Reset())
    destination = make()
    assert not failure(destination).permanent
    destination.send(make_breach())


def test_a_closed_port_can_be_retried() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    hook = webhook(f"http://127.0.0.1:{port}/")
    error = failure(hook)
    hook.close()
    assert not error.permanent
    assert (error.uncertain, error.unreached) == (False, True)
    assert str(error) == "destination ops: connection failed (ConnectionError)"


@pytest.mark.parametrize("mode", [Hang(), Reset(), Status(502), Status(504), SlowBytes(after_head=False)])
def test_without_a_clear_answer_a_message_may_have_arrived(
    make: Make, receiver: Receiver, mode: Mode
) -> None:
    receiver.misbehave(mode)
    error = failure(make(timeout=SHORT))
    assert (error.uncertain, error.unreached) == (True, False)


@pytest.mark.parametrize("status", [302, 404, 429, 500, 503])
def test_what_was_refused_has_not_arrived(make: Make, receiver: Receiver, status: int) -> None:
    receiver.misbehave(Status(status))
    error = failure(make())
    assert (error.uncertain, error.unreached) == (False, False)


def test_a_slow_body_after_success_is_success_for_a_webhook(receiver: Receiver) -> None:
    receiver.misbehave(SlowBytes(), SlowBytes())
    hook = webhook(receiver.webhook_url, timeout=SHORT)
    slack = EachBreach(SlackDestination("ops", receiver.slack_url, timeout=SHORT))
    begun = time.monotonic()
    hook.send(make_breach())
    assert not failure(slack).permanent
    assert time.monotonic() - begun < PATIENT / 2
    hook.close()
    slack.close()


@pytest.mark.parametrize("body", [b"", b"okay", b'{"ok":true}', b"ok" + b" " * 20_000 + b"x"])
def test_slack_must_say_ok(receiver: Receiver, body: bytes) -> None:
    receiver.misbehave(Status(200, {}, body))
    slack = EachBreach(SlackDestination("ops", receiver.slack_url))
    assert not failure(slack).permanent
    slack.close()


@pytest.mark.parametrize("attack", ATTACKS)
def test_slack_takes_every_attack_and_none_acts(receiver: Receiver, attack: str) -> None:
    everywhere: dict[str, Any] = dict.fromkeys(("id", "host", "uri", "script", "pool", "transaction"), attack)
    slack = EachBreach(SlackDestination("ops", receiver.slack_url))
    slack.send(make_breach(rule=attack, tags={attack: attack}, **everywhere))
    slack.close()
    assert receiver.received[0].accepted
    assert receiver.violations == []


def test_a_webhook_is_signed_with_every_key_and_keeps_its_id(receiver: Receiver) -> None:
    hook = webhook(
        receiver.webhook_url, keys=[OLD, NEW], headers={"Authorization": "Bearer x", "X-Team": "shop"}
    )
    receiver.misbehave(Status(500))
    breach = make_breach(uri="/für/<b>")
    with pytest.raises(SendError):
        hook.send(breach)
    hook.send(breach)
    hook.close()
    first, second = receiver.received
    assert first.headers["webhook-id"] == second.headers["webhook-id"] == f"msg_{breach.id}"
    assert second.headers["content-type"] == "application/json"
    assert (second.headers["authorization"], second.headers["x-team"]) == ("Bearer x", "shop")
    for key in (OLD, NEW):
        verifier = Webhook("whsec_" + base64.b64encode(key).decode())
        assert verifier.verify(second.body, dict(second.headers)) == document(breach)
    with pytest.raises(WebhookVerificationError):
        Webhook("whsec_" + base64.b64encode(b"x" * 24).decode()).verify(second.body, dict(second.headers))


@pytest.mark.parametrize(
    "notice",
    [make_incident(), make_digest(), BreachNotice(breach=make_breach()), TestNotice(server="web1", at=BEGAN)],
)
def test_a_webhook_signs_each_kind_of_message_and_keeps_its_id(receiver: Receiver, notice: Notice) -> None:
    message, memory = make_message(notice), InMemory()
    hook = WebhookDestination("ops", receiver.webhook_url, keys=[NEW])
    receiver.misbehave(Status(503), Reset())
    for _ in range(2):
        with pytest.raises(SendError):
            hook.send(message, memory)
    hook.send(message, memory)
    hook.close()
    verifier = Webhook("whsec_" + base64.b64encode(NEW).decode())
    for request in receiver.received:
        assert request.headers["webhook-id"] == f"msg_{message.id}"
        assert verifier.verify(request.body, dict(request.headers)) == message_document(message)
    assert len(receiver.received) == 3
    assert memory.kept == {}


def test_a_webhook_without_keys_has_no_signature(receiver: Receiver) -> None:
    hook = webhook(receiver.webhook_url)
    hook.send(make_breach())
    hook.close()
    assert "webhook-signature" not in receiver.received[0].headers


def test_a_netrc_does_not_replace_the_authorization(
    receiver: Receiver, monkeypatch: pytest.MonkeyPatch, tmp_path_factory: pytest.TempPathFactory
) -> None:
    netrc = tmp_path_factory.mktemp("home") / "netrc"
    netrc.write_text("machine 127.0.0.1 login a password b\n")
    netrc.chmod(0o600)
    monkeypatch.setenv("NETRC", str(netrc))
    hook = webhook(receiver.webhook_url, headers={"Authorization": "Bearer x"})
    hook.send(make_breach())
    hook.close()
    assert receiver.received[0].headers["authorization"] == "Bearer x"


def test_a_dead_destination_delays_neither_another_nor_the_reader(receiver: Receiver) -> None:
    receiver.misbehave(*[Hang()] * 5)
    dead = webhook(receiver.webhook_url, "dead", timeout=1.0)
    with Receiver() as healthy:
        alive = webhook(healthy.webhook_url, "alive")
        delivery = Delivery([dead, alive], queue_size=100)
        begun = time.monotonic()
        for number in range(500):
            delivery.accept(make_breach(pid=number + 1, destinations=("dead",)))
        accepted_in = time.monotonic() - begun
        for number in range(50):
            delivery.accept(make_breach(pid=number + 1, destinations=("alive",)))
        healthy.wait_for(50)
        assert accepted_in < 5.0
        assert delivery.stats()["dead"] == Counters(queued=100, overflowed=400)
        wait_until(lambda: delivery.stats()["alive"].sent == 50, timeout=10.0, what="the counter")
        delivery.close()


def test_rate_limited_slack_gets_everything_in_the_end() -> None:
    with Receiver() as receiver:
        slack = EachBreach(SlackDestination("ops", receiver.slack_url))
        slack.min_interval = 0.0
        delivery = Delivery([slack], queue_size=100, backoff=Backoff(base_s=0.001, cap_s=0.002, attempts=5))
        for number in range(7):
            delivery.accept(make_breach(pid=number + 1))
        assert delivery.drain(60.0) == 0
        assert delivery.stats()["ops"] == Counters(sent=7)
        refused = [request for request in receiver.received if not request.accepted]
        assert refused
        delivery.close()


def test_query_strings_leave_only_if_wanted(receiver: Receiver) -> None:
    for wanted in (False, True):
        hook = webhook(receiver.webhook_url)
        delivery = Delivery([hook], queue_size=1, query_strings=wanted)
        delivery.accept(make_breach(uri="/a?token=1"))
        assert delivery.drain(20.0) == 0
        delivery.close()
    without, with_query = (json.dumps(request.json) for request in receiver.received)
    assert "token" not in without
    assert "token" in with_query
