"""Start the eBPF program as the settings want it."""

from __future__ import annotations

from collections.abc import Callable

from compassd.kernel.program import Program
from compassd.kernel.symbols import Symbol
from compassd.kernel.tree import TreeReader
from compassd.settings import Settings
from compassd.waits.functions import kernel_sources
from compassd.waits.kinds import TextPolicy
from compassd.waits.show import TextShow

_NS_PER_S = 1_000_000_000


def load_program(settings: Settings) -> Program:
    """Return the loaded program, which samples if the settings say so, and is attached to no PHP-FPM yet.

    Raises:
        KernelError: The kernel refuses.
    """
    program = Program()
    if settings.sampling:
        program.start_sampling(settings.sample_rate)
        if settings.wait_texts is not TextPolicy.OFF:
            program.set_text_sources(kernel_sources())
    return program


def tree_reader(settings: Settings, names: Callable[[int], Symbol | None]) -> TreeReader:
    """Return what turns a program's records into call trees, with the texts that the settings allow.

    Args:
        settings: The settings.
        names: Names of a symbol, None if they are not known.
    """
    return TreeReader(_NS_PER_S // settings.sample_rate, names, TextShow(settings.wait_texts))
