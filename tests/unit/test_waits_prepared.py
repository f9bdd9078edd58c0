"""Texts of prepared statements that PHP itself has forgotten."""

from __future__ import annotations

from compassd.calltree import NO_PARENT, CallTree, Frame, Node
from compassd.waits.prepared import name_prepared


def _call(function: str, parent: int, line: int = 1) -> Node:
    return Node(Frame(function, "/srv/repository.php", line), parent, 0, 0, 0)


def _wait(function: str, parent: int, text: str = "") -> Node:
    return Node(Frame(function, "", 0), parent, 0, 10, 5, text)


def _texts(*nodes: Node) -> list[str]:
    return [node.waited_for for node in name_prepared(CallTree(duration_ns=100, nodes=nodes)).nodes]


def test_an_execution_gets_the_text_prepared_in_the_same_function() -> None:
    texts = _texts(
        _call("{main}", NO_PARENT),
        _call("Repository::find", 0, line=10),
        _wait("mysqli::prepare", 1, "SELECT a"),
        _call("Repository::find", 0, line=12),
        _wait("mysqli_stmt::execute", 3),
    )
    assert texts == ["", "", "SELECT a", "", "SELECT a"]


def test_where_two_statements_were_prepared_none_is_named() -> None:
    texts = _texts(
        _call("{main}", NO_PARENT),
        _call("f", 0, line=1),
        _wait("mysqli_prepare", 1, "SELECT a"),
        _call("f", 0, line=2),
        _wait("mysqli_prepare", 3, "SELECT b"),
        _call("f", 0, line=3),
        _wait("mysqli_stmt_execute", 5),
    )
    assert texts[-1] == ""


def test_a_function_that_prepared_nothing_executes_the_only_statement_of_the_request() -> None:
    texts = _texts(
        _call("{main}", NO_PARENT),
        _call("Repository::__construct", 0),
        _wait("mysqli_prepare", 1, "SELECT a"),
        _call("Repository::find", 0),
        _wait("mysqli_stmt_execute", 3),
    )
    assert texts[-1] == "SELECT a"


def test_of_several_statements_that_others_prepared_none_is_taken() -> None:
    for other in ("SELECT b", ""):
        texts = _texts(
            _call("{main}", NO_PARENT),
            _call("f", 0),
            _wait("mysqli_prepare", 1, "SELECT a"),
            _call("g", 0),
            _wait("mysqli_prepare", 3, other),
            _wait("mysqli_stmt_execute", 0),
            _wait("mysqli_stmt_execute", 1),
        )
        assert texts[-2:] == ["", "SELECT a"]


def test_only_executions_that_waited_get_a_text() -> None:
    texts = _texts(
        _call("{main}", NO_PARENT),
        _wait("mysqli::prepare", 0, "SELECT a"),
        _wait("mysqli_stmt::get_result", 0),
        Node(Frame("mysqli_stmt::execute", "", 0), 0, 10, 0, 0),
        _wait("mysqli_stmt::execute", 0, "SELECT own"),
    )
    assert texts == ["", "SELECT a", "", "", "SELECT own"]
