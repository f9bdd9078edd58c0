"""A local HTTP service that answers late: what the example shop's shipping page waits for."""

from __future__ import annotations

import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from lab.background_server import BackgroundServer


class SlowService(BackgroundServer):
    """The service, on 127.0.0.1 and a free port. Use it as a context manager.

    Args:
        delay: How long it thinks about every answer, s.
    """

    def __init__(self, *, delay: float) -> None:
        class Handler(_Handler):
            delay_s = delay

        super().__init__(ThreadingHTTPServer(("127.0.0.1", 0), Handler))

    @property
    def url(self) -> str:
        """What to ask for."""
        return f"http://127.0.0.1:{self.port}/quote"


class _Handler(BaseHTTPRequestHandler):
    delay_s: float

    def do_GET(self) -> None:
        """Answer, late."""
        time.sleep(self.delay_s)
        body = b"4.90 EUR\n"
        self.send_response(200)
        self.send_header("Content-Type", "text/plain")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        """Log nothing."""
