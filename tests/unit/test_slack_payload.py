"""Whatever a client sends: no message about it breaks Slack's rules, or acts."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given

from compassd.breach import Excess, Metric, State
from compassd.calltree import CallTree, Frame, Node
from compassd.destinations.slack_incident import incident_payload, reminder_payload
from compassd.destinations.slack_payload import payload
from compassd.notice import BreachNotice, Happening, IncidentNotice, Message, Notice, TestNotice
from lab.breaches import make_breach
from lab.hostile import ATTACKS, texts
from lab.hostile_notices import messages
from lab.notices import BEGAN, make_digest, make_figures, make_incident, make_key, make_message
from lab.slack_rules import objections
from lab.slack_text import render


def check(message: Message) -> None:
    assert objections(payload(message)) == []
    if isinstance(message.notice, IncidentNotice):
        # What only a bot sends.
        assert objections(incident_payload(message.notice, message.created_at)) == []
        assert objections(reminder_payload(message.notice, message.created_at)) == []


@given(messages())
def test_no_request_can_break_or_act_in_a_message(message: Message) -> None:
    check(message)


@given(messages(texts))
def test_nor_can_one_that_was_not_cleaned(message: Message) -> None:
    check(message)


@pytest.mark.parametrize("attack", ATTACKS)
def test_known_attacks_are_harmless_everywhere(attack: str) -> None:
    everywhere: dict[str, Any] = dict.fromkeys(
        ("id", "method", "host", "uri", "script", "pool", "transaction"), attack
    )
    breach = replace(
        make_breach(rule=attack, tags={attack: attack}, **everywhere), route=attack, server=attack
    )
    key = make_key(**dict.fromkeys(("rule", "host", "pool", "route", "function"), attack))
    digest = make_digest(server=attack)
    notices: list[Notice] = [
        BreachNotice(breach=breach),
        TestNotice(server=attack, at=BEGAN),
        replace(digest, lines=tuple(replace(line, key=key) for line in digest.lines)),
    ]
    for happening in Happening:
        for hits in (1, 10_000):
            figures = make_figures(hits)
            notices.append(make_incident(happening, figures, (breach,) * 3, key=key, server=attack))
    for notice in notices:
        check(make_message(notice))


@pytest.mark.parametrize("state", list(State))
def test_the_longest_message_keeps_its_limits(state: State) -> None:
    long, much = "x" * 5_000, 2**62
    place = f"/{long}/{long}"
    path = [Node(Frame(f"{long}{depth}", place, 99_999), depth - 1, 0, 0, 0) for depth in range(20)]
    waits = [Node(Frame(long, place, 99_999), 19, 0, 10**9 - n, 99_999, f"{n}{long}") for n in range(5)]
    everywhere: dict[str, Any] = dict.fromkeys(
        ("rule", "uri", "id", "method", "host", "script", "pool", "transaction"), long
    )
    breach = make_breach(
        **everywhere,
        tree=CallTree(duration_ns=10**10, nodes=(*path, *waits), last=21),
        state=state,
        waiting_ns=much,
        excesses=(Excess(Metric.FUNCTION_TIME, much, much, long),) * 9,
        tags={f"{n}{long}": long for n in range(9)},
    )
    key = make_key(**dict.fromkeys(("rule", "host", "pool", "route", "function"), long))
    figures = make_figures(much, much - 1, died=much)
    line = replace(make_digest(1).lines[0], key=key, figures=figures, happening=Happening.CLOSED)
    check(make_message(BreachNotice(breach=breach)))
    check(make_message(make_digest(500, server=long, lines=(line,) * 10, dropped=much)))
    for happening in Happening:
        check(make_message(make_incident(happening, figures, (breach,) * 3, key=key, server=long)))


def test_a_test_message_says_that_messages_arrive() -> None:
    message = payload(make_message(TestNotice(server="web1", at=BEGAN)))
    assert message["text"] == "Messages of Compass on web1 arrive here."
    assert render(message).splitlines() == [
        "  Messages of Compass on web1 arrive here. This one was asked for at 2026-09-21 14:13:20 UTC."
    ]


def test_a_single_breach_is_told_as_before() -> None:
    alone = payload(make_message(BreachNotice(breach=make_breach())))
    assert alone == payload(make_message(make_incident()))
    assert render(alone).startswith("🟠 checkout is over budget\n")
