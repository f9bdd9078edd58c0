"""Write the completion of every shell into a directory, each under the name that its shell looks for.

usage: python3 -m tools.completion DIRECTORY
"""

from __future__ import annotations

import sys
from pathlib import Path

from tools.completion import bash, zsh
from tools.completion.tree import read_commands


def main(directory: Path) -> None:
    """Write the files."""
    root = read_commands()
    directory.mkdir(parents=True, exist_ok=True)
    (directory / "compassd").write_text(bash.script(root), encoding="utf-8")
    (directory / "_compassd").write_text(zsh.script(root), encoding="utf-8")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
