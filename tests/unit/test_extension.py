"""Opening a compass.so by somebody who means harm: a crafted one, one without an end, one that is swapped."""

from __future__ import annotations

import os
import struct
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest

from compassd.errors import KernelError
from compassd.kernel.discover import identify
from compassd.kernel.extension import (
    EXPECTED_OPERANDS,
    PROVIDER,
    STATE,
    STATE_SECTION,
    open_extension,
    read_extension,
)
from compassd.kernel.layout import ABI_VERSION, REQUEST_SIZE

# What is not refused at once takes gigabytes, minutes, or for ever.
pytestmark = pytest.mark.timeout(10)

_PROGBITS, _NOTE = 1, 7
_STAPSDT = 3
_HEADER_SIZE, _SEGMENT_SIZE = 64, 56
_ALL = 2**32

# Name, type, content.
_Section = tuple[bytes, int, bytes]


def _note(name: bytes = b"", text: bytes = b"") -> bytes:
    def padded(raw: bytes) -> bytes:
        return raw + bytes(-len(raw) % 4)

    return struct.pack("<III", len(name), len(text), _STAPSDT) + padded(name) + padded(text)


def _probe(name: str, operands: str) -> bytes:
    strings = "".join(f"{text}\0" for text in (PROVIDER, name, operands))
    return _note(b"stapsdt\0", struct.pack("<QQQ", 0x10, 0, 0x20) + strings.encode())


_STATE: _Section = (STATE_SECTION.encode(), _PROGBITS, STATE.pack(ABI_VERSION, REQUEST_SIZE, 0))
_PROBES = b"".join(_probe(name, operands) for name, operands in EXPECTED_OPERANDS.items())
_WHOLE = (_STATE, (b".note.stapsdt", _NOTE, _PROBES))


def _elf(sections: Sequence[_Section] = _WHOLE, *, segments: int = 1) -> bytes:
    """Return an ELF file; sections with the same name or content share its bytes."""
    data = bytearray(_HEADER_SIZE)
    data += struct.pack("<IIQQQQQQ", 1, 5, 0, 0, 0, _ALL, _ALL, 4096) * segments
    names_at = len(data)
    data += b"\0"
    places: dict[bytes, int] = {}
    for text in (each for name, _, content in sections for each in (name + b"\0", content)):
        if text not in places:
            places[text] = len(data)
            data += text
    headers_at = len(data)
    for name, type_, content in sections:
        name_at = places[name + b"\0"] - names_at
        data += struct.pack("<IIQQQQIIQQ", name_at, type_, 0, 0, places[content], len(content), 0, 0, 1, 0)
    data += struct.pack("<IIQQQQIIQQ", 0, _PROGBITS, 0, 0, names_at, 0, 0, 0, 1, 0)
    tables = (64, _SEGMENT_SIZE, segments, 64, len(sections) + 1, len(sections))
    data[:_HEADER_SIZE] = struct.pack(
        "<16sHHIQQQIHHHHHH", b"\x7fELF\x02\x01\x01", 3, 62, 1, 0, _HEADER_SIZE, headers_at, 0, *tables
    )
    return bytes(data)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "compass.so"


def test_one_with_the_probes_and_the_state_is_read(path: Path) -> None:
    path.write_bytes(_elf())
    image = read_extension(path)
    assert {name: probe.operands for name, probe in image.probes.items()} == EXPECTED_OPERANDS
    assert {(probe.offset, probe.semaphore_offset) for probe in image.probes.values()} == {(0x10, 0x20)}


_LARGE = 3 * 2**20


@pytest.mark.parametrize(
    ("image", "complaint"),
    [
        (_elf([*_WHOLE, *[(b".x", _PROGBITS, b"x")] * 60_000]), "60003 sections, more than 256"),
        (_elf(segments=60_000), "60000 segments, more than 256"),
        (_elf([(b"n" * _LARGE, _PROGBITS, b"x")] * 200), "name of a section does not end within 64 bytes"),
        (_elf([*_WHOLE, (b".note", _NOTE, _note() * 65)]), "65 notes, more than 64"),
        (_elf([*_WHOLE, *[(b".note", _NOTE, bytes(_LARGE))] * 200]), "65 notes, more than 64"),
        (_elf([*_WHOLE, *[(b".note", _NOTE, _note() * 64)] * 200]), "12804 notes, more than 64"),
        (
            _elf([_STATE, (b".note", _NOTE, _note(b"stapsdt\0", bytes(_LARGE)))]),
            f"{_LARGE} bytes in a note, more than 1024",
        ),
    ],
    ids=["sections", "segments", "name", "notes", "overlapping notes", "sections of notes", "note"],
)
def test_a_file_that_would_take_long_to_read_is_refused(path: Path, image: bytes, complaint: str) -> None:
    path.write_bytes(image)
    with pytest.raises(KernelError) as caught:
        read_extension(path)
    assert str(path) in str(caught.value)
    assert complaint in str(caught.value)


def test_a_large_file_is_refused(path: Path) -> None:
    path.write_bytes(_elf())
    os.truncate(path, 4 * 2**20)
    read_extension(path)
    os.truncate(path, 4 * 2**20 + 1)
    with pytest.raises(KernelError, match="has more than 4194304 bytes"):
        read_extension(path)


def test_a_file_that_says_it_is_empty_is_not_read_to_its_end() -> None:
    """This one has 8 bytes for each page that a process could have."""
    endless = Path("/proc/self/pagemap")
    assert endless.stat().st_size == 0
    with pytest.raises(KernelError, match="has more than 4194304 bytes"):
        read_extension(endless)


@pytest.mark.parametrize(
    "make", [os.mkfifo, lambda path: path.symlink_to("/dev/zero")], ids=["pipe", "device"]
)
def test_what_may_have_no_end_is_refused(path: Path, make: Callable[[Path], None]) -> None:
    make(path)
    with pytest.raises(KernelError, match="not a regular file"):
        read_extension(path)


def test_the_file_that_was_found_is_opened_and_closed_again(path: Path) -> None:
    path.write_bytes(_elf())
    with open_extension(path, identify(path.stat())) as extension:
        path.unlink()
        assert os.pread(extension.descriptor, 4, 0) == b"\x7fELF"
    with pytest.raises(OSError, match="Bad file descriptor"):
        os.fstat(extension.descriptor)


@pytest.mark.parametrize("by", ["rename", "link", "overwriting"])
def test_another_file_than_the_one_that_was_found_is_refused(path: Path, tmp_path: Path, by: str) -> None:
    path.write_bytes(_elf())
    found = identify(path.stat())
    other = tmp_path / "other"
    other.write_bytes(_elf())
    if by == "rename":
        other.rename(path)
    elif by == "link":
        path.unlink()
        path.symlink_to(other)
    else:
        path.write_bytes(_elf() + b"\0")
    with pytest.raises(KernelError, match="was replaced or changed"), open_extension(path, found):
        pass
