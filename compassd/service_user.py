"""Ask as root what the service may do, which is not root."""

from __future__ import annotations

import os
import pwd
from collections.abc import Iterator
from contextlib import contextmanager

USER = "compassd"
"""Whom packaging/systemd/compassd.service runs as."""


@contextmanager
def as_service_user() -> Iterator[None]:
    """Do with the rights of the service's user what is in the block, if we are root and there is that user.

    For commands typed by hand: what root can read, the service cannot always.
    """
    user = _service_user()
    if user is None:
        yield
        return
    group, groups = os.getegid(), os.getgroups()
    try:
        os.initgroups(user.pw_name, user.pw_gid)
        os.setegid(user.pw_gid)
        os.seteuid(user.pw_uid)
        yield
    finally:
        os.seteuid(0)
        os.setegid(group)
        os.setgroups(groups)


def _service_user() -> pwd.struct_passwd | None:
    if os.geteuid() != 0:
        return None
    try:
        return pwd.getpwnam(USER)
    except KeyError:
        return None
