"""HTTPS: what is trusted, and that the bound on time holds during the handshake as well."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from pydantic import SecretStr

from compassd.destinations.base import SendError
from compassd.destinations.tls import ClientTls
from compassd.destinations.webhook import WebhookDestination
from compassd.doctor.configuration import destination_checks
from compassd.doctor.finding import Finding, Verdict
from compassd.errors import ConfigurationError
from compassd.settings import Settings
from compassd.settings_destinations import WebhookSettings
from lab.certificates import encrypted, self_signed
from lab.memory import InMemory
from lab.notices import make_incident, make_message
from lab.proxy import Proxy
from lab.receiver import Receiver, SlowBytes, Status

SHORT = 0.5
MESSAGE = make_message(make_incident())


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return self_signed(tmp_path_factory.mktemp("tls"), "receiver")


@pytest.fixture(scope="module")
def ours(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return self_signed(tmp_path_factory.mktemp("ours"), "compassd")


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
        hook.send(MESSAGE, InMemory())
    hook.close()
    assert len(receiver.received) == 2


def test_an_untrusted_server_gets_nothing(receiver: Receiver) -> None:
    hook = WebhookDestination("ops", receiver.webhook_url)
    with pytest.raises(SendError, match="TLS failed") as caught:
        hook.send(MESSAGE, InMemory())
    hook.close()
    assert not caught.value.permanent
    assert receiver.received == []


@pytest.mark.usefixtures("_trusted")
def test_slow_bytes_are_bounded(receiver: Receiver) -> None:
    receiver.misbehave(Status(200), SlowBytes(after_head=False))
    hook = WebhookDestination("ops", receiver.webhook_url, timeout=SHORT)
    hook.send(MESSAGE, InMemory())
    begun = time.monotonic()
    with pytest.raises(SendError, match="no complete answer"):
        hook.send(MESSAGE, InMemory())
    assert time.monotonic() - begun < 10.0
    hook.send(MESSAGE, InMemory())
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
            hook.send(MESSAGE, InMemory())
        assert time.monotonic() - begun < 10.0
        hook.close()
        ended.set()
        thread.join()


def test_an_authority_of_our_own_is_trusted_and_no_other_then(certificate: Path, ours: Path) -> None:
    with Receiver(certificate=certificate) as receiver:
        for path, trusted in ((certificate, True), (ours, False)):
            tls = ClientTls(ca=path.with_suffix(".crt"))
            hook = WebhookDestination("ops", receiver.webhook_url, tls=tls)
            if trusted:
                hook.send(MESSAGE, InMemory())
            else:
                with pytest.raises(SendError, match="TLS failed"):
                    hook.send(MESSAGE, InMemory())
            hook.close()
        assert len(receiver.received) == 1


@pytest.mark.parametrize("together", [True, False])
def test_a_server_that_asks_for_a_certificate_gets_ours(
    certificate: Path, ours: Path, *, together: bool
) -> None:
    ca = certificate.with_suffix(".crt")
    pair = (ours, None) if together else (ours.with_suffix(".crt"), ours.with_suffix(".key"))
    with Receiver(certificate=certificate, authority=ours.with_suffix(".crt")) as receiver:
        hook = WebhookDestination("ops", receiver.webhook_url, tls=ClientTls(ca, *pair))
        hook.send(MESSAGE, InMemory())
        hook.close()
        assert [request.accepted for request in receiver.received] == [True]


def test_without_the_right_certificate_nothing_is_sent(certificate: Path, ours: Path) -> None:
    ca = certificate.with_suffix(".crt")
    with Receiver(certificate=certificate, authority=ours.with_suffix(".crt")) as receiver:
        for tls in (ClientTls(ca), ClientTls(ca, certificate)):
            hook = WebhookDestination("ops", receiver.webhook_url, tls=tls)
            with pytest.raises(SendError) as caught:
                hook.send(MESSAGE, InMemory())
            hook.close()
            assert not caught.value.permanent
            assert "127.0.0.1" not in str(caught.value)
        assert receiver.received == []


def test_a_renewed_certificate_needs_no_restart(certificate: Path, ours: Path, tmp_path: Path) -> None:
    mine = tmp_path / "mine.pem"
    mine.write_text(self_signed(tmp_path, "expired").read_text())
    with Receiver(certificate=certificate, authority=ours.with_suffix(".crt")) as receiver:
        tls = ClientTls(certificate.with_suffix(".crt"), mine)
        hook = WebhookDestination("ops", receiver.webhook_url, tls=tls)
        with pytest.raises(SendError):
            hook.send(MESSAGE, InMemory())
        mine.write_text(ours.read_text())
        hook.send(MESSAGE, InMemory())
        hook.close()


def test_unusable_files_are_told_by_setting_and_path(certificate: Path, ours: Path, tmp_path: Path) -> None:
    junk, missing = tmp_path / "junk", tmp_path / "missing"
    junk.write_text("no PEM\n")
    crt, key = ours.with_suffix(".crt"), ours.with_suffix(".key")
    expected = {
        ClientTls(ca=missing): f"ca: {missing} cannot be read: No such file or directory",
        ClientTls(ca=junk): f"ca: {junk} holds no certificate in PEM",
        ClientTls(ca=tmp_path): f"ca: {tmp_path} cannot be read: Is a directory",
        ClientTls(None, missing): f"client_certificate: {missing} cannot be read: No such file or directory",
        ClientTls(None, crt, missing): f"client_key: {missing} cannot be read: No such file or directory",
        ClientTls(None, crt): "client_certificate and client_key hold no certificate and private key in PEM",
        ClientTls(
            None, crt, junk
        ): "client_certificate and client_key hold no certificate and private key in PEM",
        ClientTls(None, crt, certificate): "client_key is not the key of client_certificate",
        ClientTls(
            None, crt, encrypted(key)
        ): "client_key has a password, which nobody could type in a service",
    }
    for tls, problem in expected.items():
        with pytest.raises(ConfigurationError) as caught:
            WebhookDestination("ops", "https://127.0.0.1:1/", tls=tls)
        assert str(caught.value) == f"destination ops: {problem}"


@pytest.mark.usefixtures("_trusted")
def test_a_proxy_of_the_environment_tunnels_https(
    receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    with Proxy() as proxy:
        monkeypatch.setenv("HTTPS_PROXY", f"http://127.0.0.1:{proxy.port}")
        hook = WebhookDestination("ops", receiver.webhook_url)
        for _ in range(2):
            hook.send(MESSAGE, InMemory())
        hook.close()
        assert proxy.asked == [f"CONNECT {receiver.origin.removeprefix('https://')}"]
    assert len(receiver.received) == 2


def test_a_certificate_of_ours_goes_through_a_proxy(
    certificate: Path, ours: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with (
        Receiver(certificate=certificate, authority=ours.with_suffix(".crt")) as receiver,
        Proxy() as proxy,
    ):
        monkeypatch.setenv("HTTPS_PROXY", f"http://127.0.0.1:{proxy.port}")
        tls = ClientTls(certificate.with_suffix(".crt"), ours)
        hook = WebhookDestination("ops", receiver.webhook_url, tls=tls)
        hook.send(MESSAGE, InMemory())
        hook.close()
        assert (len(proxy.asked), len(receiver.received)) == (1, 1)


def test_a_proxy_of_the_environment_forwards_http(monkeypatch: pytest.MonkeyPatch) -> None:
    with Receiver() as receiver, Proxy() as proxy:
        monkeypatch.setenv("HTTP_PROXY", f"http://127.0.0.1:{proxy.port}")
        monkeypatch.setenv("http_proxy", f"http://127.0.0.1:{proxy.port}")
        hook = WebhookDestination("ops", receiver.webhook_url)
        hook.send(MESSAGE, InMemory())
        monkeypatch.setenv("NO_PROXY", "127.0.0.1")
        hook.send(MESSAGE, InMemory())
        hook.close()
        assert proxy.asked == [f"POST {receiver.webhook_url}"]
        assert len(receiver.received) == 2


def test_a_proxy_that_is_away_is_told(receiver: Receiver, monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    monkeypatch.setenv("HTTPS_PROXY", f"http://127.0.0.1:{port}")
    hook = WebhookDestination("ops", receiver.webhook_url)
    with pytest.raises(SendError, match="the proxy refused") as caught:
        hook.send(MESSAGE, InMemory())
    hook.close()
    assert not caught.value.permanent


def test_the_doctor_uses_the_same_certificates(certificate: Path, ours: Path) -> None:
    ca = certificate.with_suffix(".crt")

    def found(url: str, **tls: Path) -> list[Finding]:
        hook = WebhookSettings(type="webhook", url=SecretStr(url), **tls)
        (check,) = destination_checks(Settings(destinations={"hook": hook}))
        return list(check())

    with Receiver(certificate=certificate, authority=ours.with_suffix(".crt")) as receiver:
        (well,) = found(receiver.webhook_url, ca=ca, client_certificate=ours)
        assert well.verdict is Verdict.OK
        (untrusted,) = found(receiver.webhook_url, client_certificate=ours)
        assert untrusted.verdict is Verdict.FAIL
        (keyless,) = found(receiver.webhook_url, ca=ca, client_certificate=ours.with_suffix(".crt"))
        assert (keyless.verdict, keyless.subject) == (Verdict.FAIL, "settings")
        assert "hold no certificate and private key in PEM" in keyless.detail
