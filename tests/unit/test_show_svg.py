"""The flame graph: where its boxes are, and that nothing in it is anybody's but ours."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from xml.etree import ElementTree as ET

from hypothesis import given

from compassd.calltree import CallTree, Frame, Node
from compassd.message import encode
from compassd.show.branches import Branch, Kind, grow
from compassd.show.document import parse_breach
from compassd.show.layout import Rectangle, layout
from compassd.show.source import find_document
from compassd.show.svg import ROW_PX, svg
from compassd.show.svg_page import SCRIPT, STYLE
from lab import hostile
from lab.call_trees import breach_document, call_trees

EXAMPLE = Path(__file__).parent / "data" / "breach.json"
SQL = json.loads(EXAMPLE.read_text())["hot_path"][-1]["waited_for"]
SVG = "{http://www.w3.org/2000/svg}"
ELEMENTS = {"svg", "style", "script", "rect", "text", "title"}
ATTRIBUTES = {"x", "y", "width", "height", "class", "overflow"}


def _parse(text: str) -> ET.Element:
    return ET.fromstring(text)  # noqa: S314 - it is what we wrote


def _boxes(page: ET.Element) -> list[ET.Element]:
    return page.findall(f"{SVG}svg[@class='boxes']/{SVG}svg")


def _inside(rectangles: list[Rectangle]) -> Iterator[tuple[Rectangle, Rectangle]]:
    """Yield each box with its caller's: boxes come callers first."""
    callers: list[Rectangle] = []
    for rectangle in rectangles:
        del callers[rectangle.row :]
        if callers:
            yield rectangle, callers[-1]
        callers.append(rectangle)


@given(call_trees())
def test_boxes_are_in_their_callers_and_beside_each_other(tree: CallTree) -> None:
    root = grow(tree, "GET /")
    rectangles = layout(root)
    assert (rectangles[0].branch, rectangles[0].start_ns, rectangles[0].row) == (root, 0, 0)
    ends: dict[int, int] = {}
    for rectangle, caller in _inside(rectangles):
        end_ns = rectangle.start_ns + rectangle.width_ns
        assert rectangle.width_ns > 0
        assert caller.start_ns <= rectangle.start_ns
        assert end_ns <= caller.start_ns + caller.width_ns
        assert any(rectangle.branch is child for child in caller.branch.children)
        assert rectangle.start_ns >= ends.get(rectangle.row, 0)
        ends[rectangle.row] = end_ns


def _count(branch: Branch) -> int:
    return sum(1 + _count(child) for child in branch.children if child.all_ns)


@given(call_trees())
def test_every_call_that_took_time_has_a_box_in_the_picture(tree: CallTree) -> None:
    root = grow(tree, "GET /")
    page = _parse(svg(root, "slow"))
    boxes = _boxes(page)
    assert len(boxes) == 1 + _count(root)
    for box in boxes:
        start, width = (float(box.attrib[name].removesuffix("%")) for name in ("x", "width"))
        assert 0 <= start <= start + width <= 100.001
        assert 0 <= int(box.attrib["y"]) <= int(page.attrib["height"]) - ROW_PX


@given(call_trees(hostile.texts))
def test_nothing_in_the_picture_is_a_clients(tree: CallTree) -> None:
    document = breach_document(tree, uri="/<script>alert(1)</script>]]>", method='"><a/>')
    breach = parse_breach(json.loads(encode(document)))
    assert breach.call_tree
    text = svg(grow(breach.call_tree, breach.title), breach.summary)
    page = _parse(text)
    for element in page.iter():
        name = element.tag.removeprefix(SVG)
        assert name in ELEMENTS
        assert set(element.attrib) <= ATTRIBUTES
        if name == "style":
            assert element.text == STYLE
    scripts = [element.text for element in page.iter(f"{SVG}script")]
    assert scripts == [SCRIPT.replace("<![CDATA[", "").replace("]]>", "")]
    # Numbers and classes of our own are all there is in attributes.
    values = {value for element in page.iter() for value in element.attrib.values()}
    assert all(re.fullmatch(r"-?[0-9.]+%?|[a-z]+", value) for value in values)


def test_nothing_is_loaded_from_anywhere() -> None:
    breach = parse_breach(*find_document(EXAMPLE.read_bytes()))
    assert breach.call_tree
    text = svg(grow(breach.call_tree, breach.title), breach.summary)
    assert re.findall(r"\w+://[^\"\s]*", text) == ["http://www.w3.org/2000/svg"]
    assert not re.search(r"href|src=|url\(|@import|fetch\(|XMLHttp|import\(", text)


def test_characters_that_xml_cannot_hold_are_replaced() -> None:
    frame = Frame("a\ufffeb\uffffc\x00d<&>\"'", "", 0)
    tree = CallTree(duration_ns=5, nodes=(Node(frame, -1, 5, 0, 0),))
    (label,) = (box.findtext(f"{SVG}text") for box in _boxes(_parse(svg(grow(tree, "GET /"), "x")))[1:])
    assert label == "a\ufffdb\ufffdc\ufffdd<&>\"'  100.0%"


def test_hovering_tells_function_place_share_times_and_what_was_waited_for() -> None:
    breach = parse_breach(*find_document(EXAMPLE.read_bytes()))
    assert breach.call_tree
    boxes = _boxes(_parse(svg(grow(breach.call_tree, breach.title), breach.summary)))
    titles = [box.findtext(f"{SVG}title") or "" for box in boxes]
    (execute,) = (title for title in titles if title.startswith("PDOStatement::execute"))
    assert execute.splitlines()[1:] == [
        "/srv/shop/src/Cart/ProductRepository.php:88",
        "50.5%, 626 ms: 22.0 ms on CPU, 604 ms waiting (212 waits)",
        f"waited for {SQL}",
    ]
    (curl,) = (title for title in titles if title.startswith("curl_exec"))
    assert "waited for" not in curl
    assert any(title.startswith("(unattributed)\n3.0%, 37.0 ms") for title in titles)


def test_a_box_has_the_beginning_of_what_was_waited_for_behind_the_rest() -> None:
    node = Node(Frame("PDO::query", "", 0), -1, 0, 100, 1, "SELECT " + "x" * 900)
    (_, box) = _boxes(_parse(svg(grow(CallTree(duration_ns=100, nodes=(node,)), "GET /"), "x")))
    label = box.findtext(f"{SVG}text") or ""
    assert label.startswith("PDO::query  100.0%, 1 wait  SELECT xxx")
    assert len(label) < 250
    assert (box.findtext(f"{SVG}title") or "").endswith("x" * 900)


def test_a_box_is_divided_by_the_kinds_of_time() -> None:
    tree = CallTree(duration_ns=100, nodes=(Node(Frame("f", "", 0), -1, 20, 60, 1),))
    request, call, unattributed = _boxes(_parse(svg(grow(tree, "GET /"), "x")))
    for box, on, off in ((request, "20.0000%", "80.0000%"), (call, "25.0000%", "100.0000%")):
        widths = {rect.attrib["class"]: rect.attrib["width"] for rect in box.findall(f"{SVG}rect")}
        # Drawn one over the other: waiting ends where all that is known ends.
        assert (widths["on"], widths["off"]) == (on, off)
    assert {rect.attrib["class"] for rect in unattributed.findall(f"{SVG}rect")} == {"none", "edge"}


def test_a_request_without_time_is_one_box() -> None:
    root = grow(CallTree(duration_ns=0, nodes=()), "GET /")
    assert root.kind is Kind.REQUEST
    assert len(_boxes(_parse(svg(root, "x")))) == 1
