"""Checks of the kernel, of our privileges, and of bcc."""

from __future__ import annotations

import platform
import re
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from compassd.doctor.finding import Finding, Verdict
from compassd.errors import KernelError
from compassd.settings import Settings

if TYPE_CHECKING:
    # Imports bcc, whose absence is one of the things to find out.
    from compassd.kernel.program import Program

# Their numbers are in capabilities(7) and <linux/capability.h>.
_CAPABILITIES = {"CAP_SYS_ADMIN": 21, "CAP_PERFMON": 38, "CAP_BPF": 39}
_UPROBES = Path("/sys/bus/event_source/devices/uprobe")
_LOCKDOWN = Path("/sys/kernel/security/lockdown")
# Since this version tracing programs may use hash maps that are not allocated beforehand, which a tree is.
_OLDEST = (6, 1)


def check_kernel() -> Iterator[Finding]:
    """Check what can be seen without loading anything."""
    release = platform.release()
    version = tuple(int(part) for part in re.findall(r"\d+", release)[:2])
    machine = platform.machine()
    if machine != "x86_64":
        yield Finding(Verdict.FAIL, "kernel", f"{machine} is not supported", "use an x86-64 machine")
    elif version < _OLDEST:
        yield Finding(Verdict.FAIL, "kernel", f"{release} is too old", "use Linux 6.1 or newer")
    else:
        yield Finding(Verdict.OK, "kernel", f"Linux {release}")
    yield _uprobes()
    yield from _lockdown()
    yield _privileges(Path("/proc/self/status").read_text(encoding="ascii", errors="replace"))


def _uprobes() -> Finding:
    if not (_UPROBES / "type").exists():
        return Finding(
            Verdict.FAIL, "uprobes", "the kernel has none", "use a kernel with CONFIG_UPROBE_EVENTS=y"
        )
    if not (_UPROBES / "format" / "ref_ctr_offset").exists():
        return Finding(Verdict.FAIL, "uprobes", "without semaphores", "use Linux 4.20 or newer")
    return Finding(Verdict.OK, "uprobes", "with semaphores")


def _lockdown() -> Iterator[Finding]:
    try:
        text = _LOCKDOWN.read_text(encoding="ascii", errors="replace")
    except OSError:
        return
    if "[confidentiality]" in text:
        yield Finding(
            Verdict.FAIL,
            "lockdown",
            "the kernel is locked down against reading memory",
            "boot without lockdown=confidentiality",
        )


def _privileges(status: str) -> Finding:
    """Judge the effective capabilities in the text of /proc/self/status."""
    effective = int(next(line for line in status.splitlines() if line.startswith("CapEff:")).split()[1], 16)
    missing = [name for name, bit in _CAPABILITIES.items() if not effective >> bit & 1]
    if missing:
        return Finding(Verdict.FAIL, "privileges", f"{', '.join(missing)} missing", "run the doctor as root")
    return Finding(Verdict.OK, "privileges", ", ".join(_CAPABILITIES))


def check_sampler(program: Program, settings: Settings) -> Finding:
    """Start the sampler as the daemon would."""
    if not settings.sampling:
        return Finding(Verdict.OK, "sampler", "switched off in the settings")
    try:
        program.start_sampling(settings.sample_rate)
    except KernelError as error:
        return Finding(Verdict.FAIL, "sampler", str(error), error.hint)
    return Finding(Verdict.OK, "sampler", f"runs, at {settings.sample_rate} Hz")


def load_program() -> tuple[Program | None, list[Finding]]:
    """Load the eBPF program as the daemon would; return it, None if that fails."""
    try:
        import bcc  # noqa: PLC0415 - its absence is a finding

        from compassd.kernel.program import Program  # noqa: PLC0415
    except ImportError as error:
        mend = "apt install python3-bpfcc, and use Debian's python3"
        return None, [Finding(Verdict.FAIL, "bcc", f"cannot be imported: {error}", mend)]
    findings = [Finding(Verdict.OK, "bcc", str(bcc.__version__))]
    try:
        program = Program()
    except KernelError as error:
        mend = "see the messages above; privileges and kernel must be ok first"
        return None, [*findings, Finding(Verdict.FAIL, "eBPF program", str(error), mend)]
    return program, [*findings, Finding(Verdict.OK, "eBPF program", "compiles, and the kernel accepts it")]
