"""Ask a PHP-FPM at random times: python -m bench.uneven_client SOCKET SCRIPT RATE COUNT.

Each request has a number of its own, from 0 on, in X-Request-ID. A process of its own, as bench.flood_client.
"""

from __future__ import annotations

import json
import random
import sys
from collections.abc import Iterator
from pathlib import Path

from bench.flood_client import drive
from lab.fastcgi import Call, encode

_SEED = 7


def random_times(rate: float, count: int) -> Iterator[float]:
    """Yield times at which so many things a second happen that know nothing of each other, s."""
    random_ = random.Random(_SEED)  # noqa: S311 - the same times in every run
    at = 0.0
    for _ in range(count):
        at += random_.expovariate(rate)
        yield at


def main() -> None:
    """Ask as the command line says."""
    path, script, rate, count = sys.argv[1:]
    requests = (
        (at, encode(Call(script=Path(script), headers={"X-Request-ID": str(number)})))
        for number, at in enumerate(random_times(float(rate), int(count)))
    )
    print(json.dumps(drive(path, requests)))


if __name__ == "__main__":
    main()
