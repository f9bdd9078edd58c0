"""The probes in the built extension, as our own reader, pyelftools, bcc and bpftrace see them."""

from __future__ import annotations

import contextlib
import subprocess
from pathlib import Path

import bcc
import pytest
from elftools.elf.elffile import ELFFile
from elftools.elf.sections import NoteSection
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from compassd.errors import KernelError
from compassd.kernel.extension import EXPECTED_OPERANDS, read_extension

PROBES = ["fpm_request_init", "fpm_request_shutdown", "php_function_begin", "php_function_end"]


def test_own_reader_agrees_with_pyelftools(extension: Path) -> None:
    image = read_extension(extension)
    with extension.open("rb") as file:
        elf = ELFFile(file)
        notes = {}
        section = elf.get_section_by_name(".note.stapsdt")
        assert isinstance(section, NoteSection)
        for note in section.iter_notes():
            desc = note["n_desc"]
            raw = desc if isinstance(desc, bytes) else desc.encode("latin-1")
            location, _, semaphore = (int.from_bytes(raw[n : n + 8], "little") for n in (0, 8, 16))
            provider, name, operands = (part.decode() for part in raw[24:].split(b"\0")[:3])
            assert provider == "compass"
            offsets = (next(elf.address_offsets(location)), next(elf.address_offsets(semaphore)), operands)
            notes[name] = offsets
        state = elf.get_section_by_name(".compass.state")
        assert state is not None
        assert image.state_offset == state["sh_offset"]
        assert state["sh_size"] == 12
    found = {name: (p.offset, p.semaphore_offset, p.operands) for name, p in image.probes.items()}
    assert found == notes
    assert sorted(found) == PROBES


def test_every_operand_is_in_the_register_of_its_position(extension: Path) -> None:
    probes = read_extension(extension).probes
    assert {name: probe.operands for name, probe in probes.items()} == EXPECTED_OPERANDS


def test_semaphores_are_distinct_and_zero(extension: Path) -> None:
    image = extension.read_bytes()
    offsets = [probe.semaphore_offset for probe in read_extension(extension).probes.values()]
    assert len(set(offsets)) == 4
    assert all(image[offset : offset + 2] == b"\0\0" for offset in offsets)


def test_bcc_decodes_every_argument(extension: Path) -> None:
    usdt = bcc.USDT(path=str(extension))
    decoded = {}
    for probe in usdt.enumerate_probes():
        assert probe.num_locations == 1
        assert probe.semaphore
        location = probe.get_location(0)
        arguments = [location.get_argument(n) for n in range(probe.num_arguments)]
        decoded[probe.name.decode()] = " ".join(
            f"{'-' if argument.signed else ''}{argument.size}@%{_x86(argument.base_register_name.decode())}"
            for argument in arguments
        )
    assert decoded == EXPECTED_OPERANDS


def _x86(field: str) -> str:
    """Return the register behind bcc's name of the field in struct pt_regs."""
    return field if field[0] == "r" else f"r{field}"


def test_bpftrace_lists_them(extension: Path) -> None:
    command = ["bpftrace", "-l", f"usdt:{extension}:compass:*"]
    output = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    assert sorted(line.rpartition(":")[2] for line in output.split()) == PROBES


@pytest.mark.parametrize("content", [b"", b"\x7fELF", b"\x7fELF\x02\x01" + b"\0" * 200, b"#!/bin/sh\n" * 99])
def test_what_is_no_extension_is_refused(content: bytes, tmp_path: Path) -> None:
    file = tmp_path / "compass.so"
    file.write_bytes(content)
    with pytest.raises(KernelError, match=r"compass\.so"):
        read_extension(file)


def test_an_elf_file_without_probes_is_refused() -> None:
    with pytest.raises(KernelError, match="fpm_request_init"):
        read_extension(Path("/bin/true").resolve())


def test_a_truncated_extension_is_refused_at_every_length(extension: Path, tmp_path: Path) -> None:
    image = extension.read_bytes()
    file = tmp_path / "compass.so"
    for length in range(0, len(image) - 1, max(1, len(image) // 200)):
        file.write_bytes(image[:length])
        with pytest.raises(KernelError):
            read_extension(file)


def test_an_extension_of_another_abi_is_refused(extension: Path, tmp_path: Path) -> None:
    image = bytearray(extension.read_bytes())
    image[read_extension(extension).state_offset] = 99
    file = tmp_path / "compass.so"
    file.write_bytes(image)
    with pytest.raises(KernelError, match=r"speaks ABI \(99,"):
        read_extension(file)


@settings(max_examples=300, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_a_damaged_extension_is_refused_or_read_but_nothing_else(
    data: st.DataObject, extension: Path, tmp_path: Path
) -> None:
    image = bytearray(extension.read_bytes())
    headers = st.integers(min_value=0, max_value=63)
    tables = st.integers(min_value=len(image) - 3_000, max_value=len(image) - 1)
    for position in data.draw(st.lists(headers | tables, min_size=1, max_size=8)):
        image[position] = data.draw(st.integers(min_value=0, max_value=255))
    file = tmp_path / "compass.so"
    file.write_bytes(image)
    with contextlib.suppress(KernelError):
        read_extension(file)


def test_an_argument_elsewhere_is_refused(extension: Path, tmp_path: Path) -> None:
    image = extension.read_bytes()
    assert image.count(b"8@%rdi 8@%rsi") == 4
    file = tmp_path / "compass.so"
    file.write_bytes(image.replace(b"8@%rdi 8@%rsi", b"8@%rbx 8@%rsi"))
    with pytest.raises(KernelError, match="rbx"):
        read_extension(file)
