"""Checks of the extension: found, loaded by which php-fpm, active, and its probes reachable."""

from __future__ import annotations

import os
import struct
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from compassd.doctor.finding import Finding, Verdict
from compassd.errors import KernelError
from compassd.kernel.discover import Discovery, ExtensionFile, mapped_extensions, parent
from compassd.kernel.usdt import REQUEST_PROBES, ExtensionImage, read_extension
from compassd.settings import Settings

if TYPE_CHECKING:
    from compassd.kernel.program import Program

_PROC = Path("/proc")
_STATE_ACTIVE = 1
_STATE_FUNCTION_PROBES = 2
_POOL_TITLE = b"php-fpm: pool "


def check_php(settings: Settings, program: Program | None) -> Iterator[Finding]:
    """Check the extension's files and every php-fpm that runs."""
    discovery = Discovery(extra=settings.extension_paths)
    found = discovery.scan()
    if not found:
        yield Finding(
            Verdict.FAIL,
            "extension",
            "no compass.so found",
            "install the phpX.Y-compass package, or name the file in extension_paths",
        )
    yield from _missing(settings.extension_paths)
    attached: list[int] = []
    try:
        for file in found.values():
            yield _check_file(file, program, attached)
        yield from _check_masters(discovery.masters(), probing=bool(attached))
    finally:
        for descriptor in attached:
            os.close(descriptor)


def _missing(paths: Iterable[Path]) -> Iterator[Finding]:
    for path in paths:
        if not path.exists():
            yield Finding(Verdict.FAIL, "extension", f"{path} does not exist", "mend extension_paths")


def _check_file(file: ExtensionFile, program: Program | None, attached: list[int]) -> Finding:
    """Check one compass.so, and attach to it if there is a program to attach; the caller detaches."""
    try:
        probes = read_extension(file.path).probes
        if program is not None:
            for name in REQUEST_PROBES:
                attached.append(program.attach(file.path, probes[name]))  # noqa: PERF401 - to undo
    except KernelError as error:
        return Finding(Verdict.FAIL, "extension", str(error), error.hint)
    done = "probes attach" if program is not None else "has its probes"
    return Finding(Verdict.OK, "extension", f"{file.path} {done}")


def _check_masters(masters: list[int], *, probing: bool) -> Iterator[Finding]:
    """Check every php-fpm. One without the extension is a failure only if no other has it."""
    if not masters:
        yield Finding(Verdict.FAIL, "php-fpm", "is not running", "start it: systemctl start phpX.Y-fpm")
    loaded = [master for master in masters if mapped_extensions(_PROC, master)]
    for master in masters:
        if master in loaded:
            yield from _check_master(master, probing=probing)
        else:
            yield Finding(
                Verdict.WARN if loaded else Verdict.FAIL,
                f"php-fpm (pid {master})",
                "has not loaded the extension",
                "phpenmod -s fpm compass, then restart php-fpm",
            )


def _check_master(master: int, *, probing: bool) -> Iterator[Finding]:
    subject = f"php-fpm (pid {master})"
    workers = _workers_by_pool(master)
    if not workers:
        yield Finding(Verdict.OK, subject, "has loaded the extension; no worker is running to look into")
    for pool, worker in sorted(workers.items()):
        yield _check_pool(f"{subject}, pool {pool}", worker, probing=probing)


def _workers_by_pool(master: int) -> Mapping[str, int]:
    """Return a worker of each pool; FPM shows the pool in the title of the process."""
    workers: dict[str, int] = {}
    for entry in _PROC.iterdir():
        if entry.name.isdigit() and parent(_PROC, int(entry.name)) == master:
            try:
                title = (entry / "cmdline").read_bytes().rstrip(b"\0 ")
            except OSError:
                continue
            if title.startswith(_POOL_TITLE):
                pool = title.removeprefix(_POOL_TITLE).decode(errors="replace")
                workers[pool] = int(entry.name)
    return workers


@dataclass(frozen=True, slots=True)
class _Words:
    """What the extension's memory says in a worker."""

    state: int
    semaphores: tuple[int, ...]


def _check_pool(subject: str, worker: int, *, probing: bool) -> Finding:
    try:
        words = _read_words(worker)
    except (OSError, KernelError) as error:
        return Finding(Verdict.WARN, subject, f"cannot look into worker {worker}: {error}")
    if not words.state & _STATE_ACTIVE:
        return Finding(
            Verdict.FAIL,
            subject,
            "the extension is loaded but switched off",
            "set compass.enabled=1 and restart php-fpm",
        )
    if probing and not all(words.semaphores):
        return Finding(
            Verdict.FAIL,
            subject,
            "the kernel did not raise the probes' semaphores",
            "restart php-fpm; if it persists, the process runs another file than the one found",
        )
    functions = "on" if words.state & _STATE_FUNCTION_PROBES else "off (traces are not possible)"
    return Finding(Verdict.OK, subject, f"active, probes armed; function probes {functions}")


def _read_words(worker: int) -> _Words:
    """Read the state word and the semaphores of the request probes from the worker's memory.

    Raises:
        OSError: The worker is gone, or must not be looked into.
        KernelError: Its compass.so is not readable as one.
    """
    path = next(iter(mapped_extensions(_PROC, worker)), None)
    if path is None:
        raise KernelError("it has no compass.so mapped")
    image: ExtensionImage = read_extension(path)
    mappings = _mappings(worker)
    with (_PROC / str(worker) / "mem").open("rb") as memory:

        def word(offset: int, layout: str) -> int:
            memory.seek(_address(mappings, offset))
            value: int = struct.unpack(layout, memory.read(struct.calcsize(layout)))[0]
            return value

        semaphores = tuple(word(image.probes[name].semaphore_offset, "<H") for name in REQUEST_PROBES)
        return _Words(word(image.state_offset, "<I"), semaphores)


def _mappings(pid: int) -> list[tuple[int, int, int]]:
    """Return (start address, end address, offset in the file) of the writable mappings of compass.so."""
    mappings = []
    for line in (_PROC / str(pid) / "maps").read_text(errors="replace").splitlines():
        parts = line.split(None, 5)
        if "compass.so" in parts[-1] and "w" in parts[1]:
            start, _, end = parts[0].partition("-")
            mappings.append((int(start, 16), int(end, 16), int(parts[2], 16)))
    return mappings


def _address(mappings: list[tuple[int, int, int]], offset: int) -> int:
    for start, end, file_offset in mappings:
        if file_offset <= offset < file_offset + end - start:
            return start + offset - file_offset
    raise KernelError("its compass.so is not the file found")
