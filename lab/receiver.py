"""A local HTTP server that plays Slack and a webhook's receiver, and misbehaves on command.

Slack is an incoming webhook (slack_url) and the Web API (api_url), whose messages and errors are in api.
"""

from __future__ import annotations

import contextlib
import json
import socket
import ssl
import struct
import threading
import time
from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass, field
from email.message import Message
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, Self

from lab.errors import LabError
from lab.rate import Rate
from lab.slack_api import API_PATH, SlackApi
from lab.slack_rules import refusal, violations

SLACK_PATH = "/services/T000/B000/XXX"
WEBHOOK_PATH = "/webhook"

_MAX_BODY = 1 << 20
_FIRST_ERROR = 300


@dataclass(frozen=True, slots=True)
class Status:
    """Answer with this status, headers and body instead of the usual ones. A redirect is one of these."""

    code: int
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes = b""


@dataclass(frozen=True, slots=True)
class Hang:
    """Read the request and never answer."""


@dataclass(frozen=True, slots=True)
class Reset:
    """Read the request and reset the connection."""


@dataclass(frozen=True, slots=True)
class SlowBytes:
    """Answer one byte every interval s, for ever: in the body, or already in the head."""

    interval: float = 0.02
    after_head: bool = True


@dataclass(frozen=True, slots=True)
class Cut:
    """Do what is asked, and break off in the middle of the answer.

    Attributes:
        body: The answer's body; whatever it is when the mode is chosen, it becomes what a good server says.
    """

    body: bytes = b""


Mode = Status | Hang | Reset | SlowBytes | Cut


@dataclass(frozen=True, slots=True)
class Received:
    """One request.

    Attributes:
        path: Its path.
        headers: Its headers, names in lower case.
        body: Its body.
        at: When it had arrived, time.monotonic.
        accepted: Whether it was answered as a good server would, with success.
        answer: How it was answered.
    """

    path: str
    headers: Mapping[str, str]
    body: bytes
    at: float
    accepted: bool
    answer: Mode

    @property
    def refused(self) -> bool:
        """Whether it was answered with an error, so that who sent it knows that it was not taken."""
        return isinstance(self.answer, Status) and self.answer.code >= _FIRST_ERROR

    @property
    def json(self) -> dict[str, Any]:
        """The body as a JSON object."""
        document = json.loads(self.body)
        if not isinstance(document, dict):
            raise LabError("the body is no JSON object")
        return document


class Receiver:
    """The server, on 127.0.0.1 and a free port. Use it as a context manager.

    Args:
        slack_rate: Messages a second that Slack takes after a short burst; None: any number.
        certificate: PEM file with a private key and its certificate, to speak TLS.
        authority: PEM file of the authority of clients, who then have to have a certificate.
    """

    def __init__(
        self,
        *,
        slack_rate: float | None = 1.0,
        certificate: Path | None = None,
        authority: Path | None = None,
    ) -> None:
        self._changed = threading.Condition()
        self._received: list[Received] = []
        self._modes: deque[Mode | None] = deque()
        self._violations: list[str] = []
        self._rate = Rate(slack_rate)
        self.api = SlackApi(slack_rate)
        self._closing = threading.Event()
        self._scheme = "https" if certificate else "http"
        self._server = _Server(self, certificate, authority)
        self._thread = threading.Thread(
            target=self._server.serve_forever, kwargs={"poll_interval": 0.02}, name="receiver"
        )

    def __enter__(self) -> Self:
        """Start to listen."""
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        """Stop, and end every connection."""
        self._closing.set()
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    @property
    def origin(self) -> str:
        """Scheme, address and port."""
        return f"{self._scheme}://127.0.0.1:{self._server.server_address[1]}"

    @property
    def slack_url(self) -> str:
        """URL of the incoming webhook."""
        return self.origin + SLACK_PATH

    @property
    def api_url(self) -> str:
        """Where the methods of Slack's Web API are."""
        return self.origin + API_PATH.rstrip("/")

    @property
    def webhook_url(self) -> str:
        """URL of the webhook's receiver."""
        return self.origin + WEBHOOK_PATH

    @property
    def received(self) -> list[Received]:
        """Everything received so far, in order."""
        with self._changed:
            return list(self._received)

    @property
    def violations(self) -> list[str]:
        """Every text sent to Slack in which something could act."""
        with self._changed:
            return list(self._violations)

    def misbehave(self, *modes: Mode | None) -> None:
        """Treat the next requests like this, one mode each; None: as usual."""
        with self._changed:
            self._modes.extend(modes)

    def behave(self) -> None:
        """Treat the next requests as usual, whatever misbehave() was told."""
        with self._changed:
            self._modes.clear()

    def wait_for(self, count: int, timeout: float = 10.0) -> list[Received]:
        """Return everything received as soon as that is at least count requests.

        Raises:
            LabError: It is not that many after timeout s.
        """
        with self._changed:
            if not self._changed.wait_for(lambda: len(self._received) >= count, timeout):
                raise LabError(f"{len(self._received)} requests after {timeout:g} s, not {count}")
            return list(self._received)

    def answer(self, path: str, headers: Message, body: bytes) -> Mode:
        """Record a request and return how to answer it."""
        with self._changed:
            mode = self._modes.popleft() if self._modes else None
            lower = {name.lower(): value for name, value in headers.items()}
            answer, accepted = self._react(mode, path, lower, body)
            self._received.append(Received(path, lower, body, time.monotonic(), accepted, answer))
            self._changed.notify_all()
        return answer

    def pause(self, seconds: float | None) -> bool:
        """Wait so long, None for ever; return whether the server still runs."""
        return not self._closing.wait(seconds)

    def _react(
        self, mode: Mode | None, path: str, headers: Mapping[str, str], body: bytes
    ) -> tuple[Mode, bool]:
        """Return how to answer, and whether that is what a good server does, with success."""
        if mode is not None and not isinstance(mode, Cut):
            return mode, False
        status, accepted = self._judge(path, headers, body)
        return (Cut(status.body), False) if mode else (status, accepted)

    def _judge(self, path: str, headers: Mapping[str, str], body: bytes) -> tuple[Status, bool]:
        """Return what a good server answers, and whether that is success."""
        if path == WEBHOOK_PATH:
            return Status(200, {"Content-Type": "application/json"}, b"{}"), True
        if path.startswith(API_PATH):
            return self._judge_call(path, headers, body)
        if path != SLACK_PATH:
            return Status(404, {}, b"no_service"), False
        if not self._rate.take():
            return Status(429, {"Retry-After": "1"}, b"rate_limited"), False
        if word := refusal(headers.get("content-type", ""), body):
            return Status(400, {}, word.encode()), False
        self._violations += violations(json.loads(body))
        return Status(200, {"Content-Type": "text/html"}, b"ok"), True

    def _judge_call(self, path: str, headers: Mapping[str, str], body: bytes) -> tuple[Status, bool]:
        answer = self.api.answer(path, headers, body)
        if answer.is_ok:
            self._violations += violations(json.loads(body))
        # Not ASCII is six characters there.
        document = json.dumps(answer.document, ensure_ascii=True).encode()
        head = {**answer.headers, "Content-Type": "application/json; charset=utf-8"}
        return Status(answer.code, head, document), answer.is_ok


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    block_on_close = False
    # Many connections at once are part of some tests.
    request_queue_size = 128

    def __init__(self, receiver: Receiver, certificate: Path | None, authority: Path | None) -> None:
        self.receiver = receiver
        self._context = None
        if certificate:
            self._context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            self._context.load_cert_chain(certificate)
            if authority:
                self._context.verify_mode = ssl.CERT_REQUIRED
                self._context.load_verify_locations(authority)
        super().__init__(("127.0.0.1", 0), _Handler)

    def get_request(self) -> tuple[socket.socket, Any]:
        """Accept a connection; the handshake comes with the first read, in the connection's own thread."""
        connection, address = super().get_request()
        if self._context:
            connection = self._context.wrap_socket(
                connection, server_side=True, do_handshake_on_connect=False
            )
        return connection, address

    def handle_error(self, request: object, client_address: object) -> None:
        """Say nothing: clients that go away are part of the tests."""


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    # Keep-alive connections would wait for ever for another request.
    timeout = 30
    # An answer goes out in two pieces, and the second would wait for the client's delayed acknowledgement.
    disable_nagle_algorithm = True
    server: _Server

    def do_POST(self) -> None:
        """Take one request."""
        length = min(int(self.headers.get("Content-Length", "0")), _MAX_BODY)
        body = self.rfile.read(length)
        if len(body) < length:
            # The client was killed while it sent.
            self.close_connection = True
            return
        with contextlib.suppress(OSError):
            self._follow(self.server.receiver.answer(self.path, self.headers, body))

    def log_message(self, *_: object) -> None:
        """Log nothing."""

    def _follow(self, mode: Mode) -> None:
        match mode:
            case Status():
                self.send_response(mode.code)
                for name, value in {**mode.headers, "Content-Length": str(len(mode.body))}.items():
                    self.send_header(name, value)
                self.end_headers()
                self.wfile.write(mode.body)
                return
            case Cut():
                self.wfile.write(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % len(mode.body))
                self.wfile.write(mode.body[: len(mode.body) // 2])
            case Hang():
                self.server.receiver.pause(None)
            case SlowBytes():
                self._trickle(mode)
            case Reset():
                # Lingering for no time makes close() send a reset.
                self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.close_connection = True

    def _trickle(self, mode: SlowBytes) -> None:
        self.wfile.write(b"HTTP/1.1 200 OK\r\n" + (b"\r\n" if mode.after_head else b"X-Slow: "))
        while self.server.receiver.pause(mode.interval):
            self.wfile.write(b".")
