"""The source of the eBPF program, and the headers that it is compiled against."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from compassd.errors import KernelError

# The parts of the program, compiled as one text in this order.
_PARTS = ("compass.c", "walk.c", "tree.c", "texts.c", "sampler.c", "requests.c")
# What the daemon knows of the program's records and maps.
_LAYOUT = ("compass_abi.h", "compass_records.h")


def source_directory() -> Path:
    """Return the directory of the eBPF program's source: beside the package's modules, or in a checkout.

    Raises:
        KernelError: It is in neither place.
    """
    package = Path(__file__).resolve().parent.parent
    for candidate in (package / "bpf", package.parent / "bpf"):
        if (candidate / "compass.c").is_file():
            return candidate
    raise KernelError("the source of the eBPF program is missing", hint="reinstall compassd")


def source_text(directory: Path) -> str:
    """Return the program as one text; an error in it is told by the name and line of its part."""
    return "".join(f'#line 1 "{name}"\n{(directory / name).read_text()}' for name in _PARTS)


def layout_id(directory: Path) -> str:
    """Return hexadecimal digits that differ between programs whose records or maps may differ."""
    headers = b"".join((directory / name).read_bytes() for name in _LAYOUT)
    return hashlib.sha256(headers).hexdigest()[:16]


@contextmanager
def own_headers(directory: Path) -> Iterator[None]:
    """Let bcc compile against our few headers: a server need not have its kernel's installed."""
    name = "BCC_KERNEL_SOURCE"
    before = os.environ.get(name)
    os.environ[name] = str(directory / "headers")
    try:
        yield
    finally:
        if before is None:
            del os.environ[name]
        else:
            os.environ[name] = before
