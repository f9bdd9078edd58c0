"""Where the time of a request went: a tree of calls, with the time spent in each. Pure.

The kernel walks PHP's stack when its clock ticks in a worker, and when a worker leaves the processor. What
it finds is a tree: a node is a place in the code, reached by the path of places above it. Time on the
processor is counted in whole ticks, so it is an estimate; time off the processor is measured exactly.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass

NO_PARENT = -1


@dataclass(frozen=True, slots=True)
class Frame:
    """A place in the code.

    Attributes:
        function: Function, or Class::method; {main} for code outside of functions.
        file: Where the function is, "" for an internal one.
        line: The line it was at, which is the line of its call to the next frame; 0 for an internal function.
    """

    function: str
    file: str
    line: int


@dataclass(frozen=True, slots=True)
class Node:
    """A frame reached by one path, with the time spent in it itself.

    Attributes:
        frame: The place.
        parent: Index of the caller's node, less than this node's own; NO_PARENT for a root.
        on_ns: Time on the processor, ns.
        off_ns: Time off the processor, ns: it waited for something, or others had the processor.
        waits: How often it waited.
        waited_for: For what, in the longest of its waits: SQL, a path; masked, "" if it is not known.
    """

    frame: Frame
    parent: int
    on_ns: int
    off_ns: int
    waits: int
    waited_for: str = ""

    @property
    def self_ns(self) -> int:
        """All time spent in the frame itself, ns."""
        return self.on_ns + self.off_ns


@dataclass(frozen=True, slots=True)
class Totals:
    """Time in a frame and everything it called, ns, and waits."""

    on_ns: int = 0
    off_ns: int = 0
    waits: int = 0

    @property
    def all_ns(self) -> int:
        """On and off the processor together, ns."""
        return self.on_ns + self.off_ns


@dataclass(frozen=True, slots=True)
class Step:
    """One frame of the hot path.

    Attributes:
        frame: The frame.
        place: Where it is in the user's code: an internal function is where it is called.
        totals: Time in it and below.
        share: Of the request's duration, 0 to 1.
        waited_for: For what it waited itself, "" if it is not known.
    """

    frame: Frame
    place: Frame
    totals: Totals
    share: float
    waited_for: str = ""


@dataclass(frozen=True, slots=True)
class WaitPlace:
    """A place that waited, over all paths that lead to it.

    Attributes:
        frame: The function, with the file and line of the user's code that it is in or was called from.
        totals: Time in it itself, and its waits.
        waited_for: For what, "" if it is not known.
    """

    frame: Frame
    totals: Totals
    waited_for: str


@dataclass(frozen=True, slots=True, kw_only=True)
class CallTree:
    """The calls of one request.

    Attributes:
        duration_ns: Of the request, ns. On, off and unattributed time add up to it.
        nodes: Parents before their children.
        other: Time that found no room in the tree.
        cut_stacks: Stacks deeper than the bound; they are cut at the root.
        walks: How many stacks were walked.
        walk_ns: What that took, ns.
        last: Index of the node that was seen last, NO_PARENT if none was.
    """

    duration_ns: int
    nodes: tuple[Node, ...]
    other: Totals = Totals()
    cut_stacks: int = 0
    walks: int = 0
    walk_ns: int = 0
    last: int = NO_PARENT

    def totals(self) -> list[Totals]:
        """Return for each node the time in it and everything below."""
        on, off, waits = (
            [getattr(node, name) for node in self.nodes] for name in ("on_ns", "off_ns", "waits")
        )
        for index in range(len(self.nodes) - 1, -1, -1):
            parent = self.nodes[index].parent
            if parent != NO_PARENT:
                on[parent] += on[index]
                off[parent] += off[index]
                waits[parent] += waits[index]
        return [Totals(*values) for values in zip(on, off, waits, strict=True)]

    def attributed(self) -> Totals:
        """Return the time that is accounted for, what found no room included."""
        return Totals(
            self.other.on_ns + sum(node.on_ns for node in self.nodes),
            self.other.off_ns + sum(node.off_ns for node in self.nodes),
            self.other.waits + sum(node.waits for node in self.nodes),
        )

    def inside(self, is_meant: Callable[[str], bool]) -> Totals:
        """Return the time in the functions whose names are meant and in everything they called, and waits.

        What one of them spends inside of another counts once. What found no room in the tree has no function.
        """
        inside: list[bool] = []
        for node in self.nodes:
            above = node.parent != NO_PARENT and inside[node.parent]
            inside.append(above or is_meant(node.frame.function))
        found = [node for node, is_inside in zip(self.nodes, inside, strict=True) if is_inside]
        return Totals(
            sum(node.on_ns for node in found),
            sum(node.off_ns for node in found),
            sum(node.waits for node in found),
        )

    @property
    def unattributed_ns(self) -> int:
        """Time of the request that is not accounted for, ns; never negative."""
        return max(0, self.duration_ns - self.attributed().all_ns)

    def hot_path(self) -> list[Step]:
        """Return the path from a root to the heaviest leaf: at each node to the child with the most time.

        It ends at a node in which itself more time was spent than in any of its children.
        """
        totals = self.totals()
        children = self._children()
        path: list[Step] = []
        candidates: Sequence[int] = children[NO_PARENT]
        own_ns = 0
        while candidates:
            heaviest = max(candidates, key=lambda index: totals[index].all_ns)
            if totals[heaviest].all_ns <= own_ns:
                break
            node = self.nodes[heaviest]
            share = totals[heaviest].all_ns / self.duration_ns if self.duration_ns else 0.0
            path.append(Step(node.frame, self.place(heaviest), totals[heaviest], share, node.waited_for))
            own_ns = node.self_ns
            candidates = children[heaviest]
        return path

    def top_self(self, count: int) -> list[tuple[Frame, Totals]]:
        """Return the places in which themselves most time was spent, over all paths, most first."""
        places: dict[Frame, Totals] = {}
        for index, node in enumerate(self.nodes):
            if node.self_ns:
                place = self.place(index)
                places[place] = _sum(places.get(place), node)
        return sorted(places.items(), key=lambda item: -item[1].all_ns)[:count]

    def wait_places(self, count: int) -> list[WaitPlace]:
        """Return where the request waited and what for, over all paths, the longest time first."""
        places: dict[tuple[Frame, str], Totals] = {}
        for index, node in enumerate(self.nodes):
            if node.waits:
                key = (self.place(index), node.waited_for)
                places[key] = _sum(places.get(key), node)
        found = [WaitPlace(frame, totals, text) for (frame, text), totals in places.items()]
        return sorted(found, key=lambda place: (-place.totals.off_ns, -place.totals.waits))[:count]

    def last_seen(self) -> WaitPlace | None:
        """Return where the request was seen last, with what it spent there itself; None if it never was."""
        if self.last == NO_PARENT:
            return None
        node = self.nodes[self.last]
        return WaitPlace(self.place(self.last), _sum(None, node), node.waited_for)

    def place(self, index: int) -> Frame:
        """Return where a node's frame is in the user's code: an internal function is where it is called."""
        frame, parent = self.nodes[index].frame, self.nodes[index].parent
        while parent != NO_PARENT and not frame.file:
            above = self.nodes[parent].frame
            frame, parent = Frame(frame.function, above.file, above.line), self.nodes[parent].parent
        return frame

    def _children(self) -> dict[int, list[int]]:
        children: dict[int, list[int]] = defaultdict(list)
        for index, node in enumerate(self.nodes):
            children[node.parent].append(index)
        return children


def _sum(sofar: Totals | None, node: Node) -> Totals:
    before = sofar or Totals()
    return Totals(before.on_ns + node.on_ns, before.off_ns + node.off_ns, before.waits + node.waits)
