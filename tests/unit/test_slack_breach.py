from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest

from compassd.breach import Excess, Metric, State
from compassd.calltree import CallTree, Frame, Node
from compassd.destinations.slack_breach import breach_payload
from lab.breaches import make_breach
from lab.slack_rules import objections
from lab.slack_rules import texts as texts_of
from lab.slack_text import render

MS = 1_000_000
UNKNOWN: dict[str, Any] = {"status": None, "memory_peak": None, "cpu_ns": None}


def test_the_message() -> None:
    message = breach_payload(make_breach(uri="/cart"))
    assert message["text"] == "checkout: POST /cart took 1.24 s, budget 800 ms (HTTP 200, pool www)"
    assert render(message).splitlines() == [
        "🟠 checkout is over budget",
        "  POST /cart",
        "  Time: 1.24 s, budget 800 ms",
        "  CPU time: 310 ms",
        "  Peak memory: 12.0 MiB",
        "  Status: 200",
        "  Route: cart.show",
        "  Host: shop.example:8443",
        "  Pool: www",
        "  Script: /srv/shop/index.php",
        "  server web1 · request req-1 · tenant=acme",
    ]


@pytest.mark.parametrize(
    ("route", "transaction", "shown"),
    [("/page/{id}", "", "/page/{id}"), ("cart.show", "cart.show", "cart.show"), ("/page/17", "", None)],
)
def test_the_route_is_told_where_it_says_more_than_the_path(
    route: str, transaction: str, shown: str | None
) -> None:
    breach = replace(make_breach(uri="/page/17?x=1", transaction=transaction), route=route)
    lines = render(breach_payload(breach)).splitlines()
    assert [line for line in lines if "Route" in line] == ([f"  Route: {shown}"] if shown else [])


def test_functions_over_budget_have_fields_of_their_own() -> None:
    excesses = (
        Excess(Metric.FUNCTION_TIME, 300_000_000, 1_200_000_000, "PDO*::*"),
        Excess(Metric.FUNCTION_WAITS, 50, 212, "`<!channel>*"),
    )
    message = breach_payload(make_breach(excesses=excesses))
    assert [field["text"] for field in message["blocks"][2]["fields"][3:5]] == [
        "*Time in functions*\n`PDO*::*`: 1.20 s, budget 300 ms",
        "*Waits in functions*\n`\u02cb&lt;!channel&gt;*`: 212, budget 50",
    ]


@pytest.mark.parametrize(("count", "shown", "more"), [(4, 4, ""), (5, 3, "2 more"), (40, 3, "37 more")])
def test_too_many_functions_over_budget_are_counted(count: int, shown: int, more: str) -> None:
    excesses = tuple(Excess(Metric.FUNCTION_WAITS, 1, 2, f"f{n}") for n in range(count))
    fields = [
        field["text"] for field in breach_payload(make_breach(excesses=excesses))["blocks"][2]["fields"]
    ]
    assert len([text for text in fields if text.startswith("*Waits")]) == shown
    assert [text for text in fields if text.startswith("*Functions")] == (
        [f"*Functions*\n{more} over budget"] if more else []
    )
    # What identifies the request still has room.
    assert len(fields) == 10
    assert [text.partition("\n")[0] for text in fields[-3:]] == ["*Status*", "*Route*", "*Host*"]


def test_the_terminal_shows_bold_only_outside_of_code() -> None:
    field = {"type": "mrkdwn", "text": "*Host*\n`*a*`"}
    message = {"blocks": [{"type": "section", "fields": [field]}, {"type": "divider"}], "text": "x"}
    assert render(message, colour=True).splitlines()[0] == "  \033[1mHost\033[0m: *a*"
    assert render({"text": "a &lt; b"}) == "a < b"


def test_where_the_time_went_is_a_few_lines_with_the_place_and_the_kind_of_time() -> None:
    frames = [
        Frame("{main}", "/srv/shop/public/index.php", 7),
        *[Frame(f"Framework::step{n}", "/srv/shop/vendor/kernel.php", n) for n in range(1, 12)],
        Frame("Shop\\Repo::find", "/srv/shop/src/Repo.php", 42),
        Frame("PDOStatement::execute", "", 0),
    ]
    nodes = tuple(
        Node(frame, index - 1, 0, 940 if index == len(frames) - 1 else 0, 212 * (frame.line == 0))
        for index, frame in enumerate(frames)
    )
    message = breach_payload(make_breach(tree=CallTree(duration_ns=1_000, nodes=nodes)))
    (section,) = [text for text in texts_of(message["blocks"]) if "Where the time went" in text]
    assert section.splitlines() == [
        "*Where the time went*: waiting, 212 waits (in a loop?)",
        "94% `{main}` `public/index.php:7`",
        "… 6 more",
        *[f"94% `Framework::step{n}` `vendor/kernel.php:{n}`" for n in range(7, 12)],
        "94% `Shop\\Repo::find` `src/Repo.php:42`",
        "94% `PDOStatement::execute`",
    ]


def test_without_a_call_tree_nothing_is_said_of_it() -> None:
    assert "Where the time went" not in json.dumps(breach_payload(make_breach()))


def _tree(*waits: tuple[str, int, int], last: int = 1) -> CallTree:
    """Return the tree of a page with those waits: what for, how long in ms, and how many."""
    main = Node(Frame("{main}", "/srv/shop/src/Repo.php", 42), -1, 0, 0, 0)
    calls = [Node(Frame("PDO::query", "", 0), 0, 0, ms * MS, count, text) for text, ms, count in waits]
    return CallTree(duration_ns=1_000 * MS, nodes=(main, *calls), last=last)


def _shown(**fields: Any) -> list[str]:  # noqa: ANN401 - as make_breach
    return render(breach_payload(make_breach(**fields))).splitlines()


def test_a_running_request_is_told_with_where_it_is_now() -> None:
    tree = _tree(("SELECT * FROM product WHERE id = ?", 900, 1))
    message = breach_payload(
        make_breach(state=State.RUNNING, tree=tree, waiting_ns=320 * MS, uri="/cart", **UNKNOWN)
    )
    assert message["text"].startswith("checkout: POST /cart still runs after 1.24 s, budget 800 ms")
    lines = render(message).splitlines()
    assert lines[:3] == [
        "🟠 checkout is over budget and still running",
        "  POST /cart",
        "  Now: waiting for 320 ms in PDO::query src/Repo.php:42 SELECT * FROM product WHERE id = ?",
    ]
    # Nothing is made up of what is known at the end only.
    labels = {line.split(":")[0].strip() for line in lines}
    assert "Time" in labels
    assert not labels & {"Status", "CPU time", "Peak memory"}


def test_of_one_that_computes_it_is_not_said_what_it_once_waited_for() -> None:
    tree = _tree(("SELECT 1", 10, 1))
    lines = _shown(state=State.RUNNING, tree=tree, **UNKNOWN)
    assert "  Now: in PDO::query src/Repo.php:42" in lines
    assert not any("SELECT" in line for line in lines)


@pytest.mark.parametrize(
    ("signal", "end"), [(11, "its worker was killed by SIGSEGV"), (0, "its worker exited")]
)
def test_a_worker_that_died_is_told_with_what_killed_it_and_where(signal: int, end: str) -> None:
    tree = _tree(("SELECT 1", 10, 1))
    lines = _shown(state=State.DIED, signal=signal, tree=tree, excesses=(), uri="/cart", **UNKNOWN)
    assert lines[0] == f"🟠 checkout never ended: {end}"
    assert "  Last seen: in PDO::query src/Repo.php:42" in lines
    assert "  Time: 1.24 s" in lines


def test_without_a_tree_nothing_is_said_of_where_it_was() -> None:
    for state in (State.RUNNING, State.DIED):
        lines = _shown(state=state, **UNKNOWN)
        assert not any(line.strip().startswith(("Now", "Last seen")) for line in lines)


def test_a_request_that_was_told_before_has_ended() -> None:
    lines = _shown(told_running=True, tree=_tree(("SELECT 1", 10, 1)))
    assert lines[0] == "🟠 checkout was over budget and has ended"
    assert not any(line.strip().startswith(("Now", "Last seen")) for line in lines)


def test_what_it_waited_for_is_a_few_places_that_count() -> None:
    tree = _tree(
        ("SELECT a", 500, 212),
        ("", 200, 20),
        ("SELECT b", 100, 1),
        ("SELECT c", 60, 1),
        ("SELECT d", 10, 1),
    )
    (section,) = [
        text for text in texts_of(breach_payload(make_breach(tree=tree))) if "What it waited for" in text
    ]
    assert section.splitlines() == [
        "*What it waited for*",
        "212 waits, 500 ms in `PDO::query` `src/Repo.php:42`",
        "`SELECT a`",
        "20 waits, 200 ms in `PDO::query` `src/Repo.php:42`",
        "1 wait, 100 ms in `PDO::query` `src/Repo.php:42`",
        "`SELECT b`",
    ]


def test_waits_that_say_nothing_new_have_no_section() -> None:
    # One wait of which nobody knows what for is where the hot path ends anyway.
    assert "What it waited for" not in json.dumps(breach_payload(make_breach(tree=_tree(("", 900, 1)))))


def test_a_statement_cannot_act_and_is_cut() -> None:
    statement = "SELECT '`<!channel>' @here " + "x" * 900
    tree = _tree((statement, 900, 1))
    for state in State:
        breach = make_breach(tree=tree, state=state, waiting_ns=5 * MS if state is State.RUNNING else None)
        assert objections(breach_payload(breach)) == []
        shown = [text for text in texts_of(breach_payload(breach)) if "SELECT" in text]
        assert len(shown) == (2 if state is State.RUNNING else 1)
        for text in shown:
            assert "`SELECT '\u02cb&lt;!channel&gt;' @\N{WORD JOINER}here xxx" in text
            assert text.endswith("x…`")
            assert len(text) < 400


def test_waits_have_a_field_if_there_were_too_many() -> None:
    fields = breach_payload(make_breach(excesses=(Excess(Metric.WAITS, 100, 212),)))["blocks"][2]["fields"]
    assert "*Waits*\n212, budget 100" in [field["text"] for field in fields]
    fields = breach_payload(make_breach())["blocks"][2]["fields"]
    assert not any(field["text"].startswith("*Waits") for field in fields)
