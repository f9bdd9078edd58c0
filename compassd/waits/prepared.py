"""Give the execution of a prepared statement the text that was prepared. Pure.

PDOStatement carries its text. A mysqli_stmt does not: PHP sends the text to the server and forgets it. But it
was seen when the request waited for the server to prepare it. If the function that executes has prepared one
statement, or else if the whole request has, that is it. Where there are several nobody can tell which of them
was executed, and none is named.
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
        if node.frame.function in _PREPARE:
            # "" stands for one that nobody saw: then there are several.
            prepared[_caller(tree, node)].add(node.waited_for)
    everywhere = set().union(*prepared.values())
    if not any(everywhere):
        return tree

    def named(node: Node) -> Node:
        if node.waited_for or not node.waits or node.frame.function not in _EXECUTE:
            return node
        texts = prepared.get(_caller(tree, node), everywhere)
        return replace(node, waited_for=next(iter(texts))) if len(texts) == 1 else node

    return replace(tree, nodes=tuple(named(node) for node in tree.nodes))


def _caller(tree: CallTree, node: Node) -> _Caller:
    if node.parent == NO_PARENT:
        return NO_PARENT, "", ""
    caller = tree.nodes[node.parent]
    return caller.parent, caller.frame.function, caller.frame.file
