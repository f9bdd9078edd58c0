"""What the laboratory raises when its own equipment fails, as opposed to what is under test."""

from __future__ import annotations


class LabError(Exception):
    """A private server that does not start, a helper that is missing, an answer that cannot be read."""
