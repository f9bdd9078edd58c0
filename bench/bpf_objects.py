"""The eBPF programs and maps of a running daemon: what the kernel says about their time and memory."""

from __future__ import annotations

import json
import re
import subprocess
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, Self

from bench.errors import BenchError

# Names are all that /proc lacks.
_BPFTOOL = Path("/usr/sbin/bpftool")
_STATS = Path("/proc/sys/kernel/bpf_stats_enabled")


@dataclass(frozen=True, slots=True)
class Runs:
    """What a program did.

    Attributes:
        count: How often it ran.
        time_ns: How long altogether, including the programs that it ended in by a tail call, ns.
    """

    count: int = 0
    time_ns: int = 0

    def __add__(self, other: Self) -> Runs:
        """Return both together."""
        return Runs(self.count + other.count, self.time_ns + other.time_ns)

    def __sub__(self, other: Self) -> Runs:
        """Return what came after the other."""
        return Runs(self.count - other.count, self.time_ns - other.time_ns)


@contextmanager
def counted_runs() -> Iterator[None]:
    """Let the kernel measure every run of every program meanwhile, which itself takes some 20 ns a run."""
    before = _STATS.read_text()
    _STATS.write_text("1")
    try:
        yield
    finally:
        _STATS.write_text(before)


def program_runs(pid: int) -> Mapping[str, Runs]:
    """Return what the programs that process pid has loaded did while runs were counted, by their names."""
    names = _names("prog")
    return {
        names[each["prog_id"]]: Runs(each["run_cnt"], each["run_time_ns"])
        for each in _descriptors(pid)
        # A link names its program, too, but has no times.
        if "run_time_ns" in each
    }


def map_bytes(pid: int) -> Mapping[str, int]:
    """Return the kernel memory of the maps that process pid has made, in bytes, by their names."""
    names = _names("map")
    # Several descriptors may lead to one map.
    sizes = {each["map_id"]: each["memlock"] for each in _descriptors(pid) if "map_id" in each}
    return {names[number]: size for number, size in sizes.items()}


def _descriptors(pid: int) -> Iterator[dict[str, int]]:
    """Yield the numbers that /proc knows of each open file of the process."""
    for entry in Path(f"/proc/{pid}/fdinfo").iterdir():
        with suppress(FileNotFoundError):
            found = re.findall(r"^(\w+):\s*(\d+)$", entry.read_text(), re.MULTILINE)
            yield {name: int(number) for name, number in found}


def _names(kind: Literal["prog", "map"]) -> dict[int, str]:
    """Return the names of all programs or maps of the machine, by their ids."""
    if not _BPFTOOL.exists():
        raise BenchError(f"{_BPFTOOL} is missing: run it as `make bench`")
    text = subprocess.run([_BPFTOOL, "--json", kind, "show"], check=True, capture_output=True).stdout
    objects: list[dict[str, Any]] = json.loads(text)
    return {each["id"]: each.get("name", f"{kind} {each['id']}") for each in objects}
