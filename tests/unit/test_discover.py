"""Finding compass.so, in a procfs and a file system of our own making."""

from __future__ import annotations

from pathlib import Path

import pytest

from compassd.kernel.discover import MAX_FILES, Discovery, mapped_extensions
from tests.unit.procfs import Proc, map_line


@pytest.fixture
def proc(tmp_path: Path) -> Proc:
    return Proc(tmp_path / "proc")


def _extension(path: Path) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(b"ELF")
    return path


def _discovery(proc: Proc, *extra: Path, directories: tuple[str, ...] = ()) -> Discovery:
    return Discovery(extra=extra, directories=directories, proc=proc.path)


def _paths(discovery: Discovery) -> set[Path]:
    return {file.path.resolve() for file in discovery.scan().values()}


def test_files_named_in_the_settings_are_found_once_they_exist(proc: Proc, tmp_path: Path) -> None:
    path = tmp_path / "compass.so"
    discovery = _discovery(proc, path)
    assert _paths(discovery) == set()
    _extension(path)
    assert _paths(discovery) == {path}


def test_files_in_phps_directories_are_found(proc: Proc, tmp_path: Path) -> None:
    old, new = (_extension(tmp_path / "php" / name / "compass.so") for name in ("20220829", "20240924"))
    _extension(tmp_path / "php" / "20220829" / "opcache.so")
    assert _paths(_discovery(proc, directories=(f"{tmp_path}/php/*",))) == {old, new}


def test_files_mapped_by_masters_are_found(proc: Proc, tmp_path: Path) -> None:
    mapped = _extension(tmp_path / "elsewhere" / "compass.so")
    proc.add(100, "php-fpm8.2", maps=map_line("/lib/libc.so.6") + map_line(mapped))
    assert _paths(_discovery(proc)) == {mapped}


def test_what_other_programs_map_is_not_found(proc: Proc, tmp_path: Path) -> None:
    proc.add(100, "compass-gps", maps=map_line(_extension(tmp_path / "compass.so")))
    assert _paths(_discovery(proc)) == set()


def test_one_file_under_two_names_is_found_once(proc: Proc, tmp_path: Path) -> None:
    path = _extension(tmp_path / "compass.so")
    link = tmp_path / "link.so"
    link.hardlink_to(path)
    proc.add(100, "php-fpm8.2", maps=map_line(path))
    assert len(_discovery(proc, path, link).scan()) == 1


def test_files_that_anybody_can_bring_along_are_bounded(
    proc: Proc, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    own = _extension(tmp_path / "own" / "compass.so")
    brought = [_extension(tmp_path / str(number) / "compass.so") for number in range(MAX_FILES)]
    proc.add(100, "php-fpm8.2", maps="".join(map(map_line, brought)))
    discovery = _discovery(proc, own)
    for _ in range(2):
        assert _paths(discovery) == {own, *brought[:-1]}
    assert len(caplog.records) == 1
    brought[0].unlink()
    assert _paths(discovery) == {own, *brought[1:]}
    assert len(caplog.records) == 1


def test_an_upgraded_file_is_another(proc: Proc, tmp_path: Path) -> None:
    path = _extension(tmp_path / "compass.so")
    discovery = _discovery(proc, path)
    (before,) = discovery.scan()
    _extension(tmp_path / "compass.so.dpkg-new").rename(path)
    (after,) = discovery.scan()
    assert before != after


def test_a_file_that_lost_its_name_is_reached_through_map_files(proc: Proc, tmp_path: Path) -> None:
    proc.add(100, "php-fpm8.2", maps=map_line("/x/compass.so (deleted)", "7f00-7f10"))
    kept = _extension(tmp_path / "kept")
    (proc.path / "100" / "map_files" / "7f00-7f10").symlink_to(kept)
    assert _paths(_discovery(proc)) == {kept}


def test_a_chroot_whose_names_begin_outside_is_reached_through_map_files(proc: Proc, tmp_path: Path) -> None:
    inside = _extension(tmp_path / "jail" / "compass.so")
    proc.add(100, "php-fpm8.2", maps=map_line(inside))
    (proc.path / "100" / "root").unlink()
    (proc.path / "100" / "root").symlink_to(tmp_path / "jail")
    (proc.path / "100" / "map_files" / "7f00-7f10").symlink_to(inside)
    assert _paths(_discovery(proc)) == {inside}


def test_a_replaced_file_is_not_taken_for_the_one_that_has_its_name_now(proc: Proc, tmp_path: Path) -> None:
    path = _extension(tmp_path / "compass.so")
    maps = map_line(path)
    kept = path.rename(tmp_path / "kept")
    _extension(path)
    proc.add(100, "php-fpm8.2", maps=maps)
    (proc.path / "100" / "map_files" / "7f00-7f10").symlink_to(kept)
    assert _paths(_discovery(proc)) == {kept}


def test_a_file_that_was_overwritten_is_another(proc: Proc, tmp_path: Path) -> None:
    path = _extension(tmp_path / "compass.so")
    discovery = _discovery(proc, path)
    (before,) = discovery.scan()
    path.write_bytes(b"another build")
    (after,) = discovery.scan()
    assert before != after


def test_a_container_is_reached_through_its_root(proc: Proc, tmp_path: Path) -> None:
    inside = _extension(tmp_path / "container" / "usr" / "compass.so")
    proc.add(100, "php-fpm", maps=map_line("/usr/compass.so", file=inside))
    (proc.path / "100" / "root").unlink()
    (proc.path / "100" / "root").symlink_to(tmp_path / "container")
    assert _paths(_discovery(proc)) == {inside}


def test_workers_are_no_masters(proc: Proc) -> None:
    proc.add(100, "php-fpm8.2")
    proc.add(101, "php-fpm8.2", parent=100)
    proc.add(102, "php-fpm8.2", parent=100)
    proc.add(200, "php-fpm8.4")
    assert _discovery(proc).masters() == [100, 200]


def test_names_with_spaces_and_parentheses_confuse_nobody(proc: Proc) -> None:
    proc.add(100, "evil) S 1 (", parent=7)
    proc.add(101, "php-fpm8.2", parent=100)
    assert _discovery(proc).masters() == [101]


def test_a_master_that_comes_later_is_found(proc: Proc) -> None:
    discovery = _discovery(proc)
    proc.add(50, "nginx")
    assert discovery.masters() == []
    proc.add(100, "php-fpm8.2")
    assert discovery.masters() == [100]
    proc.end(100)
    assert discovery.masters() == []


def test_a_process_that_becomes_php_fpm_by_exec_is_found_in_the_end(proc: Proc) -> None:
    discovery = _discovery(proc)
    proc.add(100, "sh")
    assert discovery.masters() == []
    proc.add(100, "php-fpm8.2")
    assert any(discovery.masters() == [100] for _ in range(20))


def test_a_process_id_used_again_is_looked_at_again(proc: Proc) -> None:
    discovery = _discovery(proc)
    proc.add(100, "sh")
    discovery.masters()
    proc.end(100)
    discovery.masters()
    proc.add(100, "php-fpm8.2")
    assert discovery.masters() == [100]


def test_a_process_that_is_gone_has_nothing_mapped(proc: Proc) -> None:
    assert list(mapped_extensions(proc.path, 999)) == []
