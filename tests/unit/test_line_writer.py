from __future__ import annotations

import contextlib
import os
import resource
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from compassd.line_writer import LineWriter

LINE, OTHER = b"a" * 50 + b"\n", b"b" * 50 + b"\n"


@contextlib.contextmanager
def disk_of(size: int) -> Iterator[None]:
    """Let files grow to size bytes only; Python ignores the signal, so that writes fail."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


@pytest.fixture
def file(tmp_path: Path) -> Iterator[tuple[Path, int]]:
    path = tmp_path / "out"
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    yield path, descriptor
    os.close(descriptor)


@pytest.mark.parametrize("again", [LINE, OTHER])
@pytest.mark.parametrize("fits", [0, 1, 50])
def test_a_torn_line_is_finished_before_another(file: tuple[Path, int], fits: int, again: bytes) -> None:
    path, descriptor = file
    lines = LineWriter(descriptor)
    with disk_of(fits):
        for _ in range(2):
            with pytest.raises(OSError, match="File too large"):
                lines.write(LINE)
        assert path.stat().st_size == fits
    lines.write(again)
    lines.write(OTHER)
    # What was not begun is up to the caller to repeat; what was begun is not repeated.
    begun = [LINE] if fits or again == LINE else []
    assert path.read_bytes() == b"".join([*begun, *([OTHER] if again == OTHER else []), OTHER])


def test_a_torn_line_can_be_finished_alone(file: tuple[Path, int]) -> None:
    path, descriptor = file
    lines = LineWriter(descriptor)
    lines.finish()
    with disk_of(7), pytest.raises(OSError, match="File too large"):
        lines.write(LINE)
    lines.finish()
    lines.finish()
    assert path.read_bytes() == LINE


def test_a_descriptor_that_does_not_block_is_waited_for() -> None:
    reader, writer = os.pipe()
    os.set_blocking(writer, False)
    long = b"c" * 1_000_000 + b"\n"
    thread = threading.Thread(target=LineWriter(writer).write, args=(long,))
    thread.start()
    got = b""
    while len(got) < len(long):
        got += os.read(reader, 65536)
    thread.join()
    os.close(reader)
    os.close(writer)
    assert got == long
