"""Call trees that nobody would write by hand: what the property tests of `compassd show` draw from."""

from __future__ import annotations

from typing import Any

from hypothesis import strategies as st

from compassd.calltree import NO_PARENT, CallTree, Frame, Node, Totals
from compassd.message import document
from lab.breaches import make_breach

_amounts = st.sampled_from([0, 0, 1, 999, 1_000_000]) | st.integers(min_value=0, max_value=10**10)
_functions = st.sampled_from(["{main}", "a", r"App\Cart::load", "PDOStatement::execute", "b;c 7"])
_statements = st.sampled_from(["SELECT * FROM product WHERE id = ?", "/srv/shop/lock"])
_files = st.sampled_from(["", "/srv/shop/index.php", "/srv/shop/src/Cart.php", "phar://x.phar/y.php"])


def _totals() -> st.SearchStrategy[Totals]:
    return st.builds(Totals, _amounts, _amounts, _amounts)


@st.composite
def call_trees(draw: st.DrawFn, texts: st.SearchStrategy[str] | None = None) -> CallTree:
    """Draw a tree, of functions and files with those texts if given; the duration may be anything."""
    functions, files, waited_for = (
        (_functions, _files, _statements) if texts is None else (texts, texts, texts)
    )
    frames = st.builds(Frame, functions, files, st.integers(min_value=0, max_value=99))
    nodes: list[Node] = []
    for index in range(draw(st.integers(min_value=0, max_value=25))):
        parent = draw(st.integers(min_value=NO_PARENT, max_value=index - 1))
        times = (draw(_amounts), draw(_amounts), draw(_amounts))
        nodes.append(Node(draw(frames), parent, *times, draw(st.just("") | waited_for)))
    return CallTree(
        duration_ns=draw(_amounts),
        nodes=tuple(nodes),
        other=draw(_totals()),
        cut_stacks=draw(_amounts),
        walks=draw(_amounts),
        walk_ns=draw(_amounts),
        last=draw(st.integers(min_value=NO_PARENT, max_value=len(nodes) - 1)),
    )


def breach_document(tree: CallTree | None, **changes: Any) -> dict[str, Any]:  # noqa: ANN401 - as make_breach
    """Return the published document of a breach with that tree."""
    duration_ns = {"duration_ns": tree.duration_ns} if tree else {}
    return document(make_breach(tree=tree, **{**duration_ns, **changes}))
