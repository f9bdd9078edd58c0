"""A FastCGI client: what a web server does to reach PHP-FPM, without a web server.

One connection per request over a unix socket. It holds no state, so any number of threads may call it.
"""

from __future__ import annotations

import json
import select
import socket as sockets
import struct
import time
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from lab.errors import LabError

Value = str | bytes

_HEADER = struct.Struct("!BBHHBx")  # version, type, request id, content length, padding length
_VERSION = 1
_REQUEST_ID = 1
_BEGIN_REQUEST, _END_REQUEST, _PARAMS, _STDIN, _STDOUT, _STDERR = 1, 3, 4, 5, 6, 7
_RESPONDER = 1
_MAX_CONTENT = 0xFFFF
_MAX_SHORT_LENGTH = 0x7F
_MAX_RESPONSE = 64 << 20
_CHUNK = 64 << 10


class FastCGIError(LabError):
    """The server did not answer, or not as the protocol wants."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Response:
    """What PHP answered.

    Attributes:
        status: HTTP status code, 200 if the script named none.
        headers: By lower-case name; several of one name are joined with a comma.
        body: The body.
        stderr: What PHP logged for this request.
        started_ns: CLOCK_MONOTONIC before connecting, ns.
        ended_ns: CLOCK_MONOTONIC after the last byte, ns.
    """

    status: int
    headers: Mapping[str, str]
    body: bytes
    stderr: bytes
    started_ns: int
    ended_ns: int

    @property
    def duration_ns(self) -> int:
        """How long the request took as seen from here, ns."""
        return self.ended_ns - self.started_ns

    def json(self) -> Any:  # noqa: ANN401 - whatever the script encoded
        """Return the decoded body; an undecodable one is an error that shows it."""
        try:
            return json.loads(self.body)
        except ValueError as error:
            shown = (self.body[:500] + b" " + self.stderr[:500]).decode(errors="replace")
            raise FastCGIError(f"status {self.status}, not JSON: {shown}") from error


@dataclass(frozen=True, slots=True, kw_only=True)
class Call:
    """One request to send.

    Attributes:
        script: Path of the PHP file.
        uri: REQUEST_URI, path and query string; None sends none.
        method: HTTP method.
        headers: Request headers by their HTTP names.
        query: QUERY_STRING; by default what follows the question mark of uri.
        body: Request body.
        params: More FastCGI parameters; they win over the ones made from the rest, and None removes one.
    """

    script: Path
    uri: Value | None = "/"
    method: str = "GET"
    headers: Mapping[str, Value] = field(default_factory=dict)
    query: Value | None = None
    body: bytes = b""
    params: Mapping[str, Value | None] = field(default_factory=dict)

    def parameters(self) -> dict[str, Value]:
        """Return what nginx's fastcgi_params would send for this call."""
        made: dict[str, Value | None] = {
            "GATEWAY_INTERFACE": "CGI/1.1",
            "SERVER_SOFTWARE": "compass-lab",
            "SERVER_PROTOCOL": "HTTP/1.1",
            "SERVER_NAME": "shop.example",
            "SERVER_PORT": "80",
            "REMOTE_ADDR": "127.0.0.1",
            "REQUEST_METHOD": self.method,
            "REQUEST_URI": self.uri,
            "QUERY_STRING": self._query(),
            "DOCUMENT_ROOT": str(self.script.parent),
            "SCRIPT_FILENAME": str(self.script),
            "SCRIPT_NAME": f"/{self.script.name}",
            "CONTENT_LENGTH": str(len(self.body)) if self.body else "",
            "CONTENT_TYPE": "",
        }
        for name, value in self.headers.items():
            upper = name.upper().replace("-", "_")
            made[upper if upper == "CONTENT_TYPE" else f"HTTP_{upper}"] = value
        made.update(self.params)
        return {name: value for name, value in made.items() if value is not None}

    def _query(self) -> Value:
        if self.query is not None:
            return self.query
        if isinstance(self.uri, bytes):
            return self.uri.partition(b"?")[2]
        return (self.uri or "").partition("?")[2]


def send(socket: Path, call: Call, *, timeout: float = 30.0) -> Response:
    """Send one call to the server that listens on socket and return its answer within timeout seconds."""
    started = time.monotonic_ns()
    try:
        stdout, stderr = _exchange(socket, encode(call), time.monotonic() + timeout)
    except TimeoutError as error:
        raise FastCGIError(f"no answer to {call.method} {call.uri!r} within {timeout:g} s") from error
    except OSError as error:
        raise FastCGIError(f"{call.method} {call.uri!r} through {socket}: {error}") from error
    status, headers, body = _split(stdout)
    return Response(
        status=status,
        headers=headers,
        body=body,
        stderr=stderr,
        started_ns=started,
        ended_ns=time.monotonic_ns(),
    )


def drive_all(
    socket: Path, calls: Sequence[Call], *, concurrency: int = 1, timeout: float = 30.0
) -> list[Response | FastCGIError]:
    """Send all calls, at most concurrency at a time; return each one's answer or failure, in their order."""

    def attempt(call: Call) -> Response | FastCGIError:
        try:
            return send(socket, call, timeout=timeout)
        except FastCGIError as error:
            return error

    with ThreadPoolExecutor(max_workers=concurrency) as pool:
        return list(pool.map(attempt, calls))


def drive(
    socket: Path, calls: Sequence[Call], *, concurrency: int = 1, timeout: float = 30.0
) -> list[Response]:
    """Like drive_all, but the first failure is raised once every call has ended."""
    responses = []
    for outcome in drive_all(socket, calls, concurrency=concurrency, timeout=timeout):
        if isinstance(outcome, FastCGIError):
            raise outcome
        responses.append(outcome)
    return responses


def encode(call: Call) -> bytes:
    """Return the whole FastCGI request, which asks for the connection to be closed behind the answer."""
    message = bytearray(_record(_BEGIN_REQUEST, struct.pack("!HB5x", _RESPONDER, 0)))
    for content in _packed(call.parameters()):
        message += _record(_PARAMS, content)
    message += _record(_PARAMS, b"")
    for offset in range(0, len(call.body), _MAX_CONTENT):
        message += _record(_STDIN, call.body[offset : offset + _MAX_CONTENT])
    message += _record(_STDIN, b"")
    return bytes(message)


def _record(kind: int, content: bytes) -> bytes:
    return _HEADER.pack(_VERSION, kind, _REQUEST_ID, len(content), 0) + content


def _packed(parameters: Mapping[str, Value]) -> Iterator[bytes]:
    """Yield the contents of the PARAMS records.

    PHP parses every record on its own, so a pair must not begin in one record and end in the next. One that
    is longer than a record has to be cut, as the protocol allows; PHP then refuses the request.
    """
    content = b""
    for name, value in parameters.items():
        pair = _pair(_bytes(name), _bytes(value))
        if content and len(content) + len(pair) > _MAX_CONTENT:
            yield content
            content = b""
        content += pair
        while len(content) > _MAX_CONTENT:
            yield content[:_MAX_CONTENT]
            content = content[_MAX_CONTENT:]
    if content:
        yield content


def _pair(name: bytes, value: bytes) -> bytes:
    return _length(len(name)) + _length(len(value)) + name + value


def _length(length: int) -> bytes:
    return bytes([length]) if length <= _MAX_SHORT_LENGTH else struct.pack("!I", length | 1 << 31)


def _bytes(value: Value) -> bytes:
    return value if isinstance(value, bytes) else value.encode()


def _exchange(path: Path, message: bytes, deadline: float) -> tuple[bytes, bytes]:
    """Send message and read the answer, both at once: either side's buffer may fill before it has read."""
    reader = _Reader()
    with sockets.socket(sockets.AF_UNIX, sockets.SOCK_STREAM) as connection:
        connection.settimeout(_remaining(deadline))
        connection.connect(str(path))
        connection.setblocking(False)  # noqa: FBT003 - positional only
        poll = select.poll()
        poll.register(connection, select.POLLIN | select.POLLOUT)
        rest = memoryview(message)
        while not reader.ended:
            events = dict(poll.poll(_remaining(deadline) * 1000)).get(connection.fileno(), 0)
            if events & (select.POLLIN | select.POLLHUP | select.POLLERR):
                reader.feed(connection.recv(_CHUNK))
            elif rest and events & select.POLLOUT:
                rest = rest[connection.send(rest[:_CHUNK]) :]
                if not rest:
                    poll.modify(connection, select.POLLIN)
    return bytes(reader.streams[_STDOUT]), bytes(reader.streams[_STDERR])


def _remaining(deadline: float) -> float:
    remaining = deadline - time.monotonic()
    if remaining <= 0:
        raise TimeoutError
    return remaining


class _Reader:
    """Takes a FastCGI answer apart, whatever the pieces in which it comes."""

    def __init__(self) -> None:
        self.streams = {_STDOUT: bytearray(), _STDERR: bytearray()}
        self.ended = False
        self._pending = bytearray()

    def feed(self, data: bytes) -> None:
        if not data:
            raise FastCGIError("the server closed the connection in the middle of the answer")
        self._pending += data
        while not self.ended and len(self._pending) >= _HEADER.size:
            _, kind, _, length, padding = _HEADER.unpack_from(self._pending)
            end = _HEADER.size + length
            if len(self._pending) < end + padding:
                return
            self._take(kind, self._pending[_HEADER.size : end])
            del self._pending[: end + padding]

    def _take(self, kind: int, content: bytearray) -> None:
        if kind == _END_REQUEST:
            protocol_status = content[4]
            if protocol_status:
                raise FastCGIError(f"the server refused the request, FastCGI status {protocol_status}")
            self.ended = True
        elif kind in self.streams:
            self.streams[kind] += content
            if len(self.streams[kind]) > _MAX_RESPONSE:
                raise FastCGIError(f"the answer is longer than {_MAX_RESPONSE} bytes")


def _split(stdout: bytes) -> tuple[int, dict[str, str], bytes]:
    head, separator, body = stdout.partition(b"\r\n\r\n")
    if not separator:
        raise FastCGIError(f"the answer has no end of its headers: {stdout[:200]!r}")
    headers: dict[str, str] = {}
    for line in head.decode(errors="replace").splitlines():
        name, _, value = (part.strip() for part in line.partition(":"))
        key = name.lower()
        headers[key] = f"{headers[key]}, {value}" if key in headers else value
    try:
        return int(headers.get("status", "200").split()[0]), headers, body
    except (ValueError, IndexError) as error:
        raise FastCGIError(f"not a status: {headers['status']!r}") from error
