"""A flame graph in one SVG file: it opens in any browser and loads nothing from anywhere.

Every box is a nested <svg> with its place and width in percent, so that labels are clipped by their box and
zooming is a change of two attributes. Orange is time on the processor, blue time spent waiting; each box is
divided by them.
"""

from __future__ import annotations

import posixpath
import re
from xml.sax.saxutils import escape

from compassd.show.branches import Branch, Kind
from compassd.show.layout import Rectangle, layout
from compassd.show.names import percent, place, short_name
from compassd.show.svg_page import LEGEND, SCRIPT, STYLE
from compassd.text import REPLACEMENT, clean_text, shorten
from compassd.units import format_duration

WIDTH_PX = 1_200
"""Until the script fits the picture to its window."""
HEADER_PX = 82
FOOTER_PX = 12
ROW_PX = 20

_MAX_SUBTITLE = 160
_MAX_WAITED_FOR = 200  # characters in a box; the details have all of it
# XML 1.0 has no way to write these, escaped or not.
_NO_XML = re.compile("[\ufffe\uffff]")


def svg(root: Branch, title: str) -> str:
    """Return the picture of a request's calls, headed by the title."""
    rectangles = layout(root)
    height = HEADER_PX + ROW_PX * (1 + max(rectangle.row for rectangle in rectangles)) + FOOTER_PX
    boxes = "".join(_box(rectangle, root.all_ns) for rectangle in rectangles)
    return (
        '<?xml version="1.0" encoding="UTF-8"?>\n'
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{WIDTH_PX}" height="{height}" class="compass">\n'
        f"<style>{STYLE}</style>\n"
        '<rect class="page" width="100%" height="100%"/>\n'
        f'<text class="title" x="12" y="24">{_xml(shorten(title, _MAX_SUBTITLE))}</text>\n'
        f'<text class="facts" x="12" y="44">{_xml(_facts(root))}</text>\n'
        f"{LEGEND}"
        '<text class="detail" x="12" y="68">Hover for details, click to zoom, Escape to zoom out.</text>\n'
        f'<svg class="boxes" x="1%" y="{HEADER_PX}" width="98%" height="{height - HEADER_PX}">\n'
        f"{boxes}</svg>\n"
        f"<script>{SCRIPT}</script>\n"
        "</svg>\n"
    )


def _box(rectangle: Rectangle, whole_ns: int) -> str:
    branch, width_ns = rectangle.branch, rectangle.width_ns
    on = _percentage(branch.below.on_ns, width_ns)
    seen = _percentage(branch.below.all_ns, width_ns)
    fills = ['<rect class="none" width="100%" height="100%"/>']
    if branch.below.off_ns:
        fills.append(f'<rect class="off" width="{seen}" height="100%"/>')
    if branch.below.on_ns:
        fills.append(f'<rect class="on" width="{on}" height="100%"/>')
    # A request that took no time at all is still a box.
    start, width = _percentage(rectangle.start_ns, whole_ns), _percentage(width_ns or 1, whole_ns or 1)
    return (
        f'<svg x="{start}" y="{ROW_PX * rectangle.row}" width="{width}" height="{ROW_PX}">'
        f"<title>{_xml(_details(branch, whole_ns))}</title>{''.join(fills)}"
        f'<rect class="edge" width="100%" height="100%"/>'
        f'<text x="5" y="14">{_xml(_label(branch, whole_ns))}</text></svg>\n'
    )


def _label(branch: Branch, whole_ns: int) -> str:
    """Return what is written into a box, most important first: it is cut to the box's width."""
    file = posixpath.basename(branch.frame.file)
    waits = f", {_waits(branch)}" if branch.internal and branch.below.waits else ""
    parts = (
        short_name(branch.name) if branch.is_call else branch.name,
        f"{file}:{branch.frame.line}" if file else "",
        f"{percent(branch.all_ns, whole_ns)}{waits}",
        shorten(branch.waited_for, _MAX_WAITED_FOR),
    )
    return "  ".join(part for part in parts if part)


def _waits(branch: Branch) -> str:
    return "1 wait" if branch.below.waits == 1 else f"{branch.below.waits} waits"


def _details(branch: Branch, whole_ns: int) -> str:
    """Return all there is to say of a box, on lines of its own."""
    share = f"{percent(branch.all_ns, whole_ns)}, {format_duration(branch.all_ns)}"
    if branch.kind is Kind.UNATTRIBUTED:
        return f"{branch.name}\n{share}: not seen on the processor or off it"
    below, own = branch.below, branch.own
    times = (
        f"{share}: {format_duration(below.on_ns)} on CPU, {format_duration(below.off_ns)} waiting "
        f"({_waits(branch)})"
    )
    itself = f"in itself {format_duration(own.all_ns)}" if branch.children and branch.is_call else ""
    waited_for = branch.waited_for and f"waited for {branch.waited_for}"
    return "\n".join(part for part in (branch.name, place(branch.frame), times, itself, waited_for) if part)


def _facts(root: Branch) -> str:
    below, whole_ns = root.below, root.all_ns
    parts = [("on CPU", below.on_ns), ("waiting", below.off_ns), ("unattributed", whole_ns - below.all_ns)]
    return f"{format_duration(whole_ns)} = " + " + ".join(
        f"{format_duration(ns)} {name} ({percent(ns, whole_ns)})" for name, ns in parts
    )


def _percentage(part: int, whole: int) -> str:
    """Return part of whole as an SVG length; four decimals are 0.001 px."""
    return f"{100 * part / whole if whole else 0:.4f}%"


def _xml(text: str) -> str:
    """Return text as XML character data; line feeds stay."""
    lines = (clean_text(line) for line in text.split("\n"))
    return escape(_NO_XML.sub(REPLACEMENT, "\n".join(lines)))
