"""An HTTP proxy, as companies have them between their servers and the world."""

from __future__ import annotations

import contextlib
import socket
import socketserver
import threading
from urllib.parse import urlsplit

from lab.background_server import BackgroundServer

_PIECE = 65_536


class Proxy(BackgroundServer):
    """Tunnels what CONNECT asks for, and forwards requests for http:// URLs. Use it as a context manager."""

    def __init__(self) -> None:
        self.asked: list[str] = []
        """Method and target of the first request of each connection."""
        super().__init__(_Server(self))


class _Server(socketserver.ThreadingTCPServer):
    daemon_threads = True
    block_on_close = False

    def __init__(self, proxy: Proxy) -> None:
        self.proxy = proxy
        super().__init__(("127.0.0.1", 0), _Handler)


class _Handler(socketserver.StreamRequestHandler):
    server: _Server
    rbufsize = 0

    def handle(self) -> None:
        """Serve one connection until either side ends it."""
        head = b""
        while not head.endswith(b"\r\n\r\n"):
            byte = self.rfile.read(1)
            if not byte:
                return
            head += byte
        first, rest = head.split(b"\r\n", 1)
        method, target, version = first.decode().split()
        self.server.proxy.asked.append(f"{method} {target}")
        url = urlsplit(f"//{target}" if method == "CONNECT" else target)
        with socket.create_connection((url.hostname or "", url.port or 0)) as upstream:
            if method == "CONNECT":
                self.wfile.write(f"{version} 200 OK\r\n\r\n".encode())
            else:
                upstream.sendall(f"{method} {url.path} {version}\r\n".encode() + rest)
            answers = threading.Thread(target=_copy, args=(upstream, self.connection))
            answers.start()
            _copy(self.connection, upstream)
            answers.join()


def _copy(source: socket.socket, target: socket.socket) -> None:
    with contextlib.suppress(OSError):
        while piece := source.recv(_PIECE):
            target.sendall(piece)
    # So that the other direction ends as well.
    for end in (source, target):
        with contextlib.suppress(OSError):
            end.shutdown(socket.SHUT_RDWR)
