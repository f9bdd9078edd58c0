"""What a destination keeps of its own, without a disk."""

from __future__ import annotations


class InMemory:
    """A Memory (compassd/destinations/base.py) that ends with the process."""

    def __init__(self) -> None:
        self.kept: dict[str, str] = {}

    def get(self, key: str) -> str | None:
        """Return what was put under key, None if nothing was."""
        return self.kept.get(key)

    def put(self, key: str, value: str | None) -> None:
        """Keep value under key; None forgets it."""
        if value is None:
            self.kept.pop(key, None)
        else:
            self.kept[key] = value
