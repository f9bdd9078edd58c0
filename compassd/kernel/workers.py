"""Look into running php-fpm workers: is the extension active there, and are its probes armed?"""

from __future__ import annotations

import struct
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from compassd.errors import KernelError
from compassd.kernel.discover import EXTENSION, mapped_extensions, parent
from compassd.kernel.extension import REQUEST_PROBES, STATE, read_extension

# COMPASS_STATE_* in compass_abi.h.
_ACTIVE, _FUNCTION_PROBES = 1, 2

_POOL_TITLE = b"php-fpm: pool "


@dataclass(frozen=True, slots=True)
class WorkerState:
    """What the extension's memory says in a worker.

    Attributes:
        is_active: Whether Compass is on there.
        has_function_probes: Whether function probes can fire there.
        is_armed: Whether somebody is attached to both request probes.
    """

    is_active: bool
    has_function_probes: bool
    is_armed: bool


def workers_by_pool(proc: Path, master: int) -> Mapping[str, int]:
    """Return the process id of one worker of each pool; FPM shows the pool in the title of the process."""
    workers: dict[str, int] = {}
    for entry in proc.iterdir():
        if entry.name.isdigit() and parent(proc, int(entry.name)) == master:
            try:
                title = (entry / "cmdline").read_bytes().rstrip(b"\0 ")
            except OSError:
                continue
            if title.startswith(_POOL_TITLE):
                pool = title.removeprefix(_POOL_TITLE).decode(errors="replace")
                workers[pool] = int(entry.name)
    return workers


def read_state(proc: Path, worker: int) -> WorkerState:
    """Read the extension's state and the semaphores of its request probes from a worker's memory.

    Raises:
        OSError: The worker is gone, or must not be looked into.
        KernelError: Its compass.so is not readable as one.
    """
    path = next(iter(mapped_extensions(proc, worker)), None)
    if path is None:
        raise KernelError("it has no compass.so mapped", hint="restart php-fpm")
    image = read_extension(path)
    mappings = _writable_mappings(proc, worker)
    with (proc / str(worker) / "mem").open("rb") as memory:

        def read(offset: int, layout: struct.Struct) -> tuple[int, ...]:
            memory.seek(_address(mappings, offset))
            return layout.unpack(memory.read(layout.size))

        semaphore = struct.Struct("<H")
        armed = [read(image.probes[name].semaphore_offset, semaphore)[0] for name in REQUEST_PROBES]
        _version, _size, flags = read(image.state_offset, STATE)
    return WorkerState(bool(flags & _ACTIVE), bool(flags & _FUNCTION_PROBES), all(armed))


def _writable_mappings(proc: Path, pid: int) -> list[tuple[int, int, int]]:
    """Return (start address, end address, offset in the file) of the writable mappings of compass.so."""
    mappings = []
    for line in (proc / str(pid) / "maps").read_text(errors="replace").splitlines():
        parts = line.split(None, 5)
        if EXTENSION in parts[-1] and "w" in parts[1]:
            start, _, end = parts[0].partition("-")
            mappings.append((int(start, 16), int(end, 16), int(parts[2], 16)))
    return mappings


def _address(mappings: list[tuple[int, int, int]], offset: int) -> int:
    for start, end, file_offset in mappings:
        if file_offset <= offset < file_offset + end - start:
            return start + offset - file_offset
    raise KernelError("its compass.so is not the file that its maps name", hint="restart php-fpm")
