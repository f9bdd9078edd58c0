"""Ask a PHP-FPM so many times a second, evenly: python -m bench.flood_client SOCKET SCRIPT RATE SECONDS.

A process of its own, so that the benchmark's receivers do not slow it down. It prints how many requests were
answered, and how many were not, as JSON.
"""

from __future__ import annotations

import json
import socket
import sys
import time
from pathlib import Path

from lab.fastcgi import Call, encode

_TIMEOUT_S = 10.0
_PIECE = 65_536


def flood(path: str, message: bytes, rate: float, seconds: float) -> dict[str, float]:
    """Send the message so often; one that is late is sent at once, so that the mean rate holds.

    Args:
        path: The server's socket.
        message: A whole FastCGI request.
        rate: Requests a second.
        seconds: For how long.
    """
    answered = failed = 0
    started = time.monotonic()
    for number in range(round(rate * seconds)):
        time.sleep(max(0.0, started + number / rate - time.monotonic()))
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
    print(json.dumps(flood(path, encode(Call(script=Path(script))), float(rate), float(seconds))))


if __name__ == "__main__":
    main()
