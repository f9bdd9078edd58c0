"""HTTPS: what is trusted, and that the bound on time holds during the handshake as well."""

from __future__ import annotations

import socket
import subprocess
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from compassd.destinations.base import SendError
from compassd.destinations.webhook import WebhookDestination
from lab.breaches import make_breach
from lab.receiver import Receiver, SlowBytes, Status

SHORT = 0.5


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("tls") / "both.pem"
    subprocess.run(
        [
            *("openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes"),
            *("-days", "2", "-subj", "/CN=receiver", "-addext", "subjectAltName=IP:127.0.0.1"),
            *("-keyout", path, "-out", path.with_suffix(".crt")),
        ],
        check=True,
        capture_output=True,
    )
    path.write_text(path.read_text() + path.with_suffix(".crt").read_text())
    return path


@pytest.fixture
def receiver(certificate: Path) -> Iterator[Receiver]:
    with Receiver(certificate=certificate) as running:
        yield running


@pytest.fixture
def _trusted(certificate: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(certificate.with_suffix(".crt")))


@pytest.mark.usefixtures("_trusted")
def test_a_trusted_server_gets_it(receiver: Receiver) -> None:
    hook = WebhookDestination("ops", receiver.webhook_url)
    for _ in range(2):
        hook.send(make_breach())
    hook.close()
    assert len(receiver.received) == 2


def test_an_untrusted_server_gets_nothing(receiver: Receiver) -> None:
    hook = WebhookDestination("ops", receiver.webhook_url)
    with pytest.raises(SendError, match="TLS failed") as caught:
        hook.send(make_breach())
    hook.close()
    assert not caught.value.permanent
    assert receiver.received == []


@pytest.mark.usefixtures("_trusted")
def test_slow_bytes_are_bounded(receiver: Receiver) -> None:
    receiver.misbehave(Status(200), SlowBytes(after_head=False))
    hook = WebhookDestination("ops", receiver.webhook_url, timeout=SHORT)
    hook.send(make_breach())
    begun = time.monotonic()
    with pytest.raises(SendError, match="no complete answer"):
        hook.send(make_breach())
    assert time.monotonic() - begun < 10.0
    hook.send(make_breach())
    hook.close()


def test_a_slow_handshake_is_bounded() -> None:
    ended = threading.Event()

    def trickle(listener: socket.socket) -> None:
        connection, _ = listener.accept()
        with connection:
            # The head of a TLS record that announces 16 KiB, and then a byte of them now and then.
            connection.sendall(b"\x16\x03\x03\x40\x00")
            while not ended.wait(0.02):
                try:
                    connection.sendall(b"\x02")
                except OSError:
                    return

    with socket.create_server(("127.0.0.1", 0)) as listener:
        thread = threading.Thread(target=trickle, args=(listener,))
        thread.start()
        hook = WebhookDestination("ops", f"https://127.0.0.1:{listener.getsockname()[1]}/", timeout=SHORT)
        begun = time.monotonic()
        with pytest.raises(SendError, match="no complete answer"):
            hook.send(make_breach())
        assert time.monotonic() - begun < 10.0
        hook.close()
        ended.set()
        thread.join()
