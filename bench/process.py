"""What a process takes: memory and CPU time, as the kernel counts them."""

from __future__ import annotations

import re
import time
from pathlib import Path

_KIB = 1024
_NS_PER_S = 1_000_000_000


def cpu_ns(pid: int) -> int:
    """Return the CPU time of all threads of that process so far, by the kernel's own clock of it, ns."""
    # clock_getcpuclockid(3), which Python lacks: the complement of the pid, and 2 for CPUCLOCK_SCHED.
    return time.clock_gettime_ns(~pid << 3 | 2)


def cpu_share(pid: int, seconds: float) -> float:
    """Watch a process for so long, s, and return its CPU time over that."""
    started, before = time.monotonic(), cpu_ns(pid)
    time.sleep(seconds)
    return (cpu_ns(pid) - before) / _NS_PER_S / (time.monotonic() - started)


def anonymous_bytes(pid: int) -> int:
    """Return the memory that is the process's own: neither a file's nor shared, bytes."""
    status = Path(f"/proc/{pid}/status").read_text()
    (anonymous,) = re.findall(r"^RssAnon:\s*(\d+) kB$", status, re.MULTILINE)
    return int(anonymous) * _KIB
