"""A table of calls in the terminal: figures, the call, its place, and what it waited for if there is room.

Not one of rich's: what belongs to a line, such as a long statement, can follow it in the full width.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from rich.cells import cell_len
from rich.text import Text

from compassd.show.columns import Columns, cut_right

_LEAST_TEXT = 30  # columns in which the beginning of a statement still says something


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """One call.

    Attributes:
        figures: What is before it.
        guide: What is drawn between the figures and the name.
        name: Of the call.
        style: Of the name.
        place: Of the call.
        waited_for: What it waited for.
    """

    figures: tuple[Text, ...]
    guide: str = ""
    name: str
    style: str = ""
    place: str
    waited_for: str = ""


@dataclass(slots=True)
class Table:
    """Lines below one another.

    Args:
        lines: At least one, all with as many figures.
        width: Of the terminal, columns.
        heads: Of the figures; none: the table has no head.
    """

    lines: Sequence[Line]
    width: int
    heads: tuple[str, ...] = ()
    _widths: list[int] = field(init=False)
    _columns: Columns = field(init=False)

    def __post_init__(self) -> None:
        """Share the columns."""
        rows = [[figure.plain for figure in line.figures] for line in self.lines]
        rows += [list(self.heads)] if self.heads else []
        self._widths = [max(map(cell_len, column)) for column in zip(*rows, strict=True)]
        calls = [(line.guide, line.name, line.place) for line in self.lines]
        self._columns = Columns.fit(self.width - self.indent, calls)

    @property
    def indent(self) -> int:
        """Columns before the call."""
        return sum(self._widths) + len(self._widths)

    def head(self) -> Text:
        """Return the line above the others."""
        head = self._row([Text(head) for head in self.heads], Text("call"), Text("at"))
        head.stylize("dim")
        return head

    def row(self, line: Line) -> Text:
        """Return one of the lines."""
        columns = self._columns
        guide, name = columns.guide(line.guide), columns.name(line.guide, line.name)
        call = Text.assemble((guide, "dim"), (name, line.style))
        row = self._row(line.figures, call, Text(columns.place(line.place), "dim"))
        room = self.width - row.cell_len - 2
        if line.waited_for and room >= min(_LEAST_TEXT, cell_len(line.waited_for)):
            row.append(f"  {cut_right(line.waited_for, room)}")
        return row

    def _row(self, figures: Sequence[Text], call: Text, place: Text) -> Text:
        row = Text(no_wrap=True, overflow="crop")
        for figure, width in zip(figures, self._widths, strict=True):
            row.append(" " * (width - figure.cell_len)).append_text(figure).append(" ")
        row.append_text(call)
        if place:
            row.append(" " * (self._columns.names - call.cell_len + 1)).append_text(place)
        return row
