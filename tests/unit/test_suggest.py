from __future__ import annotations

import io
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from compassd.__main__ import main
from compassd.breach import State
from compassd.capture import CapturedRequest, request_document
from compassd.message import document, encode
from compassd.routes import route_of
from compassd.rules.glob import compile_glob
from compassd.rules.load import load_rules
from compassd.rules.match import RuleSet
from compassd.rules.text_glob import compile_text_glob
from compassd.rules.verdict import Outcome, explain
from compassd.trial.route_glob import path_glob, text_glob
from compassd.trial.suggest import Suggestions, percentile, suggest
from compassd.trial.suggest_text import rules_file
from lab.breaches import make_breach, make_request

MS, MIB = 1_000_000, 2**20


def _request(uri: str = "/cart", ms: int = 100, **changes: Any) -> CapturedRequest:  # noqa: ANN401 - of Request
    fields = {"uri": uri, "duration_ns": ms * MS, "transaction": "", **changes}
    return CapturedRequest(request=make_request(**fields))


def _ruleset(found: Suggestions, tmp_path: Path) -> RuleSet:
    path = tmp_path / "suggested.toml"
    path.write_text(rules_file(found))
    return load_rules(path)


def _budgets(found: Suggestions) -> dict[str, tuple[int, int | None]]:
    return {rule.name: (rule.duration_ms, rule.memory_mib) for rule in found.rules}


def test_a_budget_is_what_nearly_all_took_with_room_and_round(tmp_path: Path) -> None:
    requests = [_request(ms=n, memory_peak=n * MIB // 10) for n in range(1, 301)]
    found = suggest(requests)
    assert _budgets(found) == {"post-cart": (500, 48)}
    (rule,) = _ruleset(found, tmp_path).rules
    assert (rule.budget.duration, rule.budget.memory) == (500 * MS, 48 * MIB)
    assert rule.match.uri == ("/cart",)
    assert rule.match.method == ("POST",)
    text = rules_file(found)
    assert "# POST /cart\n# 300 requests: half took at most 150 ms, 99% 297 ms, the longest 300 ms" in text


@pytest.mark.parametrize(
    ("ms", "budget"), [(0, 50), (33, 50), (34, 60), (67, 120), (600, 1_000), (700, 1_200), (9_000, 15_000)]
)
def test_budgets_are_round_numbers(ms: int, budget: int, tmp_path: Path) -> None:
    found = suggest([_request(ms=ms)] * 20)
    assert [rule.duration_ms for rule in found.rules] == [budget]
    assert _ruleset(found, tmp_path).rules[0].budget.duration == budget * MS


def test_what_is_too_rare_or_has_no_name_is_left_out_and_counted(tmp_path: Path) -> None:
    requests = [
        *[_request("/often")] * 20,
        *[_request("/rare")] * 19,
        *[_request("/rarer", method="GET")] * 2,
        *[_request("*")] * 30,
        *[_request("/", method="<>")] * 5,
        *[CapturedRequest(request=make_request(), state=State.DIED)] * 3,
    ]
    found = suggest(requests)
    assert list(_budgets(found)) == ["post-often"]
    assert (found.requests, found.few, found.few_requests, found.unnamed, found.died) == (79, 2, 21, 35, 3)
    text = rules_file(found)
    assert "Left out: 2 routes with fewer than 20 requests each, 21 requests together." in text
    assert "Left out: 35 requests whose method or path" in text
    assert "Left out: 3 requests whose worker died" in text
    assert len(_ruleset(found, tmp_path).rules) == 1


def test_ids_in_paths_are_one_route_and_the_narrower_rule_overrides_the_wider(tmp_path: Path) -> None:
    requests = [
        *[_request(f"/orders/{n}", ms=50) for n in range(30)],
        *[_request("/orders/7-eleven", ms=400)] * 25,
        *[_request("/orders/new", ms=900)] * 20,
    ]
    rules = _ruleset(suggest(requests), tmp_path)
    by_glob = {rule.match.uri[0]: rule for rule in rules.rules}
    assert by_glob.keys() == {"/orders/[0-9]*", "/orders/[0-9]*-eleven", "/orders/new"}
    assert by_glob["/orders/[0-9]*-eleven"].overrides == (by_glob["/orders/[0-9]*"].name,)
    assert by_glob["/orders/new"].overrides == ()


def test_a_rule_overrides_one_that_is_about_its_requests_too_but_not_the_other_way_round(
    tmp_path: Path,
) -> None:
    # To the second a token that begins with a hexadecimal digit looks like a hash.
    requests = [_request(uri) for uri in (f"/4711/{TOKEN}", f"/{TOKEN}/{HASH}")] * 20
    own, other = _ruleset(suggest(requests), tmp_path).rules
    assert own.match.uri == ("/[0-9]*/*",)
    assert own.overrides == (other.name,)
    assert other.overrides == ()


def test_rules_that_would_override_each_other_in_a_circle_can_be_loaded(tmp_path: Path) -> None:
    uris = (f"/{TOKEN}/4711/{HASH}", f"/{HASH}/{TOKEN}/4711", f"/4711/{HASH}/{TOKEN}")
    requests = [_request(uri) for uri in uris] * 20
    rules = _ruleset(suggest(requests), tmp_path).rules
    assert sum(len(rule.overrides) for rule in rules) == 2


def test_transactions_are_matched_by_name_and_come_before_paths(tmp_path: Path) -> None:
    requests = [
        *[_request(f"/blog/{n}", transaction='App\\Blog::show[*] "ü" 😀') for n in range(20)],
        *[_request("/blog/1", ms=700)] * 20,
    ]
    rules = _ruleset(suggest(requests), tmp_path).rules
    (named,) = [rule for rule in rules if rule.match.transaction]
    (other,) = [rule for rule in rules if not rule.match.transaction]
    assert named.match.transaction == ('App\\Blog::show[[][*]] "ü" 😀',)
    assert named.overrides == (other.name,)


@pytest.mark.parametrize(("slow", "hosts"), [(150, [()]), (400, [("a.example",), ("b.example",)])])
def test_hosts_that_differ_much_have_rules_of_their_own(
    slow: int, hosts: list[tuple[str, ...]], tmp_path: Path
) -> None:
    requests = [
        *[_request(ms=100, host="a.example:443")] * 20,
        *[_request(ms=slow, host="B.example")] * 20,
        *[_request(ms=5, host="rare.example")] * 3,
    ]
    rules = _ruleset(suggest(requests), tmp_path).rules
    assert sorted(rule.match.host for rule in rules) == hosts


uris = st.lists(
    st.text(st.sampled_from("/aB14-.%é*[]{}_ ~") | st.characters(categories=["L", "N", "P"]), max_size=25),
    max_size=5,
).map(lambda parts: "/" + "/".join(parts).replace("?", "").replace("#", ""))


@given(uris)
def test_the_glob_of_a_route_matches_the_path(uri: str) -> None:
    glob = path_glob(route_of(uri))
    assert glob is not None
    assert compile_glob(glob).match(uri), (uri, route_of(uri), glob)


@given(st.text(min_size=1, max_size=40))
def test_the_glob_of_a_text_matches_it(text: str) -> None:
    assert compile_text_glob(text_glob(text)).match(text)


@given(
    st.lists(st.tuples(uris, st.sampled_from(["GET", "POST"]), st.sampled_from(["", "a", "b"])), max_size=15)
)
def test_the_rules_that_are_suggested_can_be_loaded(kinds: list[tuple[str, str, str]]) -> None:
    requests = [
        _request(uri, ms=ms, method=method, host=host, transaction="cart" if ms == 7 else "")
        for uri, method, host in kinds
        for ms in (1, 7, 300)
    ]
    found = suggest(requests, min_requests=2)
    if found.rules:
        assert len(_loaded(rules_file(found)).rules) == len(found.rules)


HASH, TOKEN = "3f2a91bc77", "aB3dE5fG7hI9jK1l"
PARTS = [
    "orders",
    "new",
    "4711",
    "7",
    "7-eleven",
    "order-8.html",
    HASH,
    "caf%C3%A9",
    TOKEN,
]
# Rules may override each other in a circle where three parts or more are a number, a token and a hash.
paths = st.one_of(
    st.lists(st.sampled_from(PARTS), max_size=2),
    *(
        st.lists(st.sampled_from([part for part in PARTS if part != other]), max_size=3)
        for other in (TOKEN, HASH)
    ),
).map(lambda parts: "/" + "/".join(parts))


@given(st.lists(st.tuples(paths, st.sampled_from(["GET", "POST"]), st.booleans()), max_size=15))
def test_every_request_of_a_suggested_rule_is_judged_by_one_rule_alone(
    kinds: list[tuple[str, str, bool]],
) -> None:
    requests = [
        _request(uri, ms=ms, method=method, transaction="cart" if is_transaction else "")
        for uri, method, is_transaction in kinds
        for ms in (1, 1, 60_000)
    ]
    found = suggest(requests, min_requests=3)
    if not found.rules:
        return
    ruleset = _loaded(rules_file(found))
    for each in requests:
        verdicts = explain(ruleset, each.request, lambda: None)
        asked = [v.rule.name for v in verdicts if v.outcome in (Outcome.BROKEN, Outcome.WITHIN)]
        assert len(asked) == 1, (each.request.uri, asked)


def _loaded(text: str) -> RuleSet:
    import tempfile  # noqa: PLC0415 - tmp_path would be the same for every example

    with tempfile.NamedTemporaryFile("w", suffix=".toml") as file:
        file.write(text)
        file.flush()
        return load_rules(Path(file.name))


@given(st.lists(st.integers(0, 1_000), min_size=1), st.integers(1, 100))
def test_percentiles(values: list[int], percent: int) -> None:
    found = percentile(sorted(values), percent)
    assert found in values
    assert sum(value <= found for value in values) * 100 >= percent * len(values)
    assert sum(value < found for value in values) * 100 < percent * len(values)


def _write(path: Path, requests: Iterable[CapturedRequest]) -> Path:
    path.write_bytes(b"".join(encode(request_document(each)) + b"\n" for each in requests))
    return path


def test_the_command_prints_a_rules_file(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    requests = [_request(id=str(n)) for n in range(5)]
    capture = _write(tmp_path / "x.jsonl", requests)
    assert main(["suggest", str(capture), "--min-requests", "5"]) == 0
    rules = tmp_path / "rules.toml"
    rules.write_text(capsys.readouterr().out)
    assert main(["check", "--rules", str(rules)]) == 0
    assert main(["suggest", str(capture)]) == 1
    assert "of 5 requests no route has 20" in capsys.readouterr().err


def test_breaches_are_no_ground_for_budgets(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    line = encode(document(make_breach()))
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(line)))
    assert main(["suggest", "-"]) == 1
    assert "standard input:1 is a breach" in capsys.readouterr().err
