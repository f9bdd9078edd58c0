"""Give the execution of a prepared statement the text that was prepared. Pure.

PDOStatement carries its text. A mysqli_stmt does not: PHP sends the text to the server and forgets it. But
most code prepares and executes in one function, and there its text is known. Where a function prepares
several statements nobody can tell which of them was executed, and none is named.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import replace

from compassd.calltree import NO_PARENT, CallTree, Node

_PREPARE = {"mysqli::prepare", "mysqli_prepare", "mysqli_stmt::prepare", "mysqli_stmt_prepare"}
_EXECUTE = {"mysqli_stmt::execute", "mysqli_stmt_execute", "mysqli_execute"}

# The caller's own caller, and the caller, whatever line it is at.
_Caller = tuple[int, str, str]


def name_prepared(tree: CallTree) -> CallTree:
    """Return the tree with the text of prepared statements at the places that executed them."""
    prepared: dict[_Caller, set[str]] = defaultdict(set)
    for node in tree.nodes:
        if node.waited_for and node.frame.function in _PREPARE:
            prepared[_caller(tree, node)].add(node.waited_for)
    if not prepared:
        return tree
    return replace(tree, nodes=tuple(_named(tree, node, prepared) for node in tree.nodes))


def _named(tree: CallTree, node: Node, prepared: dict[_Caller, set[str]]) -> Node:
    if node.waited_for or not node.waits or node.frame.function not in _EXECUTE:
        return node
    texts = prepared.get(_caller(tree, node), set())
    return replace(node, waited_for=next(iter(texts))) if len(texts) == 1 else node


def _caller(tree: CallTree, node: Node) -> _Caller:
    if node.parent == NO_PARENT:
        return NO_PARENT, "", ""
    caller = tree.nodes[node.parent]
    return caller.parent, caller.frame.function, caller.frame.file
