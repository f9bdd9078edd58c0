"""Share the columns of a terminal between functions and their places. Pure.

Names lose their namespaces first, all or none, then their ends; places lose their beginnings, because file
name and line are at the end.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from rich.cells import cell_len
from rich.text import Text

from compassd.show.names import short_name
from compassd.text import ELLIPSIS

_LEAST_PLACES = 0.4  # of the room, if places need it


@dataclass(frozen=True, slots=True)
class Columns:
    """How much room there is.

    Attributes:
        names: For guide and name, columns of the terminal.
        places: For file:line, likewise.
        short: Whether namespaces are left out.
    """

    names: int
    places: int
    short: bool

    @classmethod
    def fit(cls, room: int, calls: Sequence[tuple[str, str, str]]) -> Columns:
        """Return the division of room, one column of which is between them, for (guide, name, place) each."""
        room = max(2, room - 1)
        long = max((cell_len(guide + name) for guide, name, _ in calls), default=0)
        brief = max((cell_len(guide + short_name(name)) for guide, name, _ in calls), default=0)
        where = max((cell_len(place) for _, _, place in calls), default=0)
        if long + where <= room:
            return cls(max(1, long), max(1, where), short=False)
        places = max(1, min(where, max(int(room * _LEAST_PLACES), room - brief)))
        return cls(max(1, min(room - places, brief)), places, short=True)

    def guide(self, guide: str) -> str:
        """Return what fits of a guide: however deep the tree, half of the room is left for names."""
        return cut_left(guide, self.names // 2)

    def name(self, guide: str, name: str) -> str:
        """Return what fits of a name after its guide."""
        return cut_right(short_name(name) if self.short else name, self.names - cell_len(self.guide(guide)))

    def place(self, place: str) -> str:
        """Return what fits of a place."""
        return cut_left(place, self.places)


def cut_right(text: str, columns: int) -> str:
    """Return the beginning of text that fits in so many columns, at least one; marked if cut."""
    found = Text(text)
    found.truncate(max(1, columns), overflow="ellipsis")
    return found.plain


def cut_left(text: str, columns: int) -> str:
    """Return the end of text that fits in so many columns, from a slash on if there is one; marked if cut."""
    if cell_len(text) <= columns:
        return text
    start = max(0, len(text) - columns + 1)
    while cell_len(text[start:]) > columns - 1 and start < len(text):
        start += 1
    slash = text.find("/", start)
    return (ELLIPSIS + text[slash if slash >= 0 else start :]) if columns > 0 else ""
