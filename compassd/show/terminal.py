"""A breach in the terminal: its facts, the hot path, and the call tree.

Texts are rich's Text objects, never its markup, and were cleaned when they were read: nothing that a client
chose can colour, move or hide anything. rich leaves colours out if there is no terminal or NO_COLOR is set.
"""

from __future__ import annotations

from collections.abc import Iterator

from rich.cells import cell_len
from rich.console import Console, Group, RenderableType
from rich.padding import Padding
from rich.table import Column, Table
from rich.text import Text

from compassd.calltree import CallTree, Step
from compassd.show.branches import Branch, Kind, grow
from compassd.show.columns import Columns
from compassd.show.document import BreachDocument
from compassd.show.names import common_root, percent, place
from compassd.show.rows import Row, rows
from compassd.text import ELLIPSIS, shorten
from compassd.units import format_duration, format_size

ON_STYLE, OFF_STYLE = "dark_orange", "dodger_blue1"  # readable on light and on dark

_SEVERITY_STYLES = {"critical": "bold red", "warning": "bold yellow"}
_HOT_SHOWN = 8  # the last steps of the hot path; those above are mostly a framework's
_MAX_FACT = 200
_WIDE = 100  # columns from which there is room for time in the function itself
_BAR = 40
_LABEL_COLUMNS = 10
_SHARE_COLUMNS = 7  # "100.0% "


def show_breach(console: Console, breach: BreachDocument) -> None:
    """Print the breach to the console, no line wider than it is."""
    tree = breach.call_tree
    files = (node.frame.file for node in tree.nodes) if tree else (s.frame.file for s in breach.hot_path)
    root = common_root(file for file in files if file)
    parts: list[RenderableType] = [_headline(breach), _facts(breach, root)]
    path = tree.hot_path() if tree else list(breach.hot_path)
    if path:
        parts += ["", _hot_path(path, root, console.width)]
    if tree:
        branch = grow(tree, breach.title)
        parts += ["", *_split(branch, console.width), "", _tree(branch, len(path), root, console.width)]
        parts += _remarks(tree)
    else:
        parts += ["", Text("There is no call tree in this breach: sampling was off when it was recorded.")]
    console.print(Group(*parts), highlight=False, markup=False, emoji=False, soft_wrap=False)


def _headline(breach: BreachDocument) -> Text:
    style = _SEVERITY_STYLES.get(breach.severity, "bold")
    return Text(breach.summary or breach.title, style)


def _facts(breach: BreachDocument, root: str) -> Table:
    grid = Table.grid(
        Column(style="dim", width=_LABEL_COLUMNS), Column(overflow="fold"), padding=(0, 1, 0, 0)
    )
    for label, fact in _fact_lines(breach, root):
        if fact:
            grid.add_row(label, Text(shorten(fact, _MAX_FACT)))
    return grid


def _fact_lines(breach: BreachDocument, root: str) -> Iterator[tuple[str, str]]:
    target = f"{breach.method} {breach.host}{breach.path}".strip()
    yield "request", _joined(target, breach.status and f"HTTP {breach.status}")
    yield (
        "took",
        _joined(
            format_duration(breach.duration_ns),
            breach.cpu_ns is not None and f"{format_duration(breach.cpu_ns)} of CPU",
            breach.memory_peak is not None and f"{format_size(breach.memory_peak)} of memory",
        ),
    )
    yield "ended", breach.timestamp
    yield "route", breach.route
    pool, pid = breach.pool and f"pool {breach.pool}", breach.pid and f"process {breach.pid}"
    yield "server", _joined(breach.server, pool, pid)
    yield "script", breach.script
    yield "tags", ", ".join(f"{name}={value}" for name, value in breach.tags)
    yield "request id", breach.request_id
    yield "rule", _joined(breach.rule, breach.severity)
    yield "breach id", breach.id
    yield "paths in", root


def _joined(*facts: str | int | None) -> str:
    return ", ".join(str(fact) for fact in facts if fact)


def _hot_path(path: list[Step], root: str, width: int) -> Group:
    """Return the end of the hot path, and what kind of time its last step is."""
    hidden = max(0, len(path) - _HOT_SHOWN)
    steps = [(step, place(step.place, root)) for step in path[hidden:]]
    columns = Columns.fit(width - _SHARE_COLUMNS, [("", step.frame.function, where) for step, where in steps])
    grid = Table.grid(
        Column(justify="right", width=_SHARE_COLUMNS - 1),
        Column(no_wrap=True, width=columns.names),
        Column(no_wrap=True, width=columns.places, style="dim"),
        padding=(0, 1, 0, 0),
    )
    if hidden:
        grid.add_row("", Text(f"{ELLIPSIS} {hidden} above", "dim"), "")
    for step, where in steps:
        share = Text(f"{step.share:.1%}", _share_style(step.share))
        grid.add_row(share, Text(columns.name("", step.frame.function)), Text(columns.place(where)))
    last = path[-1].totals
    kinds = Text.assemble(
        (f"{format_duration(last.on_ns)} on CPU", ON_STYLE),
        ", ",
        (f"{format_duration(last.off_ns)} waiting", OFF_STYLE),
        f" in {'1 wait' if last.waits == 1 else f'{last.waits} waits'}",
    )
    return Group(Text("Hot path", "bold"), grid, Padding(kinds, (0, 0, 0, _SHARE_COLUMNS)))


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


def _tree(branch: Branch, hot_length: int, root: str, width: int) -> Table:
    found = rows(branch, hot_length)
    wide = width >= _WIDE
    figures = [_figures(row, branch.all_ns, wide=wide) for row in found]
    heads = (
        ["share", "self", "on CPU", "waiting", "waits"] if wide else ["share", "on CPU", "waiting", "waits"]
    )
    widths = [
        max(cell_len(head), *(figure[column].cell_len for figure in figures))
        for column, head in enumerate(heads)
    ]
    calls = [(row.guide, _row_name(row), _row_place(row, root)) for row in found]
    columns = Columns.fit(width - sum(widths) - len(widths), calls)
    table = Table(box=None, padding=(0, 1, 0, 0), header_style="dim", pad_edge=False)
    for head, needed in zip(heads, widths, strict=True):
        table.add_column(head, justify="right", no_wrap=True, width=needed)
    table.add_column("call", no_wrap=True, width=columns.names)
    table.add_column("at", no_wrap=True, width=columns.places, style="dim")
    for row, cells in zip(found, figures, strict=True):
        table.add_row(*cells, _call(row, columns), Text(columns.place(_row_place(row, root))))
    return table


def _figures(row: Row, whole_ns: int, *, wide: bool) -> list[Text]:
    share = Text(percent(row.all_ns, whole_ns), _share_style(row.all_ns / whole_ns if whole_ns else 0.0))
    own = Text(percent(row.own_ns, whole_ns) if row.own_ns else "")
    times = row.times
    cells = [
        Text(format_duration(times.on_ns) if times.on_ns else "", ON_STYLE),
        Text(format_duration(times.off_ns) if times.off_ns else "", OFF_STYLE),
        Text(str(times.waits) if times.waits else ""),
    ]
    return [share, own, *cells] if wide else [share, *cells]


def _call(row: Row, columns: Columns) -> Text:
    guide, name = columns.guide(row.guide), columns.name(row.guide, _row_name(row))
    if row.branch is None or not row.branch.is_call:
        style = "" if row.branch and row.branch.kind is Kind.REQUEST else "dim"
    else:
        style = "bold" if row.hot else ""
    return Text.assemble((guide, "dim"), (name, style))


def _row_name(row: Row) -> str:
    if row.branch is None:
        return f"{ELLIPSIS} {row.hidden} more"
    if row.branch.kind is Kind.UNATTRIBUTED:
        return f"{row.branch.name} {format_duration(row.all_ns)}"
    return row.branch.name


def _row_place(row: Row, root: str) -> str:
    return place(row.branch.frame, root) if row.branch else ""


def _share_style(share: float) -> str:
    return "bold red" if share >= 0.5 else "yellow" if share >= 0.1 else ""  # noqa: PLR2004 - half, a tenth


def _remarks(tree: CallTree) -> list[RenderableType]:
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
    return ["", *(Text(remark, "dim") for remark in remarks)] if remarks else []
