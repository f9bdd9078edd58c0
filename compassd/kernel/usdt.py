"""Read the USDT probes of an ELF file from its notes.

Any user can offer a file to read, so each of its tables and strings is only read up to a size that is far
above what a compass.so has.

The format of the notes is SystemTap's: https://sourceware.org/systemtap/wiki/UserSpaceProbeImplementation
"""

from __future__ import annotations

import struct
from dataclasses import dataclass
from typing import NamedTuple

_ELF_HEADER = struct.Struct("<16sHHIQQQIHHHHHH")
_PROGRAM_HEADER = struct.Struct("<IIQQQQQQ")
_SECTION_HEADER = struct.Struct("<IIQQQQIIQQ")
_NOTE_HEADER = struct.Struct("<III")
_ADDRESSES = struct.Struct("<QQQ")
_PT_LOAD = 1
_SHT_NOTE = 7
_NT_STAPSDT = 3
_X86_64 = 62

# A compass.so has 41 sections, 9 segments and 5 notes, of 94 bytes at most.
_SECTIONS_MAX = 256
_SEGMENTS_MAX = 256
_NOTES_MAX = 64
_NAME_MAX = 64
_NOTE_TEXT_MAX = 1024


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


class _Note(NamedTuple):
    type: int
    name_at: int
    name_size: int
    text_at: int
    text_size: int


def read_probes(image: bytes) -> list[Probe]:
    """Return every USDT probe site of the ELF file whose bytes are image.

    Raises:
        ValueError: It is not a little-endian ELF file for x86-64, or larger in some way than read here.
        IndexError: It refers to what it does not have.
        struct.error: It is cut short.
    """
    header = _header(image)
    segments = [
        _Segment(*_PROGRAM_HEADER.unpack_from(image, header.program_offset + n * _PROGRAM_HEADER.size)[:6])
        for n in range(_bounded(header.program_count, _SEGMENTS_MAX, "segments"))
    ]
    sections = _sections(image)
    # A linker may have moved the code after the notes were written; this section, which lies beside it, tells
    # by how much.
    bases = [section.address for section in sections if section.name == ".stapsdt.base"]
    base = bases[0] if bases else 0
    notes = [note for section in sections if section.type == _SHT_NOTE for note in _notes(image, section)]
    _bounded(len(notes), _NOTES_MAX, "notes")
    return [_probe(image, note, segments, base) for note in notes if _is_probe(image, note)]


def section_offsets(image: bytes, name: str) -> list[int]:
    """Return where the sections of that name are, bytes from the start of the file.

    Raises:
        ValueError, IndexError, struct.error: Like read_probes().
    """
    return [section.offset for section in _sections(image) if section.name == name]


def _header(image: bytes) -> _Header:
    fields = _ELF_HEADER.unpack_from(image)
    if fields[0][:6] != b"\x7fELF\x02\x01" or fields[2] != _X86_64:
        raise ValueError("it was not built for x86-64")
    return _Header(fields[5], fields[10], fields[6], fields[12], fields[13])


def _sections(image: bytes) -> list[_Section]:
    header = _header(image)
    raw = [
        _SECTION_HEADER.unpack_from(image, header.section_offset + n * _SECTION_HEADER.size)
        for n in range(_bounded(header.section_count, _SECTIONS_MAX, "sections"))
    ]
    if not raw:
        return []
    names_at = raw[header.names_index][4]
    return [_Section(_string(image, names_at + fields[0]), *fields[1:6]) for fields in raw]


def _notes(image: bytes, section: _Section) -> list[_Note]:
    notes: list[_Note] = []
    position, end = section.offset, section.offset + section.size
    while position + _NOTE_HEADER.size <= end:
        # Before there are many: sections may overlap, and each have the file full of notes.
        _bounded(len(notes) + 1, _NOTES_MAX, "notes")
        name_size, text_size, type_ = _NOTE_HEADER.unpack_from(image, position)
        name_at = position + _NOTE_HEADER.size
        text_at = name_at + _aligned(name_size)
        position = text_at + _aligned(text_size)
        notes.append(_Note(type_, name_at, name_size, text_at, text_size))
    return notes


def _is_probe(image: bytes, note: _Note) -> bool:
    return note.type == _NT_STAPSDT and image[note.name_at : note.name_at + note.name_size] == b"stapsdt\0"


def _probe(image: bytes, note: _Note, segments: list[_Segment], base: int) -> Probe:
    _bounded(note.text_size, _NOTE_TEXT_MAX, "bytes in a note")
    location, note_base, semaphore = _ADDRESSES.unpack_from(image, note.text_at)
    moved = base - note_base if base else 0
    strings = image[note.text_at + _ADDRESSES.size : note.text_at + note.text_size].split(b"\0")
    provider, name, operands = (raw.decode("ascii", "replace") for raw in strings[:3])
    return Probe(
        provider=provider,
        name=name,
        offset=_file_offset(segments, location + moved),
        semaphore_offset=_file_offset(segments, semaphore + moved) if semaphore else 0,
        operands=operands,
    )


def _bounded(number: int, most: int, what: str) -> int:
    if number > most:
        raise ValueError(f"it has {number} {what}, more than {most}")
    return number


def _aligned(size: int) -> int:
    return (size + 3) & ~3


def _file_offset(segments: list[_Segment], address: int) -> int:
    for segment in segments:
        if segment.type == _PT_LOAD and segment.address <= address < segment.address + segment.size:
            return address - segment.address + segment.offset
    raise ValueError(f"address {address:#x} lies in no segment of the file")


def _string(image: bytes, offset: int) -> str:
    end = image.find(b"\0", offset, offset + _NAME_MAX + 1)
    if end < 0:
        raise ValueError(f"the name of a section does not end within {_NAME_MAX} bytes")
    return image[offset:end].decode("ascii", "replace")
