"""Read the USDT probes of an ELF file from its notes.

The format of the notes is SystemTap's: https://sourceware.org/systemtap/wiki/UserSpaceProbeImplementation
"""

from __future__ import annotations

import struct
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from compassd.errors import KernelError
from compassd.kernel.layout import ABI_VERSION, REQUEST_SIZE

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

_ELF_HEADER = struct.Struct("<16sHHIQQQIHHHHHH")
_PROGRAM_HEADER = struct.Struct("<IIQQQQQQ")
_SECTION_HEADER = struct.Struct("<IIQQQQIIQQ")
_NOTE_HEADER = struct.Struct("<III")
_ADDRESSES = struct.Struct("<QQQ")
_PT_LOAD = 1
_SHT_NOTE = 7
_NT_STAPSDT = 3
_X86_64 = 62
_SIZE_MAX = 64 * 1024 * 1024


@dataclass(frozen=True, slots=True)
class Probe:
    """One probe site.

    Attributes:
        provider: Name of the provider.
        name: Name of the probe.
        offset: Where the instruction is, bytes from the start of the file.
        semaphore_offset: Where its semaphore is, bytes from the start of the file; 0 if it has none.
        operands: Where the arguments are, as the compiler wrote it: "8@%rdi 8@%rsi".
    """

    provider: str
    name: str
    offset: int
    semaphore_offset: int
    operands: str


@dataclass(frozen=True, slots=True)
class ExtensionImage:
    """What compassd needs to know of a built compass.so.

    Attributes:
        probes: Its four probes, by name.
        state_offset: Where its struct compass_state (compass_abi.h) is, bytes from the start of the file.
    """

    probes: dict[str, Probe]
    state_offset: int


class _Header(NamedTuple):
    program_offset: int
    program_count: int
    section_offset: int
    section_count: int
    names_index: int


class _Section(NamedTuple):
    name: str
    type: int
    flags: int
    address: int
    offset: int
    size: int


class _Segment(NamedTuple):
    type: int
    flags: int
    offset: int
    address: int
    physical_address: int
    size: int


def read_extension(path: Path) -> ExtensionImage:
    """Return the probes and the place of the state word of the extension at path.

    Raises:
        KernelError: The file is not an x86-64 ELF file with exactly the probes that compass_abi.h promises.
    """
    hint = "install the compass extension of the same release as compassd"
    try:
        if path.stat().st_size > _SIZE_MAX:
            raise KernelError(f"{path}: too large to be the compass extension", hint=hint)
        image = path.read_bytes()
        probes = [probe for probe in read_probes(image) if probe.provider == PROVIDER]
        states = [section.offset for section in _sections(image) if section.name == STATE_SECTION]
        abis = [STATE.unpack_from(image, offset)[:2] for offset in states]
    except OSError as error:
        raise KernelError(f"{path}: {error.strerror}", hint="check that it can be read") from error
    # Offsets and sizes in a damaged file can be anything, and any user can have a file of that name mapped.
    except (struct.error, ValueError, IndexError, OverflowError) as error:
        raise KernelError(f"{path}: not a readable ELF file: {error}", hint=hint) from error
    found = {probe.name: probe for probe in probes}
    for name, operands in EXPECTED_OPERANDS.items():
        if name not in found:
            raise KernelError(f"{path}: has no probe {PROVIDER}:{name}", hint=hint)
        probe = found[name]
        if probe.operands != operands or not probe.semaphore_offset:
            message = f"{path}: probe {name} has its arguments in {probe.operands!r}, expected {operands!r}"
            raise KernelError(message, hint=hint)
    if len(probes) != len(EXPECTED_OPERANDS):
        raise KernelError(f"{path}: has {len(probes)} probes, expected {len(EXPECTED_OPERANDS)}", hint=hint)
    if len(states) != 1:
        raise KernelError(f"{path}: has no section {STATE_SECTION}", hint=hint)
    if abis[0] != (ABI_VERSION, REQUEST_SIZE):
        raise KernelError(f"{path}: speaks ABI {abis[0]}, expected {(ABI_VERSION, REQUEST_SIZE)}", hint=hint)
    return ExtensionImage(found, states[0])


def read_probes(image: bytes) -> list[Probe]:
    """Return every USDT probe site of the ELF file whose bytes are image.

    Raises:
        ValueError: It is not a little-endian ELF file for x86-64.
        struct.error: It is cut short.
    """
    header = _header(image)
    segments = [
        _Segment(*_PROGRAM_HEADER.unpack_from(image, header.program_offset + n * _PROGRAM_HEADER.size)[:6])
        for n in range(header.program_count)
    ]
    sections = _sections(image)
    # A linker may have moved the code after the notes were written; this section, which lies beside it, tells
    # by how much.
    bases = [section.address for section in sections if section.name == ".stapsdt.base"]
    base = bases[0] if bases else 0
    probes = []
    for section in sections:
        if section.type == _SHT_NOTE:
            probes += _notes(image, section, segments, base)
    return probes


def _header(image: bytes) -> _Header:
    fields = _ELF_HEADER.unpack_from(image)
    if fields[0][:6] != b"\x7fELF\x02\x01" or fields[2] != _X86_64:
        raise ValueError("it was not built for x86-64")
    return _Header(fields[5], fields[10], fields[6], fields[12], fields[13])


def _sections(image: bytes) -> list[_Section]:
    header = _header(image)
    raw = [
        _SECTION_HEADER.unpack_from(image, header.section_offset + n * _SECTION_HEADER.size)
        for n in range(header.section_count)
    ]
    if not raw:
        return []
    names_at = raw[header.names_index][4]
    return [_Section(_string(image, names_at + fields[0]), *fields[1:6]) for fields in raw]


def _notes(image: bytes, section: _Section, segments: list[_Segment], base: int) -> list[Probe]:
    probes = []
    position, end = section.offset, section.offset + section.size
    while position + _NOTE_HEADER.size <= end:
        name_size, text_size, type_ = _NOTE_HEADER.unpack_from(image, position)
        name_at = position + _NOTE_HEADER.size
        text_at = name_at + _aligned(name_size)
        position = text_at + _aligned(text_size)
        if type_ == _NT_STAPSDT and image[name_at : name_at + name_size] == b"stapsdt\0":
            location, note_base, semaphore = _ADDRESSES.unpack_from(image, text_at)
            moved = base - note_base if base else 0
            strings = image[text_at + _ADDRESSES.size : text_at + text_size].split(b"\0")
            provider, name, operands = (raw.decode("ascii", "replace") for raw in strings[:3])
            probes.append(
                Probe(
                    provider=provider,
                    name=name,
                    offset=_file_offset(segments, location + moved),
                    semaphore_offset=_file_offset(segments, semaphore + moved) if semaphore else 0,
                    operands=operands,
                )
            )
    return probes


def _aligned(size: int) -> int:
    return (size + 3) & ~3


def _file_offset(segments: list[_Segment], address: int) -> int:
    for segment in segments:
        if segment.type == _PT_LOAD and segment.address <= address < segment.address + segment.size:
            return address - segment.address + segment.offset
    raise ValueError(f"address {address:#x} lies in no segment of the file")


def _string(image: bytes, offset: int) -> str:
    return image[offset : image.index(b"\0", offset)].decode("ascii", "replace")
