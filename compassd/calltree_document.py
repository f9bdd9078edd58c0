"""The call tree as it is published, and back."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from compassd.calltree import NO_PARENT, CallTree, Frame, Node, Step, Totals, WaitPlace
from compassd.errors import RecordError

_TOP = 10


def call_tree_document(tree: CallTree) -> dict[str, Any]:
    """Return the tree as JSON: nodes with their own times, a parent by its index and before its children."""
    return {
        "unattributed_ns": tree.unattributed_ns,
        "other": _times(tree.other),
        "cut_stacks": tree.cut_stacks,
        "walks": tree.walks,
        "walk_ns": tree.walk_ns,
        "nodes": [
            {
                **_place(node.frame),
                "parent": None if node.parent == NO_PARENT else node.parent,
                **_times(Totals(node.on_ns, node.off_ns, node.waits)),
                **_text(node.waited_for),
            }
            for node in tree.nodes
        ],
    }


def hot_path_document(path: list[Step]) -> list[dict[str, Any]]:
    """Return the hot path as JSON, from the root: times include everything called."""
    return [
        {
            **_place(step.frame),
            "share": round(step.share, 4),
            **_times(step.totals),
            **_text(step.waited_for),
        }
        for step in path
    ]


def top_self_document(tree: CallTree) -> list[dict[str, Any]]:
    """Return the places in which themselves most time was spent as JSON, most first."""
    return [{**_place(frame), **_times(totals)} for frame, totals in tree.top_self(_TOP)]


def last_seen_document(seen: WaitPlace, waiting_ns: int | None) -> dict[str, Any]:
    """Return where a request was seen last as JSON."""
    return {**_place(seen.frame), "waiting_ns": waiting_ns, **_text(seen.waited_for)}


def wait_places_document(tree: CallTree) -> list[dict[str, Any]]:
    """Return where the request waited as JSON, the longest time first."""
    return [
        {**_place(place.frame), **_times(place.totals), **_text(place.waited_for)}
        for place in tree.wait_places(_TOP)
    ]


def parse_call_tree(document: Mapping[str, Any], duration_ns: int) -> CallTree:
    """Return the tree in a document that call_tree_document() made, perhaps another release's.

    Raises:
        RecordError: It is no such document.
    """
    try:
        nodes = tuple(_node(index, node) for index, node in enumerate(document["nodes"]))
        other = document["other"]
        return CallTree(
            duration_ns=duration_ns,
            nodes=nodes,
            other=Totals(int(other["on_cpu_ns"]), int(other["off_cpu_ns"]), int(other["waits"])),
            cut_stacks=int(document["cut_stacks"]),
            walks=int(document["walks"]),
            walk_ns=int(document["walk_ns"]),
        )
    except (KeyError, TypeError, ValueError) as error:
        raise RecordError(f"not a call tree: {error!r}") from error


def _node(index: int, node: Mapping[str, Any]) -> Node:
    parent = NO_PARENT if node["parent"] is None else int(node["parent"])
    if not NO_PARENT <= parent < index:
        raise ValueError(f"node {index} comes before its parent")
    frame = Frame(str(node["function"]), str(node["file"]), int(node["line"]))
    text = str(node.get("waited_for", ""))
    return Node(frame, parent, int(node["on_cpu_ns"]), int(node["off_cpu_ns"]), int(node["waits"]), text)


def _place(frame: Frame) -> dict[str, Any]:
    return {"function": frame.function, "file": frame.file, "line": frame.line}


def _times(totals: Totals) -> dict[str, int]:
    return {"on_cpu_ns": totals.on_ns, "off_cpu_ns": totals.off_ns, "waits": totals.waits}


def _text(waited_for: str) -> dict[str, str]:
    return {"waited_for": waited_for} if waited_for else {}
