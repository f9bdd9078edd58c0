"""A breach in the terminal: its facts, the hot path, the longest waits, and the call tree.

Texts are rich's Text objects, never its markup, and were cleaned when they were read: nothing that a client
chose can colour, move or hide anything. rich leaves colours out if there is no terminal or NO_COLOR is set.
"""

from __future__ import annotations

from collections.abc import Sequence

from rich.console import Console, Group, RenderableType
from rich.padding import Padding
from rich.table import Column
from rich.table import Table as Grid
from rich.text import Text

from compassd.calltree import CallTree, Step
from compassd.show.branches import Branch, grow
from compassd.show.document import NO_TREE, BreachDocument
from compassd.show.facts import LABEL_COLUMNS, facts
from compassd.show.figures import OFF_STYLE, ON_STYLE, share
from compassd.show.names import common_root, percent, place
from compassd.show.places import TOP_SELF, TOP_WAITS, longest_waits, top_self
from compassd.show.table import Line, Table
from compassd.show.tree_table import tree_table
from compassd.text import ELLIPSIS
from compassd.units import format_duration

_SEVERITY_STYLES = {"critical": "bold red", "warning": "bold yellow"}
_HOT_SHOWN = 8  # the last steps of the hot path; those above are mostly a framework's
_BAR = 40


def show_breach(console: Console, breach: BreachDocument) -> None:
    """Print the breach to the console, no line wider than it is."""
    tree = breach.call_tree
    files = (node.frame.file for node in tree.nodes) if tree else (s.frame.file for s in breach.hot_path)
    root = common_root(file for file in files if file)
    path = tree.hot_path() if tree else list(breach.hot_path)
    own = tree.top_self(TOP_SELF) if tree else breach.top_self
    waits = tree.wait_places(TOP_WAITS) if tree else breach.wait_places
    sections: list[Sequence[RenderableType]] = [
        [_headline(breach), _facts(breach, root)],
        _hot_path(path, breach.duration_ns, root, console.width),
        top_self(own, breach.duration_ns, root, console.width),
        longest_waits(waits, breach.duration_ns, root, console),
    ]
    if tree:
        branch = grow(tree, breach.title)
        sections += [
            _split(branch, console.width),
            tree_table(branch, len(path), root, console.width),
            _remarks(tree),
        ]
    else:
        sections.append([Text(f"There is no call tree in this breach: {NO_TREE}.")])
    parts = [part for section in sections if section for part in ("", *section)][1:]
    console.print(Group(*parts), highlight=False, markup=False, emoji=False, soft_wrap=False)


def _headline(breach: BreachDocument) -> Text:
    style = _SEVERITY_STYLES.get(breach.severity, "bold")
    return Text(breach.summary or breach.title, style)


def _facts(breach: BreachDocument, root: str) -> Grid:
    grid = Grid.grid(Column(style="dim", width=LABEL_COLUMNS), Column(overflow="fold"), padding=(0, 1, 0, 0))
    for label, fact in facts(breach, root):
        grid.add_row(label, Text(fact))
    return grid


def _hot_path(path: list[Step], duration_ns: int, root: str, width: int) -> list[RenderableType]:
    """Return the end of the hot path, and what kind of time its last step is."""
    if not path:
        return []
    hidden = max(0, len(path) - _HOT_SHOWN)
    lines = [
        Line(
            figures=(share(step.totals.all_ns, duration_ns),),
            name=step.frame.function,
            place=place(step.place, root),
        )
        for step in path[hidden:]
    ]
    table = Table(lines, width)
    last = path[-1].totals
    kinds = Text.assemble(
        (f"{format_duration(last.on_ns)} on CPU", ON_STYLE),
        ", ",
        (f"{format_duration(last.off_ns)} waiting", OFF_STYLE),
        f" in {'1 wait' if last.waits == 1 else f'{last.waits} waits'}" if last.waits else "",
    )
    above = [_indented(Text(f"{ELLIPSIS} {hidden} above", "dim"), table)] if hidden else []
    return [Text("Hot path", "bold"), *above, *map(table.row, lines), _indented(kinds, table)]


def _indented(text: Text, table: Table) -> Padding:
    return Padding(text, (0, 0, 0, table.indent))


def _split(branch: Branch, width: int) -> list[RenderableType]:
    """Return a line and a bar that say what kind of time the request's was."""
    whole_ns, below = branch.all_ns, branch.below
    kinds = (
        ("on CPU", below.on_ns, ON_STYLE, "█"),
        ("waiting", below.off_ns, OFF_STYLE, "▓"),
        ("unattributed", whole_ns - below.all_ns, "dim", "░"),
    )
    line, bar = Text(f"{format_duration(whole_ns)} = "), Text()
    columns, told_ns, drawn = min(_BAR, width), 0, 0
    for index, (name, ns, style, block) in enumerate(kinds):
        line.append(" + " if index else "")
        line.append(f"{format_duration(ns)} {name} ({percent(ns, whole_ns)})", style)
        told_ns += ns
        end = round(columns * told_ns / whole_ns) if whole_ns else 0
        bar.append(block * (end - drawn), style)
        drawn = end
    return [Text("Where the time went", "bold"), line, bar]


def _remarks(tree: CallTree) -> list[Text]:
    remarks = []
    if tree.walks:
        cost = percent(tree.walk_ns, tree.duration_ns)
        remarks.append(
            f"{tree.walks} stacks were walked, which took {format_duration(tree.walk_ns)} ({cost})."
        )
    if tree.cut_stacks:
        remarks.append(f"{tree.cut_stacks} stacks were too deep: they lack the calls nearest to the root.")
    if tree.other.all_ns:
        remarks.append("(other) is time in calls that found no room in the tree.")
    return [Text(remark, "dim") for remark in remarks]
