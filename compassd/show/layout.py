"""Where the boxes of a flame graph go. Pure.

Time runs to the right, what is called is below its caller, and the heaviest call is leftmost: the left edge
is the hot path. Positions are in ns, so that nothing is lost by rounding; drawing scales them.
"""

from __future__ import annotations

from dataclasses import dataclass

from compassd.show.branches import Branch


@dataclass(frozen=True, slots=True)
class Rectangle:
    """A branch's box.

    Attributes:
        branch: What it stands for.
        start_ns: Its left edge, ns from that of the request.
        row: 0 for the request, one more than its caller's for a call.
    """

    branch: Branch
    start_ns: int
    row: int

    @property
    def width_ns(self) -> int:
        """Its width, ns; its right end is what the call spent in itself."""
        return self.branch.all_ns


def layout(root: Branch) -> list[Rectangle]:
    """Return the boxes that have a width, callers before what they call, from left to right."""
    rectangles: list[Rectangle] = []
    pending = [Rectangle(root, 0, 0)]
    while pending:
        rectangle = pending.pop()
        rectangles.append(rectangle)
        start_ns = rectangle.start_ns
        inside: list[Rectangle] = []
        for child in rectangle.branch.children:
            if child.all_ns:
                inside.append(Rectangle(child, start_ns, rectangle.row + 1))
                start_ns += child.all_ns
        pending.extend(reversed(inside))
    return rectangles
