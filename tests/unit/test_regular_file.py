from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from compassd.errors import ConfigurationError
from compassd.regular_file import NotRegularError, read_regular
from compassd.rules.load import load_rules
from compassd.settings import load_settings

COMPLAINT = "is not a regular file; pipes, <(…) and devices such as /dev/null are not read"

# What opens a pipe without a writer waits for one, and so does a reader of a terminal.
pytestmark = pytest.mark.timeout(10)


@pytest.fixture(params=["fifo", "device", "process substitution"])
def irregular(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Path]:
    reader, writer = os.pipe()
    os.mkfifo(tmp_path / "fifo")
    yield {
        "fifo": tmp_path / "fifo",
        "device": Path("/dev/zero"),
        "process substitution": Path(f"/dev/fd/{reader}"),
    }[request.param]
    os.close(reader)
    os.close(writer)


def test_what_may_have_no_end_is_no_rules_file(irregular: Path) -> None:
    with pytest.raises(ConfigurationError) as caught:
        load_rules(irregular)
    assert str(caught.value) == f"{irregular}: {COMPLAINT} [R001]"


def test_what_may_have_no_end_is_no_settings_file(irregular: Path) -> None:
    with pytest.raises(ConfigurationError) as caught:
        load_settings(irregular)
    assert str(caught.value) == f"{irregular} {COMPLAINT}"


def test_a_file_that_becomes_a_pipe_before_it_is_opened_is_read_all_the_same(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path, fifo = tmp_path / "path", tmp_path / "fifo"
    path.write_bytes(b"content")
    os.mkfifo(fifo)
    look = os.fstat

    def look_and_replace(descriptor: int) -> os.stat_result:
        if fifo.exists():
            fifo.rename(path)
        return look(descriptor)

    monkeypatch.setattr(os, "fstat", look_and_replace)
    assert read_regular(path) == b"content"
    assert path.is_fifo()
    with pytest.raises(NotRegularError):
        read_regular(path)


def test_a_link_to_a_file_is_a_file(tmp_path: Path) -> None:
    target, link = tmp_path / "target", tmp_path / "link"
    target.write_text("content")
    link.symlink_to(target)
    assert read_regular(link) == b"content"
    assert read_regular(link, 3) == b"con"
