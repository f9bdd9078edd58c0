"""What a daemon without privileges takes for new."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import pytest

from compassd.kernel.discover import Discovery
from compassd.kernel.lookout import Lookout
from tests.unit.procfs import Proc, map_line

_TITLE = "php-fpm: master process (/etc/php/8.2/fpm/php-fpm.conf)"
_CONTAINER = "0:70 /"


@dataclass
class Machine:
    """A machine with one php-fpm, and a lookout that has seen it."""

    proc: Proc
    extension: Path
    lookout: Lookout

    def hide(self, *pids: int) -> None:
        """Let files mapped by processes be as they are to who has no privileges."""
        for pid in pids:
            (self.proc.path / str(pid) / "maps").unlink()


@pytest.fixture
def machine(tmp_path: Path) -> Machine:
    proc = Proc(tmp_path / "proc")
    extension = tmp_path / "opt" / "compass.so"
    extension.parent.mkdir()
    extension.write_bytes(b"ELF")
    proc.add(100, "php-fpm8.2", title=_TITLE, maps=map_line(extension))
    machine = Machine(proc, extension, Lookout(Discovery(directories=(), proc=proc.path)))
    assert len(machine.lookout.survey()) == 1
    machine.hide(100)
    return machine


def test_what_was_there_is_not_new(machine: Machine) -> None:
    assert machine.lookout.new_master() is None
    assert machine.lookout.new_file() is None


def test_a_php_fpm_that_was_started_again_is_not_new(machine: Machine) -> None:
    machine.proc.end(100)
    machine.proc.add(200, "php-fpm8.2", title=_TITLE, start=2)
    assert machine.lookout.new_master() is None


def test_a_php_fpm_that_is_started_again_after_an_upgrade_is_not_new(tmp_path: Path) -> None:
    """It still ran the file that had been replaced before anybody looked: both packages were upgraded."""
    proc = Proc(tmp_path / "proc")
    extension = tmp_path / "compass.so"
    proc.add(100, "php-fpm8.2", title=_TITLE, maps=map_line(f"{extension} (deleted)"))
    (proc.path / "100/map_files/7f00-7f10").symlink_to(f"{extension} (deleted)")
    extension.write_bytes(b"ELF")
    lookout = Lookout(Discovery(directories=(), proc=proc.path))
    lookout.survey()
    proc.end(100)
    proc.add(200, "php-fpm8.2", title=_TITLE, start=2)
    assert lookout.new_master() is None


@pytest.mark.parametrize(
    ("name", "title", "root"),
    [
        ("php-fpm8.4", _TITLE, "254:0 /"),
        ("php-fpm8.2", "php-fpm: master process (/srv/fpm.conf)", "254:0 /"),
        ("php-fpm8.2", _TITLE, _CONTAINER),
        ("php-fpm8.2", _TITLE, "254:0 /var/lib/machines/one"),
    ],
)
def test_another_php_fpm_is_new(machine: Machine, name: str, title: str, root: str) -> None:
    machine.proc.add(200, name, title=title, root=root)
    assert machine.lookout.new_master() == 200


def test_a_container_started_again_is_new(tmp_path: Path) -> None:
    """The number of its file system may be that of another one by now, and its files cannot be seen."""
    proc = Proc(tmp_path / "proc")
    extension = tmp_path / "compass.so"
    extension.write_bytes(b"ELF")
    proc.add(100, "php-fpm", title=_TITLE, maps=map_line(extension), root=_CONTAINER)
    lookout = Lookout(Discovery(directories=(), proc=proc.path))
    lookout.survey()
    assert lookout.new_master() is None
    proc.end(100)
    proc.add(200, "php-fpm", title=_TITLE, root=_CONTAINER)
    assert lookout.new_master() == 200


def test_a_process_id_that_is_used_again_is_new(machine: Machine) -> None:
    machine.proc.end(100)
    machine.proc.add(100, "php-fpm8.2", title="php-fpm: master process (/srv/fpm.conf)", start=2)
    assert machine.lookout.new_master() == 100


def test_one_without_the_extension_is_new_when_it_is_started_again(machine: Machine) -> None:
    """It may have it now, at a path that was never seen."""
    machine.proc.add(200, "php-fpm7.4", title=_TITLE)
    machine.lookout.survey()
    assert machine.lookout.new_master() is None
    machine.proc.end(200)
    machine.proc.add(300, "php-fpm7.4", title=_TITLE)
    assert machine.lookout.new_master() == 300


def test_a_master_that_still_loads_its_extensions_is_new_once_it_has(machine: Machine) -> None:
    machine.proc.add(200, "php-fpm8.4", title="/usr/sbin/php-fpm8.4 --nodaemonize")
    machine.lookout.survey()
    assert machine.lookout.new_master() is None
    machine.proc.add(200, "php-fpm8.4", title=_TITLE)
    assert machine.lookout.new_master() == 200


def test_a_process_that_hides_its_mounts_is_new(machine: Machine) -> None:
    machine.proc.add(200, "php-fpm8.2", title=_TITLE)
    (machine.proc.path / "200" / "mountinfo").unlink()
    assert machine.lookout.new_master() == 200


def test_a_file_that_cannot_be_attached_to_is_told_once_and_is_not_new(
    machine: Machine, caplog: pytest.LogCaptureFixture
) -> None:
    """At a path that is known because php-fpm had a file of it mapped."""
    machine.extension.unlink()
    machine.extension.write_bytes(b"another")
    assert machine.lookout.new_file() is None
    assert machine.lookout.new_file() is None
    assert [record.message.split(":")[0] for record in caplog.records] == [str(machine.extension)]
