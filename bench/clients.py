"""Programs of the benchmark that ask or send from processes of their own."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from bench.errors import BenchError
from lab import processes
from lab.build import ROOT


@contextmanager
def started(module: str, *arguments: object) -> Iterator[subprocess.Popen[bytes]]:
    """Run a module of the benchmark; it is gone at the end."""
    command = [sys.executable, "-m", module, *map(str, arguments)]
    process = processes.start(command, output=subprocess.PIPE, errors=sys.stderr.fileno(), cwd=ROOT)
    try:
        yield process
    finally:
        processes.stop(process)


def result(process: subprocess.Popen[bytes]) -> dict[str, Any]:
    """Wait for the end of a process and return what it has printed as JSON.

    Raises:
        BenchError: It has failed.
    """
    output = process.communicate()[0]
    if process.returncode:
        raise BenchError(f"{process.args!r} failed with {process.returncode}")
    document: dict[str, Any] = json.loads(output)
    return document
