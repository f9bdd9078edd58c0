from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from compassd.__main__ import main
from compassd.breach import Severity, State
from compassd.capture import CapturedRequest, request_document
from compassd.message import document, encode
from compassd.notice import DigestNotice, IncidentNotice, Message
from compassd.rules.match import RuleSet
from compassd.rules.model import RulesFile
from compassd.settings import IncidentSettings
from compassd.trial.replay import AlertKey, Replay, replay
from compassd.trial.replay_text import replay_text
from compassd.trial.simulation import Simulation
from lab.breaches import make_breach, make_request

MS, S, MIN = 1_000_000, 1_000_000_000, 60_000_000_000
START = 1_790_000_000 * S


def _rules(*rules: dict[str, Any], routes: Sequence[dict[str, Any]] = ()) -> RuleSet:
    parsed = RulesFile.model_validate({"rule": rules, "route": routes})
    return RuleSet(parsed.rule, parsed.route)


def _rule(name: str, duration: str, **fields: Any) -> dict[str, Any]:  # noqa: ANN401 - as in a file
    return {"name": name, "budget": {"duration": duration}, **fields}


def _request(at_s: float, ms: int, uri: str = "/cart", **changes: Any) -> CapturedRequest:  # noqa: ANN401
    fields = {
        "uri": uri,
        "duration_ns": ms * MS,
        "started_at": START + int(at_s * S) - ms * MS,
        "transaction": "",
        "host": "shop.example",
        **changes,
    }
    return CapturedRequest(request=make_request(**fields), place=f"x:{at_s:g}")


def _replay(requests: Sequence[CapturedRequest], new: RuleSet, old: RuleSet | None = None) -> Replay:
    return replay(requests, new, old, IncidentSettings(), ("ops", "journal"))


def test_breaches_are_counted_by_rule_and_route_with_the_worst() -> None:
    requests = [
        _request(0, 100, "/cart"),
        _request(1, 700, "/orders/1"),
        _request(2, 2_500, "/orders/2"),
        _request(3, 900, "/orders/3"),
        _request(4, 2_100, "/blog/x"),
    ]
    rules = _rules(
        _rule("slow", "2s"),
        _rule("orders", "500ms", match={"uri": "/orders/*"}, severity="critical"),
        routes=[{"match": "/blog/*", "name": "/blog/{slug}"}],
    )
    found = _replay(requests, rules)
    told = found.told
    assert (found.requests, told.requests, told.breaches) == (5, 4, 5)
    assert {key: alerts.breaches for key, alerts in told.alerts.items()} == {
        AlertKey("orders", "shop.example", "/orders/{n}"): 3,
        AlertKey("slow", "shop.example", "/orders/{n}"): 1,
        AlertKey("slow", "shop.example", "/blog/{slug}"): 1,
    }
    worst = told.alerts[AlertKey("orders", "shop.example", "/orders/{n}")].worst
    assert worst is not None
    assert (worst.ratio, worst.place) == (5.0, "x:2")
    assert (found.began_at, found.ended_at) == (START, START + 4 * S)
    # Three incidents, each told when it opens and when it is over; one breach came just after the opening.
    assert (told.incidents, told.messages) == (3, {"ops": 7, "journal": 7})


def test_ten_thousand_breaches_of_one_route_within_a_minute_are_a_few_messages() -> None:
    requests = [_request(n * 0.006, 3_000) for n in range(10_000)]
    told = _replay(requests, _rules(_rule("slow", "2s", destinations=["ops"]))).told
    assert (told.breaches, told.incidents, told.messages) == (10_000, 1, {"ops": 3})


def test_breaches_that_stay_too_few_are_suppressed() -> None:
    requests = [_request(0, 3_000), _request(300, 3_000)]
    told = _replay(requests, _rules(_rule("slow", "2s", min_hits=2))).told
    assert (told.breaches, told.incidents, told.suppressed, told.messages) == (2, 0, 2, {})


def test_a_rate_is_of_the_captured_requests() -> None:
    requests = [_request(n * 0.1, 3_000 if n % 10 == 9 else 10) for n in range(500)]
    for rate, incidents in ((0.05, 1), (0.2, 0)):
        told = _replay(requests, _rules(_rule("slow", "2s", min_rate=rate))).told
        assert (told.breaches, told.incidents) == (50, incidents)


def test_a_worker_that_died_is_told_by_every_rule_about_it() -> None:
    dead = CapturedRequest(
        request=make_request(duration_ns=5 * MS, status=None), state=State.DIED, signal=11, place="x:1"
    )
    found = _replay([dead], _rules(_rule("slow", "2s"), _rule("other", "2s", match={"uri": "/other"})))
    assert [key.rule for key in found.told.alerts] == ["slow"]
    assert "died after 5.00 ms (x:1)" in replay_text(found)


def test_what_is_new_gone_and_of_another_severity() -> None:
    requests = [_request(0, 400), _request(1, 700), _request(2, 1_500)]
    old = _rules(_rule("a", "1s"), _rule("b", "600ms"), _rule("dropped", "1s"))
    new = _rules(_rule("a", "300ms", severity="critical"), _rule("b", "1s"), _rule("added", "1s"))
    found = _replay(requests, new, old)
    difference = found.difference

    def counts(alerts: dict[AlertKey, Any]) -> dict[str, int]:
        return {key.rule: each.breaches for key, each in alerts.items()}

    assert counts(difference.new) == {"a": 2, "added": 1}
    assert counts(difference.gone) == {"b": 1, "dropped": 1}
    ((key, before, after),) = difference.changed
    assert (key.rule, before, after) == ("a", Severity.WARNING, Severity.CRITICAL)
    assert found.against is not None
    assert (found.told.breaches, found.against.breaches) == (5, 4)


def test_the_same_rules_make_no_difference() -> None:
    rules = _rules(_rule("a", "300ms"))
    text = replay_text(_replay([_request(0, 400)], rules, rules))
    assert "no breach is told differently" in text


moments = st.lists(
    st.tuples(st.integers(0, 4_000), st.integers(0, 3_000), st.sampled_from("abc")), max_size=40
)


@given(moments, st.integers(1, 3))
def test_every_breach_is_in_exactly_one_message_or_suppressed(
    events: list[tuple[int, int, str]], min_hits: int
) -> None:
    told: list[tuple[int, Message]] = []
    rules = _rules(_rule("slow", "1s", min_hits=min_hits), _rule("slower", "2s"))
    simulation = Simulation(
        rules, IncidentSettings(), ("ops",), lambda at, message: told.append((at, message))
    )
    breaches = sum(len(simulation.feed(_request(at, ms, f"/{page}"))) for at, ms, page in events)
    simulation.finish()
    counted = 0
    for _, message in told:
        notice = message.notice
        assert isinstance(notice, IncidentNotice | DigestNotice)
        counted += notice.new_hits if isinstance(notice, DigestNotice) else notice.figures.new_hits
    assert counted + simulation.suppressed == breaches
    assert [at for at, _ in told] == sorted(at for at, _ in told)
    assert bool(told) == bool(simulation.incidents)


RULES = '[[rule]]\nname = "slow"\nbudget = { duration = "2s" }\n'
OLD_RULES = RULES.replace("2s", "1s")


@pytest.fixture
def files(tmp_path: Path) -> list[str]:
    requests = [_request(n, 500 * n, id=str(n)) for n in range(6)]
    lines = [encode(request_document(each)) for each in requests]
    lines.append(encode(document(make_breach(started_at=START + 9 * S, duration_ns=3 * S))))
    for name, text in (("new.toml", RULES), ("old.toml", OLD_RULES)):
        (tmp_path / name).write_text(text)
    (tmp_path / "x.jsonl").write_bytes(b"\n".join(lines))
    return [str(tmp_path / name) for name in ("x.jsonl", "new.toml", "old.toml")]


def test_the_command_says_what_would_be_told(files: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    capture, new, old = files
    assert main(["replay", capture, "--rules", new, "--against", old]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].startswith("7 requests within 12.0 s, from 2026-09-21T")
    assert lines[1] == "2 breaches by 2 requests, 2 incidents, 4 messages (every destination 4)"
    assert lines[3].split() == ["RULE", "SEVERITY", "HOST", "ROUTE", "BREACHES", "WORST"]
    assert f"took 3.00 s, budget 2.00 s ({capture}:7)" in lines[4] + lines[5]
    assert "with the other rules: 4 breaches by 4 requests" in "\n".join(lines)
    assert "gone: 2 breaches" in lines


def test_the_command_says_it_in_json(files: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    capture, new, old = files
    assert main(["replay", capture, "--rules", new, "--against", old, "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert (found["type"], found["requests"], found["breaches"], found["incidents"]) == (
        "compass.replay",
        7,
        2,
        2,
    )
    assert found["messages"] == {"every destination": 4}
    assert found["alerts"][0]["severities"] == {"info": 0, "warning": 1, "critical": 0}
    assert found["against"]["gone"][0]["worst"]["exceeded"]["metric"] == "duration"
    assert found["against"]["new"] == []


def test_only_destinations_of_incidents_get_messages(
    files: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    config = tmp_path / "compassd.toml"
    config.write_text(
        '[destinations.journal]\ntype = "journald"\n'
        '[destinations.hook]\ntype = "webhook"\nurl = "http://127.0.0.1:9/"\n'
    )
    capture, new, _ = files
    assert main(["replay", capture, "--rules", new, "--config", str(config), "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["messages"] == {"hook": 4}


def test_an_empty_capture_is_said_to_be_empty(
    files: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "empty").touch()
    assert main(["replay", str(tmp_path / "empty"), "--rules", files[1]]) == 0
    assert capsys.readouterr().out == "no requests\n"
