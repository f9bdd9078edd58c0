"""Paths that lead to another file while the daemon attaches: nothing is attached to that one."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from compassd.kernel.attachments import Attachments
from compassd.kernel.discover import Discovery
from compassd.kernel.extension import OpenExtension
from compassd.kernel.layout import Counter, decode_request
from compassd.kernel.limits import Limits
from compassd.kernel.program import Program
from tests.conftest import PhpFpmFactory
from tests.integration.conftest import work

pytestmark = pytest.mark.ebpf


@dataclass(frozen=True, slots=True)
class Swapped:
    """An extension that nobody else attaches to, at a path that will lead to another one.

    Attributes:
        path: The path.
        kept: Another path of the file that is there at first.
        new: What is to be renamed over the path: another extension, or a link to one.
    """

    path: Path
    kept: Path
    new: Path

    def swap(self) -> None:
        """Have the path lead to the other extension, which could be attached to as well."""
        self.new.rename(self.path)
        assert not self.path.samefile(self.kept)


@pytest.fixture
def path(extension: Path, tmp_path: Path) -> Path:
    path = tmp_path / "compass.so"
    path.write_bytes(extension.read_bytes())
    return path


@pytest.fixture(params=["renamed over it", "a link to another file"])
def swapped(request: pytest.FixtureRequest, path: Path, tmp_path: Path) -> Swapped:
    kept, new, other = (tmp_path / name for name in ("kept.so", "new.so", "other.so"))
    kept.hardlink_to(path)
    other.write_bytes(path.read_bytes())
    if request.param == "renamed over it":
        other.rename(new)
    else:
        new.symlink_to(other)
    return Swapped(path, kept, new)


@pytest.fixture
def program() -> Iterator[Program]:
    program = Program()
    program.set_limits(Limits(duration_ns=0))
    yield program
    program.close()


@pytest.fixture
def attachments(program: Program) -> Iterator[Attachments]:
    attachments = Attachments(program)
    yield attachments
    attachments.close()


def _discovery(*paths: Path) -> Discovery:
    return Discovery(extra=paths, directories=(), proc=paths[0].parent)


def _descriptors() -> set[int]:
    # All of them before any is looked at: one is that of the directory itself.
    return {int(entry.name) for entry in list(Path("/proc/self/fd").iterdir()) if entry.exists()}


def _started(attachments: Attachments) -> int:
    return attachments.program.counters()[Counter.STARTED]


def test_a_path_swapped_after_its_file_was_read_is_not_followed(
    attachments: Attachments, swapped: Swapped, php_fpm: PhpFpmFactory, monkeypatch: pytest.MonkeyPatch
) -> None:
    attach = attachments.program.attach

    def swap_and_attach(extension: OpenExtension, name: str) -> int:
        if swapped.path.samefile(swapped.kept):
            swapped.swap()
        return attach(extension, name)

    monkeypatch.setattr(attachments.program, "attach", swap_and_attach)
    attachments.update(_discovery(swapped.path).scan())
    assert attachments.paths == [swapped.path]
    php_fpm(workers=1, extension=swapped.path).request(work("another"))
    assert _started(attachments) == 0
    php_fpm(workers=1, extension=swapped.kept).request(work("read"))
    assert _started(attachments) == 1
    requests, _ = attachments.program.poll(100)
    assert [decode_request(record, 0).request.id for record in requests] == ["read"]


def test_a_path_swapped_before_its_file_is_opened_is_attached_to_at_the_next_scan(
    attachments: Attachments, swapped: Swapped, php_fpm: PhpFpmFactory, caplog: pytest.LogCaptureFixture
) -> None:
    found = _discovery(swapped.path).scan()
    swapped.swap()
    fpm = php_fpm(workers=1, extension=swapped.path)
    attachments.update(found)
    assert (attachments.paths, attachments.refused) == ([], 1)
    assert f"{swapped.path}: was replaced or changed while it was looked at" in caplog.text
    fpm.request(work("not yet"))
    assert _started(attachments) == 0
    attachments.update(_discovery(swapped.path).scan())
    assert (attachments.paths, attachments.refused) == ([swapped.path], 0)
    fpm.request(work("attached"))
    assert _started(attachments) == 1


def test_what_cannot_be_attached_to_keeps_nothing_open_and_no_other_file_from_being_attached_to(
    attachments: Attachments, path: Path, tmp_path: Path
) -> None:
    pipe, device, large = (tmp_path / name for name in ("pipe", "device", "large"))
    os.mkfifo(pipe)
    device.symlink_to("/dev/zero")
    large.touch()
    os.truncate(large, 2**40)
    before = _descriptors()
    attachments.update(_discovery(pipe, device, large, path).scan())
    assert (attachments.paths, attachments.refused) == ([path], 3)
    assert _descriptors() - before == set(attachments.descriptors)
    attachments.close()
    assert _descriptors() == before
