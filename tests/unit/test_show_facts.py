"""What `compassd show` says of a breach before it shows where the time went."""

from __future__ import annotations

from typing import Any

from compassd.breach import State
from compassd.calltree import CallTree, Frame, Node
from compassd.show.document import parse_breach
from compassd.show.facts import facts
from lab.call_trees import breach_document

TREE = CallTree(
    duration_ns=1_240_000_000,
    nodes=(
        Node(Frame("Shop\\Repo::find", "/srv/shop/src/Repo.php", 42), -1, 0, 0, 0),
        Node(Frame("PDO::query", "", 0), 0, 0, 1_200_000_000, 1, "SELECT * FROM product WHERE id = ?"),
    ),
    last=1,
)
UNFINISHED: dict[str, Any] = {"status": None, "memory_peak": None}


def _facts(tree: CallTree | None = None, **changes: Any) -> dict[str, str]:  # noqa: ANN401 - as make_breach
    return dict(facts(parse_breach(breach_document(tree, **changes)), "/srv/shop/"))


def test_of_a_finished_request_its_figures() -> None:
    found = _facts(TREE)
    assert found["request"] == "POST shop.example/cart, HTTP 200"
    assert found["took"] == "1.24 s, 310 ms of CPU, 12.0 MiB of memory"
    assert found["ended"].startswith("2026-")
    assert not found.keys() & {"state", "last seen"}


def test_of_a_running_request_where_it_is() -> None:
    found = _facts(TREE, state=State.RUNNING, waiting_ns=1_100_000_000, cpu_ns=None, **UNFINISHED)
    assert found["request"] == "POST shop.example/cart"
    assert (found["state"], found["runs for"]) == ("still running", "1.24 s")
    assert "told" in found
    assert found["last seen"] == (
        "waiting for 1.10 s in PDO::query at src/Repo.php:42: SELECT * FROM product WHERE id = ?"
    )
    assert not found.keys() & {"took", "ended"}


def test_of_one_that_computes_not_what_it_once_waited_for() -> None:
    assert _facts(TREE, state=State.RUNNING)["last seen"] == "in PDO::query at src/Repo.php:42"


def test_of_a_worker_that_died_what_killed_it() -> None:
    found = _facts(TREE, state=State.DIED, signal=11, told_running=True, **UNFINISHED)
    assert found["state"] == "worker killed by SIGSEGV, told before as still running"
    assert found["ran for"] == "1.24 s, 310 ms of CPU"
    assert found["last seen"] == "in PDO::query at src/Repo.php:42"
    assert "died" in found
    assert _facts(state=State.DIED)["state"] == "worker exited"


def test_of_a_completed_one_that_it_was_told_before() -> None:
    assert _facts(TREE, told_running=True)["state"] == "finished, told before as still running"


def test_a_state_of_a_later_release_is_shown_as_it_is() -> None:
    document = breach_document(TREE) | {"state": "suspended"}
    assert dict(facts(parse_breach(document), ""))["state"] == "suspended"


def test_every_fact_is_short() -> None:
    frame = Frame("f" * 900, "/" + "a" * 900, 1)
    tree = CallTree(duration_ns=9, nodes=(Node(frame, -1, 0, 9, 1, "x" * 900),), last=0)
    fields = {"uri": "/" + "u" * 900, "id": "i" * 900, "state": State.RUNNING, "waiting_ns": 1}
    assert all(len(fact) <= 402 for fact in _facts(tree, **fields).values())
