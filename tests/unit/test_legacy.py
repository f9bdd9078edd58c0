"""Names of the descriptors that one process leaves and the next one finds."""

from __future__ import annotations

import re
import shutil
from pathlib import Path

import pytest

from compassd.kernel.legacy import Legacy, find_legacies
from compassd.kernel.source import layout_id

_LEFT = Legacy(attached=(3, 4, 5), requests=6, symbols=7, counters=8, reported=9)
_OTHER = Legacy(attached=(13, 14), requests=16, symbols=17, counters=18, reported=19)


def test_what_is_left_is_found_again() -> None:
    kept = {**_LEFT.named("ab12", "01"), **_OTHER.named("ab12", "02")}
    assert find_legacies(kept, "ab12") == {"01": _LEFT, "02": _OTHER}


def test_what_is_attached_is_kept_after_what_it_is_read_by() -> None:
    assert list(_LEFT.named("ab12", "01").values())[-1] == _LEFT.attached


def test_names_are_such_as_systemd_keeps() -> None:
    for name in _LEFT.named("0123456789abcdef", "0123456789abcdef"):
        assert re.fullmatch(r"[a-z0-9.]{1,255}", name)


def test_what_another_release_has_left_is_not_taken_for_ours() -> None:
    assert find_legacies(_LEFT.named("ab13", "01"), "ab12") == {}
    assert find_legacies({"http.socket": (3,), "compass.ab12.requests": (4,)}, "ab12") == {}


@pytest.mark.parametrize("part", ["requests", "symbols", "counters", "reported"])
def test_a_program_that_cannot_be_read_is_none(part: str) -> None:
    kept = dict(_LEFT.named("ab12", "01"))
    del kept[f"compass.ab12.01.{part}"]
    assert find_legacies(kept, "ab12") == {}


def test_a_program_that_is_not_attached_any_more_can_be_read() -> None:
    kept = dict(_LEFT.named("ab12", "01"))
    del kept["compass.ab12.01.attached"]
    assert find_legacies(kept, "ab12")["01"].attached == ()


@pytest.mark.parametrize("header", ["compass_abi.h", "compass_records.h"])
def test_a_changed_header_is_another_layout(header: str, root: Path, tmp_path: Path) -> None:
    copy = tmp_path / "bpf"
    shutil.copytree(root / "bpf", copy)
    (copy / "walk.c").write_text("another program, the same records")
    assert layout_id(copy) == layout_id(root / "bpf")
    (copy / header).write_text((copy / header).read_text() + "\n#define COMPASS_MORE 1\n")
    assert layout_id(copy) != layout_id(root / "bpf")
