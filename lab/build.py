"""Builds the PHP extension for the lab."""

from __future__ import annotations

import subprocess
from pathlib import Path

from lab.errors import LabError
from lab.php_fpm import default_version

ROOT = Path(__file__).resolve().parent.parent
_BUILD_S = 300


def build_extension(directory: Path, *, version: str | None = None) -> Path:
    """Build compass.so for that PHP version into directory and return its path.

    Args:
        directory: Where it goes.
        version: PHP version; by default the one that PhpFpm runs.
    """
    command: list[str | Path] = [ROOT / "extension" / "build.sh", "--version", version or default_version()]
    directory.mkdir(parents=True, exist_ok=True)
    built = subprocess.run(
        [*map(str, command), str(directory)], check=False, capture_output=True, text=True, timeout=_BUILD_S
    )
    if built.returncode != 0:
        raise LabError(f"extension/build.sh failed:\n{(built.stdout + built.stderr)[-4000:]}")
    # The path is the last line: a compiler may have spoken before.
    return Path(built.stdout.splitlines()[-1])
