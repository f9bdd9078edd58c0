"""`compassd notify-test`: what arrives, and what is said where nothing does."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from standardwebhooks.webhooks import Webhook

from compassd.__main__ import main
from lab.certificates import self_signed
from lab.journald import Journald
from lab.receiver import Hang, Mode, Receiver, Reset, Status

KEY = "whsec_" + base64.b64encode(b"k" * 24).decode()


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with Receiver() as running:
        yield running


def settings(directory: Path, receiver: Receiver, *, more: str = "") -> str:
    path = directory / "compassd.toml"
    path.write_text(
        f"""
        [destinations.hook]
        type = "webhook"
        url = "{receiver.webhook_url}"
        secret = "{KEY}"
        timeout = "300ms"
        {more}
        """
    )
    return str(path)


def test_a_message_arrives_and_says_that_it_is_a_test(
    receiver: Receiver, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["notify-test", "--config", settings(tmp_path, receiver)]) == 0
    assert capsys.readouterr().out == "hook: ok\n"
    (request,) = receiver.received
    told = Webhook(KEY).verify(request.body, dict(request.headers))
    assert told["type"] == "compass.test"
    assert request.headers["webhook-id"] == f"msg_{told['id']}"


@pytest.mark.parametrize(
    ("mode", "said"),
    [
        (Status(400, {}, b"bad_signature"), "HTTP 400 (bad_signature); it does not want this message: check"),
        (Status(503, {"Retry-After": "120"}), "HTTP 503; it asks to be left alone for 120 s"),
        (Status(500), "HTTP 500; it may pass: try again"),
        (Status(302, {"Location": "/"}), "HTTP 302; it does not want this message"),
        (Hang(), "no complete answer within 0.3 s; it may pass"),
        (Reset(), "connection failed (ConnectionError); it may pass"),
    ],
)
def test_what_failed_is_said_with_what_to_do(
    receiver: Receiver, tmp_path: Path, capsys: pytest.CaptureFixture[str], mode: Mode, said: str
) -> None:
    receiver.misbehave(mode)
    assert main(["notify-test", "--config", settings(tmp_path, receiver)]) == 1
    out = capsys.readouterr().out
    assert out.startswith(f"hook: failed: {said}")
    assert receiver.webhook_url not in out


def test_one_that_fails_keeps_no_other_from_its_turn(
    receiver: Receiver, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    missing = tmp_path / "missing.pem"
    more = f"""
        [destinations.mutual]
        type = "alertmanager"
        url = "https://127.0.0.1:1"
        client_certificate = "{missing}"
        [destinations.out]
        type = "stdout"
        """
    receiver.misbehave(Status(500))
    assert main(["notify-test", "--config", settings(tmp_path, receiver, more=more)]) == 1
    hook, mutual, document, out = capfd.readouterr().out.splitlines()
    assert hook.startswith("hook: failed: HTTP 500")
    assert mutual == (
        f"mutual: failed: client_certificate: {missing} cannot be read: No such file or directory; "
        "it must be a PEM file that compassd's user may read"
    )
    assert json.loads(document)["type"] == "compass.test"
    assert out == "out: ok"


def test_only_those_named_are_tried_and_each_once(
    receiver: Receiver, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    more = '[destinations.other]\ntype = "webhook"\nurl = "http://127.0.0.1:1"'
    config = settings(tmp_path, receiver, more=more)
    assert main(["notify-test", "hook", "hook", "--config", config]) == 0
    assert len(receiver.received) == 1
    assert main(["notify-test", "other", "--config", config]) == 1
    assert capsys.readouterr().out.splitlines()[1].startswith("other: failed: connection failed")


def test_an_unknown_name_is_an_error_before_anything_is_sent(
    receiver: Receiver, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    config = settings(tmp_path, receiver)
    assert main(["notify-test", "hook", "hok", "--config", config]) == 1
    assert capsys.readouterr().err == "compassd: there is no destination hok\n  did you mean hook?\n"
    assert main(["notify-test", "pager", "--config", config]) == 1
    assert "there are hook" in capsys.readouterr().err
    assert receiver.received == []


def test_a_certificate_of_the_settings_is_shown(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    theirs, ours = self_signed(tmp_path, "server"), self_signed(tmp_path, "client")
    with Receiver(certificate=theirs, authority=ours.with_suffix(".crt")) as receiver:
        tls = f'ca = "{theirs.with_suffix(".crt")}"\nclient_certificate = "{ours.with_suffix(".crt")}"'
        key = f'client_key = "{ours.with_suffix(".key")}"'
        config = settings(tmp_path, receiver, more=f"{tls}\n{key}")
        assert main(["notify-test", "--config", config]) == 0
        assert capsys.readouterr().out == "hook: ok\n"
        assert len(receiver.received) == 1


@pytest.mark.ebpf  # not for eBPF's sake: journald needs root as well
def test_the_journal_gets_a_harmless_entry(tmp_path: Path) -> None:
    config = tmp_path / "compassd.toml"
    config.write_text('[destinations.journal]\ntype = "journald"\n')
    with Journald() as journald:
        said = journald.python(
            "from compassd.__main__ import main\n"
            f"assert main(['notify-test', '--config', {str(config)!r}]) == 0"
        )
        (entry,) = journald.entries("SYSLOG_IDENTIFIER=compassd")
    assert said == "journal: ok\n"
    assert (entry["MESSAGE"], entry["PRIORITY"]) == ("Compass can reach you: this is a test", "6")
    assert "COMPASS_RULE" not in entry
