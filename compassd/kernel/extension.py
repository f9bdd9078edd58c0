"""Open a compass.so, and read what compassd needs to know of it.

What is attached to is the file that was read: both go by one descriptor. A path may lead to another file at
any moment, by an upgrade, or by a user who swaps it for one that breakpoints would harm.
"""

from __future__ import annotations

import os
import struct
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from compassd.errors import KernelError
from compassd.kernel.discover import Identity, identify
from compassd.kernel.layout import ABI_VERSION, REQUEST_SIZE
from compassd.kernel.usdt import Probe, read_probes, section_offsets
from compassd.regular_file import open_regular

PROVIDER = "compass"
STATE_SECTION = ".compass.state"
# struct compass_state: version, request_size, flags.
STATE = struct.Struct("<III")

REQUEST_PROBES = ("fpm_request_init", "fpm_request_shutdown")

# What compass_abi.h promises: every argument is 8 bytes (negative: signed) in the register of its position.
EXPECTED_OPERANDS = {
    "fpm_request_init": "8@%rdi 8@%rsi 8@%rdx 8@%rcx",
    "fpm_request_shutdown": "8@%rdi 8@%rsi 8@%rdx 8@%rcx 8@%r8 -8@%r9",
    "php_function_begin": "8@%rdi 8@%rsi 8@%rdx 8@%rcx",
    "php_function_end": "8@%rdi 8@%rsi 8@%rdx 8@%rcx 8@%r8",
}

# One with debug information has less than 1 MiB.
_SIZE_MAX = 4 * 2**20

_HINT = "install the compass extension of the same release as compassd"


@dataclass(frozen=True, slots=True)
class ExtensionImage:
    """What compassd needs to know of a built compass.so.

    Attributes:
        probes: Its four probes, by name.
        state_offset: Where its struct compass_state (compass_abi.h) is, bytes from the start of the file.
    """

    probes: dict[str, Probe]
    state_offset: int


@dataclass(frozen=True, slots=True)
class OpenExtension:
    """A compass.so that is open.

    Attributes:
        path: What it was opened by, for people only.
        descriptor: What it is attached to by.
        image: What was read from it.
    """

    path: Path
    descriptor: int
    image: ExtensionImage


def read_extension(path: Path) -> ExtensionImage:
    """Return the probes and the place of the state word of the extension at path.

    Raises:
        KernelError: Like open_extension().
    """
    with open_extension(path) as extension:
        return extension.image


@contextmanager
def open_extension(path: Path, identity: Identity | None = None) -> Iterator[OpenExtension]:
    """Yield the extension at path; it is closed in the end.

    Args:
        path: What opens it.
        identity: Which file it must be, if that is known.

    Raises:
        KernelError: It is another file, or not an x86-64 ELF file with exactly the probes that compass_abi.h
            promises.
    """
    try:
        descriptor = open_regular(path)
    except OSError as error:
        raise _unreadable(path, error) from error
    try:
        if identity is not None and identify(os.fstat(descriptor)) != identity:
            raise KernelError(
                f"{path}: was replaced or changed while it was looked at",
                hint="wait until what replaces it, such as an upgrade, has ended",
            )
        yield OpenExtension(path, descriptor, _parse(path, _content(path, descriptor)))
    finally:
        os.close(descriptor)


def _content(path: Path, descriptor: int) -> bytes:
    try:
        with open(descriptor, "rb", closefd=False) as file:
            # One byte more shows that there is more, whatever size the file says it has. None is what the
            # kernel's own files return where others would wait.
            content = file.read(_SIZE_MAX + 1) or b""
    except OSError as error:
        raise _unreadable(path, error) from error
    if len(content) > _SIZE_MAX:
        raise KernelError(f"{path}: has more than {_SIZE_MAX} bytes, too many for a compass.so", hint=_HINT)
    return content


def _unreadable(path: Path, error: OSError) -> KernelError:
    return KernelError(f"{path}: {error.strerror}", hint="check that it can be read")


def _parse(path: Path, image: bytes) -> ExtensionImage:
    try:
        probes = [probe for probe in read_probes(image) if probe.provider == PROVIDER]
        states = section_offsets(image, STATE_SECTION)
        abis = [STATE.unpack_from(image, offset)[:2] for offset in states]
    # Offsets and sizes in a damaged file can be anything, and any user can have a file of that name mapped.
    except (struct.error, ValueError, IndexError, OverflowError) as error:
        raise KernelError(f"{path}: not a readable ELF file: {error}", hint=_HINT) from error
    found = {probe.name: probe for probe in probes}
    for name, operands in EXPECTED_OPERANDS.items():
        if name not in found:
            raise KernelError(f"{path}: has no probe {PROVIDER}:{name}", hint=_HINT)
        probe = found[name]
        if probe.operands != operands or not probe.semaphore_offset:
            message = f"{path}: probe {name} has its arguments in {probe.operands!r}, expected {operands!r}"
            raise KernelError(message, hint=_HINT)
    if len(probes) != len(EXPECTED_OPERANDS):
        raise KernelError(f"{path}: has {len(probes)} probes, expected {len(EXPECTED_OPERANDS)}", hint=_HINT)
    if len(states) != 1:
        raise KernelError(f"{path}: has no section {STATE_SECTION}", hint=_HINT)
    if abis[0] != (ABI_VERSION, REQUEST_SIZE):
        raise KernelError(f"{path}: speaks ABI {abis[0]}, expected {(ABI_VERSION, REQUEST_SIZE)}", hint=_HINT)
    return ExtensionImage(found, states[0])
