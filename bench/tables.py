"""Markdown: paragraphs, tables and the figures in them. Pure functions."""

from __future__ import annotations

import textwrap
from collections.abc import Iterable, Sequence

from bench.ratios import Estimate

_WIDTH = 118
_KIB = 1024
_NS_PER_US, _NS_PER_MS = 1000, 1_000_000


def paragraph(text: str) -> str:
    """Return text, whatever its lines, in lines of their proper width."""
    return (
        textwrap.fill(" ".join(text.split()), _WIDTH, break_long_words=False, break_on_hyphens=False) + "\n"
    )


def table(head: Sequence[str], rows: Iterable[Sequence[str]], *, texts: int = 1) -> str:
    """Return a table. No cell may hold a vertical bar.

    Args:
        head: What is above the columns.
        rows: The rest.
        texts: How many columns, from the left, hold text; the others hold figures.
    """
    alignments = ["---"] * texts + ["---:"] * (len(head) - texts)
    return "\n".join(f"| {' | '.join(cells)} |" for cells in (head, alignments, *rows)) + "\n"


def interval(estimate: Estimate, decimals: int) -> str:
    """Return the ends of the confidence interval."""
    return f"{estimate.low:.{decimals}f} to {estimate.high:.{decimals}f}"


def ms(nanoseconds: float) -> str:
    """Return a time in milliseconds."""
    return f"{nanoseconds / _NS_PER_MS:.1f} ms"


def us(nanoseconds: float) -> str:
    """Return a time in microseconds."""
    return f"{nanoseconds / _NS_PER_US:.1f} us"


def ns(nanoseconds: float) -> str:
    """Return a time in nanoseconds."""
    return f"{nanoseconds:.0f} ns"


def kib(size: float) -> str:
    """Return a size in KiB."""
    return f"{size / _KIB:,.0f} KiB"


def mb(size: float) -> str:
    """Return a size in MB."""
    return f"{size / 10**6:.1f} MB"


def percent(share: float) -> str:
    """Return a share of one in percent."""
    return f"{share:.2%}".replace("%", " %")


def at_most(value: float, goal: float, shown: str) -> str:
    """Return a goal as it is shown, and whether a value reaches it."""
    return f"<= {shown}: {'reached' if value <= goal else 'missed'}"


def verdict(ratio: Estimate, goal: float, noise: Estimate) -> str:
    """Return whether a ratio reaches its goal.

    A ratio over it that is no further from 1 than what the control shows against itself says nothing.
    """
    if ratio.value <= goal:
        return "reached"
    if ratio.value - 1 <= max(noise.high - 1, 1 - noise.low):
        return "not told from noise"
    return "missed"
