"""A breach in the terminal: it adds up, it fits, and it does nothing to the terminal."""

from __future__ import annotations

import io
import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.cells import cell_len
from rich.console import Console

from compassd.breach import State
from compassd.calltree import CallTree, Frame, Node
from compassd.message import encode
from compassd.show.branches import grow
from compassd.show.columns import cut_left
from compassd.show.document import BreachDocument, parse_breach
from compassd.show.names import common_root, percent, place, short_name
from compassd.show.rows import SMALL, rows
from compassd.show.source import find_document
from compassd.show.terminal import show_breach
from compassd.text import clean_text
from lab import hostile
from lab.call_trees import breach_document, call_trees

EXAMPLE = Path(__file__).parent / "data" / "breach.json"


def _shown(breach: BreachDocument, width: int = 120) -> list[str]:
    out = io.StringIO()
    show_breach(Console(file=out, width=width), breach)
    return out.getvalue().splitlines()


def _example() -> BreachDocument:
    return parse_breach(*find_document(EXAMPLE.read_bytes()))


def _breach(tree: CallTree) -> BreachDocument:
    return parse_breach(json.loads(encode(breach_document(tree))))


@given(call_trees())
def test_the_rows_time_in_themselves_adds_up_to_the_request(tree: CallTree) -> None:
    root = grow(tree, "GET /")
    found = rows(root, len(tree.hot_path()))
    assert sum(row.own_ns for row in found) == root.all_ns
    assert root.all_ns == max(tree.duration_ns, tree.attributed().all_ns)
    calls = [row for row in found if row.branch and row.branch.is_call]
    assert all(row.all_ns >= SMALL * root.all_ns for row in calls)


@given(call_trees())
def test_the_hot_rows_are_the_hot_path(tree: CallTree) -> None:
    path = tree.hot_path()
    root = grow(tree, "GET /")
    hot = [row.branch for row in rows(root, len(path)) if row.hot and row.branch and row.branch.is_call]
    # Where it is less than is shown, the path goes on among what is hidden.
    assert [(b.frame.function, b.below) for b in hot] == [
        (step.frame.function, step.totals) for step in path[: len(hot)]
    ]
    shown = sum(step.totals.all_ns >= SMALL * root.all_ns for step in path)
    assert len(hot) == shown


def test_only_forks_are_indented() -> None:
    nodes = tuple(
        Node(Frame(name, "/a.php", 1), parent, on, 0, 0)
        for name, parent, on in (
            ("main", -1, 0),
            ("one", 0, 0),
            ("left", 1, 600),
            ("right", 1, 300),
            ("deep", 3, 95),
            ("tiny", 3, 5),
        )
    )
    found = rows(grow(CallTree(duration_ns=1_000, nodes=nodes), "GET /"), 0)
    assert [row.guide + (row.branch.name if row.branch else f"{row.hidden} more") for row in found] == [
        "GET /",
        "main",
        "↳ one",
        "├ left",
        "└ right",
        "  ├ 1 more",
        "  ↳ deep",
    ]


def test_the_example_names_the_culprit_with_its_place() -> None:
    lines = _shown(_example())
    assert any("… 2 above" in line for line in lines)
    hot, own, wait, call = (line for line in lines if "PDOStatement::execute" in line)
    assert all("src/Cart/ProductRepository.php:88" in line for line in (hot, own, wait, call))
    assert all("50.5%" in line for line in (hot, own, call))
    assert all("604 ms" in line for line in (own, wait, call))
    assert all("212" in line for line in (wait, call))
    assert any(line.endswith("(unattributed) 37.0 ms") for line in map(str.rstrip, lines))
    assert any("(other)" in line for line in lines)
    assert any("… 8 more" in line for line in lines)


def test_without_a_tree_the_facts_and_the_reason_are_shown() -> None:
    document = {**json.loads(EXAMPLE.read_text()), "call_tree": None}
    lines = _shown(parse_breach(document))
    assert any("POST shop.example/checkout/confirm, HTTP 200" in line for line in lines)
    culprits = [line for line in lines if "PDOStatement::execute" in line]
    assert len(culprits) == 3, "the hot path and the places may be there alone"
    assert "no call tree" in " ".join(lines[-2:])
    places = dict.fromkeys(("hot_path", "top_self", "wait_places"))
    lines = _shown(parse_breach({**document, **places}))
    assert "no call tree" in " ".join(lines[-2:])
    assert not any("PDOStatement::execute" in line for line in lines)


def _waits(lines: list[str]) -> list[str]:
    start = lines.index("Longest waits")
    return [line.rstrip() for line in lines[start + 1 : lines.index("", start)]]


def test_what_was_waited_for_is_below_the_place() -> None:
    sql = _example().wait_places[0].waited_for
    lines = _waits(_shown(_example(), 100))
    assert [line.split()[:4] for line in lines[:2]] == [
        ["waiting", "waits", "call", "at"],
        ["604", "ms", "212", "PDOStatement::execute"],
    ]
    assert " ".join(line.strip() for line in lines[2:5]) == sql
    assert {len(line) - len(line.lstrip()) for line in lines[2:5]} == {lines[0].index("call")}
    # Of curl_exec it is not known; Redis::get, fsync; the others waited too short to be worth a line.
    assert [line.split()[3] for line in lines if " ms " in line][1:] == ["curl_exec", "Redis::get", "fsync"]
    assert lines[-1].strip() == "/srv/shop/var/log/audit.log"


def test_a_long_statement_is_cut_with_a_mark() -> None:
    node = Node(Frame("PDO::query", "", 0), -1, 0, 1_000, 1, "SELECT " + ", ".join(["column"] * 100))
    lines = _waits(_shown(_breach(CallTree(duration_ns=1_000, nodes=(node,))), 60))[2:]
    assert len(lines) == 3
    assert [line.endswith("…") for line in lines] == [False, False, True]
    assert lines[0].strip().startswith("SELECT column, column,")


def test_only_some_places_are_shown() -> None:
    nodes = tuple(Node(Frame(f"f{n}", "/a.php", n), -1, 0, 100 + n, 1) for n in range(20))
    lines = _shown(_breach(CallTree(duration_ns=3_000, nodes=nodes)))
    assert [line.split()[3] for line in _waits(lines)[1:]] == [f"f{n}" for n in range(19, 11, -1)]
    start = lines.index("Most self time")
    assert [line.split()[3] for line in lines[start + 2 : lines.index("", start)]] == [
        f"f{n}" for n in range(19, 14, -1)
    ]


@pytest.mark.parametrize(("width", "shown"), [(80, False), (180, True)])
def test_the_tree_has_what_was_waited_for_where_there_is_room(width: int, *, shown: bool) -> None:
    nodes = (
        Node(Frame("{main}", "/srv/index.php", 3), -1, 0, 0, 0),
        Node(Frame(r"Shop\Repository::find", "/srv/src/Repository.php", 42), 0, 0, 0, 0),
        Node(Frame("PDO::query", "", 0), 1, 0, 1_000, 1, "SELECT * FROM product WHERE id = ?"),
    )
    lines = _shown(_breach(CallTree(duration_ns=1_000, nodes=nodes)), width)
    (call,) = (line for line in lines if "↳ PDO::query" in line)
    assert call.endswith("SELECT * FROM product WHERE id = ?") is shown


@given(call_trees(), st.integers(min_value=1, max_value=200), st.sampled_from(State))
def test_no_line_is_wider_than_the_terminal(tree: CallTree, width: int, state: State) -> None:
    breach = parse_breach(json.loads(encode(breach_document(tree, state=state, waiting_ns=5))))
    assert all(cell_len(line) <= width for line in _shown(breach, width))


@given(call_trees(hostile.texts), hostile.texts)
def test_hostile_text_does_nothing_to_the_terminal(tree: CallTree, text: str) -> None:
    fields = {"uri": text, "method": text, "pool": text, "tags": {text: text}, "rule": text}
    document = breach_document(tree, state=State.RUNNING, waiting_ns=5, **fields)
    for line in _shown(parse_breach(json.loads(encode(document))), 100):
        assert line == clean_text(line)
        assert cell_len(line) <= 100


def test_markup_and_emoji_names_are_text() -> None:
    tree = CallTree(duration_ns=10, nodes=(Node(Frame("[red]x[/red]:smile:", "", 0), -1, 10, 0, 0),))
    assert any("[red]x[/red]:smile:" in line for line in _shown(_breach(tree)))


def test_a_very_deep_tree_is_shown() -> None:
    chain = [Node(Frame(f"f{n}", "/a.php", n), n - 1, 1_000, 0, 0) for n in range(1_000)]
    forks = [Node(Frame(f"g{n}", "/a.php", n), n, 100_000, 0, 0) for n in range(60)]
    lines = _shown(_breach(CallTree(duration_ns=7_000_000, nodes=(*chain, *forks))), 80)
    assert any(" g59" in line for line in lines)


@pytest.mark.parametrize(("no_color", "coloured"), [(None, True), ("1", False)])
def test_colours_are_left_out_on_request(
    no_color: str | None, *, coloured: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("NO_COLOR", raising=False)
    if no_color:
        monkeypatch.setenv("NO_COLOR", no_color)
    out = io.StringIO()
    show_breach(Console(file=out, width=120, force_terminal=True, color_system="256"), _example())
    assert ("\x1b[38;5;208m" in out.getvalue()) is coloured


@pytest.mark.parametrize(
    ("function", "short"),
    [
        (r"App\Cart\CartService::load", "CartService::load"),
        (r"{closure:App\Cart\CartService::load():42}", "{closure:CartService::load():42}"),
        ("strlen", "strlen"),
        ("\\", "\\"),
    ],
)
def test_short_names(function: str, short: str) -> None:
    assert short_name(function) == short


def test_places_are_relative_to_what_they_have_in_common() -> None:
    files = ["/srv/shop/src/a.php", "/srv/shop/public/index.php", "phar://x/y.php"]
    assert common_root(files) == "/srv/shop/"
    assert common_root(["/a/b.php", "/c/d.php"]) == ""
    assert common_root([]) == ""
    assert place(Frame("f", "/srv/shop/src/a.php", 3), "/srv/shop/") == "src/a.php:3"
    assert place(Frame("f", "/srv/shop/src/a.php", 0)) == "/srv/shop/src/a.php"
    assert place(Frame("strlen", "", 0)) == ""


def test_a_place_keeps_its_end() -> None:
    assert cut_left("src/Cart/CartService.php:42", 27) == "src/Cart/CartService.php:42"
    assert cut_left("src/Cart/CartService.php:42", 26) == "…/Cart/CartService.php:42"
    assert cut_left("src/Cart/CartService.php:42", 10) == "…ce.php:42"


@pytest.mark.parametrize(("part", "text"), [(0, "0.0%"), (1, "<0.1%"), (5_000, "50.0%"), (10_000, "100.0%")])
def test_percent(part: int, text: str) -> None:
    assert percent(part, 10_000) == text
    assert percent(0, 0) == "0.0%"
