"""A stand-in for Redis that knows no key and takes its time to say so: what a page with a cache waits for."""

from __future__ import annotations

import socketserver
import time

from lab.background_server import BackgroundServer


class SlowRedis(BackgroundServer):
    """The server, on 127.0.0.1 and a free port. Use it as a context manager.

    It speaks as much of RESP2 as GET and AUTH need (https://redis.io/docs/latest/develop/reference/protocol-spec/).

    Args:
        delay: How long it thinks about every answer, s.
    """

    def __init__(self, *, delay: float) -> None:
        class Handler(_Handler):
            delay_s = delay

        super().__init__(_Server(("127.0.0.1", 0), Handler))


class _Server(socketserver.ThreadingTCPServer):
    daemon_threads = True


class _Handler(socketserver.StreamRequestHandler):
    delay_s: float

    def handle(self) -> None:
        """Answer every command of a connection, late."""
        while head := self.rfile.readline():
            # An array of strings, each behind a line with its length.
            words = []
            for _ in range(int(head[1:])):
                length = int(self.rfile.readline()[1:])
                words.append(self.rfile.read(length + 2).removesuffix(b"\r\n"))
            time.sleep(self.delay_s)
            self.wfile.write(b"+OK\r\n" if words[0].upper() == b"AUTH" else b"$-1\r\n")
