"""What the kernel lets through to user space."""

from __future__ import annotations

from dataclasses import dataclass

# A limit that no value exceeds.
UNLIMITED = 2**64 - 1


@dataclass(frozen=True, slots=True)
class Limits:
    """What the kernel lets through: a request that exceeds at least one of the first four.

    Attributes:
        duration_ns: Wall time, ns.
        cpu_ns: CPU time, ns.
        memory: Peak memory, bytes.
        waits: Waits of its call tree; a request without one exceeds none.
        function_ns: Least wall time of a function call that is sent, ns.
        sampling: Whether every request gets a call tree. start_sampling() fills them.
    """

    duration_ns: int = UNLIMITED
    cpu_ns: int = UNLIMITED
    memory: int = UNLIMITED
    waits: int = UNLIMITED
    function_ns: int = 0
    sampling: bool = False
