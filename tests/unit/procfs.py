"""A procfs of our own making."""

from __future__ import annotations

import shutil
from pathlib import Path


class Proc:
    """A directory that looks like /proc."""

    def __init__(self, path: Path) -> None:
        self.path = path
        path.mkdir()
        (path / "self").mkdir()
        (path / "self" / "mountinfo").write_text(_mountinfo("254:0 /"))
        (path / "version").write_text("Linux")

    def add(  # noqa: PLR0913 - the files of a process
        self,
        pid: int,
        name: str,
        *,
        parent: int = 1,
        start: int = 1,
        title: str = "",
        maps: str = "",
        root: str = "254:0 /",
    ) -> None:
        process = self.path / str(pid)
        (process / "map_files").mkdir(parents=True, exist_ok=True)
        (process / "comm").write_text(f"{name}\n")
        (process / "cmdline").write_text(f"{title}   \0")
        # The start time is the 22nd field.
        (process / "stat").write_text(f"{pid} ({name}) S {parent} {'0 ' * 17}{start} 0")
        (process / "maps").write_text(maps)
        (process / "mountinfo").write_text(_mountinfo(root))
        if not (process / "root").exists():
            (process / "root").symlink_to("/")

    def end(self, pid: int) -> None:
        shutil.rmtree(self.path / str(pid))


def map_line(path: Path | str, start: str = "7f00-7f10", *, file: Path | None = None) -> str:
    """Return a line of maps about a file, which may go by another name where it is looked at."""
    file = file or Path(path)
    inode = file.stat().st_ino if file.exists() else 12345
    return f"{start} r-xp 00001000 fe:00 {inode} {path}\n"


def _mountinfo(root: str) -> str:
    """Return the mounts of a process: what is at its root was mounted over something else."""
    lines = (
        "21 1 0:2 / / rw - rootfs rootfs rw",
        f"25 21 {root} / rw - ext4 /dev/vda rw",
        "26 25 0:5 / /proc rw - proc proc rw",
    )
    return "".join(f"{line}\n" for line in lines)
