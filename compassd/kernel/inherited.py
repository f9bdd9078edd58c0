"""Read what the eBPF program of a process that has ended goes on collecting."""

from __future__ import annotations

from compassd.kernel.assemble import Assembler
from compassd.kernel.layout import Counter
from compassd.kernel.legacy import Legacy
from compassd.kernel.program import RequestRing, read_counters, read_reported, symbol_reader
from compassd.kernel.symbols import Symbol, Symbols


class Inherited:
    """A program that another process has loaded.

    Args:
        legacy: Its descriptors, which stay open.

    Raises:
        KernelError: It cannot be read.
    """

    def __init__(self, legacy: Legacy) -> None:
        self._legacy = legacy
        self._ring = RequestRing(legacy.requests)
        self._symbols = Symbols(symbol_reader(legacy.symbols))
        self._assembler = Assembler()

    @property
    def assembler(self) -> Assembler:
        """What puts its records together: those of another program may be about the same workers."""
        return self._assembler

    def records(self) -> list[bytes]:
        """Return the records of request_shutdown that nobody has read."""
        return self._ring.read()

    def symbol(self, key: int) -> Symbol | None:
        """Return what it has read about a function, None if it does not know it."""
        return self._symbols.get(key)

    def unreported(self) -> dict[Counter, int]:
        """Return what it has counted and no process has told of."""
        counters, reported = read_counters(self._legacy.counters), read_reported(self._legacy.reported)
        return {counter: counters[counter] - reported[counter] for counter in Counter}

    def close(self) -> None:
        """Free what it was read with."""
        self._ring.close()
