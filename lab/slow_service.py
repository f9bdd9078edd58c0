"""A local HTTP service that answers late: what the example shop's shipping page waits for."""

from __future__ import annotations

import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Self


class SlowService:
    """The service, on 127.0.0.1 and a free port. Use it as a context manager.

    Args:
        delay: How long it thinks about every answer, s.
    """

    def __init__(self, *, delay: float) -> None:
        class Handler(_Handler):
            delay_s = delay

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._thread = threading.Thread(
            target=self._server.serve_forever, kwargs={"poll_interval": 0.05}, name="slow-service"
        )

    def __enter__(self) -> Self:
        """Start to listen."""
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        """Stop, after the answers under way."""
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    @property
    def url(self) -> str:
        """Where it listens."""
        return f"http://127.0.0.1:{self._server.server_address[1]}/quote"


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
