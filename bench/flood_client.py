"""Ask a PHP-FPM so many times a second, evenly: python -m bench.flood_client SOCKET SCRIPT RATE SECONDS.

A process of its own, so that the benchmark's receivers do not slow it down. It prints how many requests were
answered, and how many were not, as JSON.
"""

from __future__ import annotations

import json
import socket
import sys
import time
from collections.abc import Iterable
from pathlib import Path

from lab.fastcgi import Call, encode

_TIMEOUT_S = 10.0
_PIECE = 65_536


def drive(path: str, requests: Iterable[tuple[float, bytes]]) -> dict[str, float]:
    """Send requests one after the other; one that is late is sent at once, so that the mean rate holds.

    Args:
        path: The server's socket.
        requests: When to send each, s after the beginning, and a whole FastCGI request.
    """
    answered = failed = 0
    started = time.monotonic()
    for at, message in requests:
        time.sleep(max(0.0, started + at - time.monotonic()))
        try:
            _ask(path, message)
            answered += 1
        except OSError:
            failed += 1
    return {"answered": answered, "failed": failed, "seconds": time.monotonic() - started}


def _ask(path: str, message: bytes) -> None:
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as connection:
        connection.settimeout(_TIMEOUT_S)
        connection.connect(path)
        connection.sendall(message)
        # The server closes the connection behind its answer.
        while connection.recv(_PIECE):
            pass


def main() -> None:
    """Flood as the command line says."""
    path, script, rate, seconds = sys.argv[1:]
    message = encode(Call(script=Path(script)))
    numbers = range(round(float(rate) * float(seconds)))
    print(json.dumps(drive(path, ((number / float(rate), message) for number in numbers))))


if __name__ == "__main__":
    main()
