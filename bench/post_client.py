"""Post documents to a receiver at random times: python -m bench.post_client URL RATE COUNT BYTES.

Each says when it was sent, Unix time in ns, and is filled up to so many bytes. What a receiver says of it is
what the sending itself takes, without compassd.
"""

from __future__ import annotations

import http.client
import json
import sys
import time
from urllib.parse import urlsplit

from bench.uneven_client import random_times


def main() -> None:
    """Post as the command line says."""
    url, rate, count, size = sys.argv[1:]
    parts = urlsplit(url)
    connection = http.client.HTTPConnection(parts.netloc)
    filling = "x" * int(size)
    started = time.monotonic()
    for at in random_times(float(rate), int(count)):
        time.sleep(max(0.0, started + at - time.monotonic()))
        body = json.dumps({"sent_at": time.time_ns(), "filling": filling})
        connection.request("POST", parts.path, body.encode(), {"Content-Type": "application/json"})
        connection.getresponse().read()
    connection.close()
    print(json.dumps({"posted": int(count)}))


if __name__ == "__main__":
    main()
