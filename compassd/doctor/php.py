"""Checks of the extension: found, loaded by which php-fpm, active, and its probes reachable."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from compassd.doctor.finding import Finding, Verdict
from compassd.errors import KernelError
from compassd.kernel.discover import Discovery, ExtensionFile, mapped_extensions
from compassd.kernel.extension import REQUEST_PROBES, open_extension
from compassd.kernel.workers import read_state, workers_by_pool
from compassd.settings import Settings

if TYPE_CHECKING:
    from compassd.kernel.program import Program

_PROC = Path("/proc")


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
        with open_extension(file.path, file.identity) as extension:
            if program is not None:
                for name in REQUEST_PROBES:
                    attached.append(program.attach(extension, name))  # noqa: PERF401 - to undo
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
    workers = workers_by_pool(_PROC, master)
    if not workers:
        yield Finding(Verdict.OK, subject, "has loaded the extension; no worker is running to look into")
    for pool, worker in sorted(workers.items()):
        yield _check_pool(f"{subject}, pool {pool}", worker, probing=probing)


def _check_pool(subject: str, worker: int, *, probing: bool) -> Finding:
    try:
        state = read_state(_PROC, worker)
    except (OSError, KernelError) as error:
        return Finding(Verdict.WARN, subject, f"cannot look into worker {worker}: {error}")
    if not state.is_active:
        return Finding(
            Verdict.FAIL,
            subject,
            "the extension is loaded but switched off",
            "set compass.enabled=1 and restart php-fpm",
        )
    if probing and not state.is_armed:
        return Finding(
            Verdict.FAIL,
            subject,
            "the kernel did not raise the probes' semaphores",
            "restart php-fpm; if it persists, the process runs another file than the one found",
        )
    functions = "on" if state.has_function_probes else "off (traces are not possible)"
    return Finding(Verdict.OK, subject, f"active, probes armed; function probes {functions}")
