"""What the benchmark raises when it cannot measure what it means to."""

from __future__ import annotations


class BenchError(Exception):
    """Something is missing, or what was measured is not what should have been."""
