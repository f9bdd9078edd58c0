"""Give up every capability for good, except in one thread that ends once the probes are attached.

The kernel keeps capabilities per thread, and a thread begins with those of the one that starts it. So the
first thread gives up its own before there are others, and what needs them runs in one started just before.

capset(2) and prctl(2) are called directly: a library for these few calls would be one more dependency, and
libcap-ng's binding, which Debian has, is not on PyPI.
"""

from __future__ import annotations

import ctypes
import os
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Protocol, TypeVar

from compassd.errors import PrivilegeError

_Result = TypeVar("_Result")

# <linux/prctl.h> and <linux/capability.h>.
_PR_CAPBSET_DROP = 24
_PR_SET_NO_NEW_PRIVS = 38
_PR_CAP_AMBIENT, _PR_CAP_AMBIENT_CLEAR_ALL = 47, 4
_CAPABILITY_VERSION_3 = 0x20080522
_CAP_SETPCAP = 8
_LAST_CAPABILITY = Path("/proc/sys/kernel/cap_last_cap")

_libc = ctypes.CDLL(None, use_errno=True)


class _Header(ctypes.Structure):
    _fields_ = (("version", ctypes.c_uint32), ("pid", ctypes.c_int))


# Effective, permitted and inheritable, of the capabilities 0 to 31 and of those above.
_Sets = ctypes.c_uint32 * 6


class Privileged(Protocol):
    """Calls a function where the capabilities are, and returns what it returns or raises what it raises."""

    def __call__(self, function: Callable[[], _Result], /) -> _Result:
        """Call the function."""


@contextmanager
def privileged(*, drop: bool) -> Iterator[Privileged]:
    """Yield what calls functions with the capabilities that this process began with.

    Args:
        drop: Whether everything else goes on without any, and nothing has any after the end of the block.
            Then no other thread may have been started before.

    Raises:
        PrivilegeError: The kernel refuses to take them.
    """
    if not drop:
        yield _call
        return
    with ThreadPoolExecutor(max_workers=1, thread_name_prefix="privileged") as executor:
        # Its thread starts now, with all that we have.
        executor.submit(lambda: None).result()
        give_up()

        def call(function: Callable[[], _Result], /) -> _Result:
            return executor.submit(function).result()

        yield call


def give_up() -> None:
    """Take every capability from this thread and the threads and programs that it will start.

    Raises:
        PrivilegeError: The kernel refuses.
    """
    # Nothing that is executed gets any, not even as root or by a file's attributes.
    _prctl(_PR_SET_NO_NEW_PRIVS, 1)
    _prctl(_PR_CAP_AMBIENT, _PR_CAP_AMBIENT_CLEAR_ALL)
    header, sets = _Header(_CAPABILITY_VERSION_3, 0), _Sets()
    _check("capget", _libc.capget(ctypes.byref(header), sets))
    # Without that capability (the service has it not) the bounding set stays, and bounds what cannot be had.
    if sets[0] >> _CAP_SETPCAP & 1:
        for capability in range(int(_LAST_CAPABILITY.read_text()) + 1):
            _prctl(_PR_CAPBSET_DROP, capability)
    _check("capset", _libc.capset(ctypes.byref(header), _Sets()))


def _call(function: Callable[[], _Result], /) -> _Result:
    return function()


def _prctl(option: int, argument: int) -> None:
    numbers = (ctypes.c_ulong(number) for number in (argument, 0, 0, 0))
    _check("prctl", _libc.prctl(option, *numbers))


def _check(name: str, result: int) -> None:
    if result != 0:
        raise PrivilegeError(
            f"capabilities cannot be given up: {name}: {os.strerror(ctypes.get_errno())}",
            hint="allow the system calls capget, capset and prctl",
        )
