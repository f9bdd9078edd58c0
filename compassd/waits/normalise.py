"""stub"""

from compassd.waits.kinds import *


def wait_text(kind: TextKind, raw: bytes, *, cut: bool, policy: TextPolicy) -> str:
    return raw.decode(errors="replace")
