from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from compassd.breach import Breach, State
from compassd.calltree import NO_PARENT, CallTree, Frame, Node
from compassd.incidents.exemplars import with_breach, worst_ratio
from compassd.incidents.key import hot_function, incident_id, incident_key, message_id, other_key
from compassd.notice import MAX_EXEMPLARS, IncidentKey
from tests.unit.incident_desk import S, breach, tree

KEY = IncidentKey(rule="a", host="b", pool="c", route="d", function="e")


@st.composite
def trees(draw: st.DrawFn) -> CallTree:
    nodes = []
    for index in range(draw(st.integers(0, 12))):
        parent = draw(st.integers(NO_PARENT, index - 1))
        on, off = draw(st.integers(0, 3)), draw(st.integers(0, 3))
        nodes.append(Node(Frame(f"f{index}", "", 0), parent, on, off, 0))
    return CallTree(duration_ns=100, nodes=tuple(nodes))


@given(trees())
def test_the_function_is_where_the_hot_path_ends(made: CallTree) -> None:
    path = made.hot_path()
    assert hot_function(made) == (path[-1].place.function if path else "")


def test_a_key_has_what_breaches_have_in_common() -> None:
    made = breach(1, rule="slow", host="h", route="/r", pool="www", tree=tree("PDO::query"))
    expected = IncidentKey(rule="slow", host="h", pool="www", route="/r", function="PDO::query")
    assert incident_key(made) == expected
    assert incident_key(replace(made, tree=None)) == replace(expected, function="")
    assert other_key(expected) == replace(expected, host="<other>", route="<other>", function="")


def test_no_value_of_a_request_is_in_an_identity() -> None:
    one, other = breach(1, uri="/a?x=1", tags={"t": "1"}), breach(2, uri="/b", id="r-2", tags={"t": "2"})
    assert incident_key(one) == incident_key(other)


def test_ids_are_the_same_for_the_same_and_differ_in_everything() -> None:
    args = ("web1", KEY, 1, "b1")
    others = [("web2", KEY, 1, "b1"), ("web1", replace(KEY, function=""), 1, "b1"), ("web1", KEY, 2, "b1")]
    ids = {incident_id(*other) for other in [args, *others, ("web1", KEY, 1, "b2")]}
    assert len(ids) == 5
    assert incident_id(*args) in ids
    assert all(len(one) == 32 and set(one) <= set("0123456789abcdef") for one in ids)


DESTINATIONS = st.from_regex(r"[a-z0-9](?:[_-]?[a-z0-9])*", fullmatch=True)


@given(DESTINATIONS, st.integers(0, 999), DESTINATIONS, st.integers(0, 999))
def test_each_message_has_an_id_of_its_own(one: str, number: int, other: str, other_number: int) -> None:
    same = (one, number) == (other, other_number)
    assert (message_id("i", one, number) == message_id("i", other, other_number)) == same


def test_a_ratio_is_the_greatest_of_all_limits() -> None:
    made = breach(1)
    (excess,) = made.excesses
    twice = replace(excess, budget=100, actual=200)
    assert worst_ratio(replace(made, excesses=(excess, twice))) == 2.0
    assert worst_ratio(replace(made, excesses=())) == 0.0
    assert worst_ratio(replace(made, excesses=(replace(excess, budget=0, actual=7),))) == 7.0


def _with_ratio(number: int, ratio: int, *, duration_ns: int = S) -> Breach:
    made = breach(number, duration_ns=duration_ns)
    return replace(made, excesses=(replace(made.excesses[0], budget=1, actual=ratio),))


@pytest.mark.parametrize("order", [(0, 1, 2, 3, 4), (4, 3, 2, 1, 0), (2, 0, 4, 1, 3)])
def test_exemplars_are_those_that_died_then_the_worst_ratio_then_the_longest(order: tuple[int, ...]) -> None:
    made = [
        breach(0, state=State.DIED, duration_ns=1),
        _with_ratio(1, 9),
        _with_ratio(2, 5, duration_ns=2 * S),
        _with_ratio(3, 5),
        _with_ratio(4, 2, duration_ns=9 * S),
    ]
    exemplars: list[Breach] = []
    for index in order:
        exemplars = with_breach(exemplars, made[index]) or exemplars
    assert exemplars == made[:MAX_EXEMPLARS]
