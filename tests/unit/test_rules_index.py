from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from compassd.breach import State
from compassd.request import Request
from compassd.rules.match import RuleSet
from compassd.rules.model import Match, Rule
from compassd.rules.subject import subject_of
from lab.breaches import make_request

PATHS = st.lists(
    st.sampled_from(["/", "//", "a", "shop", "cart", "-1", "é", "aaaaaaaaaaaaaaaaaaaaaaaaa"]), max_size=8
).map(lambda parts: "/" + "".join(parts))
GLOBS = st.lists(
    st.sampled_from(
        ["/", "a", "shop", "/cart", "*", "/**", "**/", "?", "[a-s]", "[!/]", "aaaaaaaaaaaaaaaaaaaaaaaaa"]
    ),
    max_size=6,
).map(lambda parts: "/" + "".join(parts))
REGEXES = st.lists(
    st.sampled_from(["/", "a", "shop", "/cart", ".*", "(a|b)", "|/", "?", r"\.", "[a-s]", "{0,1}"]),
    max_size=6,
).map(lambda parts: "/" + "".join(parts))
LABELS = st.sampled_from(["a", "b", "example", "com", "", "-"])
HOSTS = st.lists(LABELS, max_size=4).map(".".join)
HOST_GLOBS = st.lists(
    st.sampled_from(["a", "b", "*", "?", "[ab]", "example", "com"]), min_size=1, max_size=4
).map(".".join) | st.sampled_from(["*", "*a", "*com", "**.com", "a]"])
METHODS = st.sampled_from(["GET", "POST", "put"])


def _some(values: st.SearchStrategy[str]) -> st.SearchStrategy[list[str]]:
    return st.lists(values, min_size=1, max_size=3)


MATCHES = st.fixed_dictionaries(
    {},
    optional={
        "uri": _some(GLOBS),
        "uri_regex": _some(REGEXES),
        "host": _some(HOST_GLOBS),
        "method": _some(METHODS),
        "pool": st.sampled_from(["www", "api"]),
        "not": st.fixed_dictionaries({"method": METHODS}),
    },
)


@st.composite
def rules(draw: st.DrawFn) -> tuple[Rule, ...]:
    found: list[Rule] = []
    for match in draw(st.lists(MATCHES, max_size=8)):
        name = f"r{len(found)}"
        overrides = (
            draw(st.lists(st.sampled_from([rule.name for rule in found]), max_size=2)) if found else []
        )
        fields = {"name": name, "match": match, "budget": {"duration": "1ns"}}
        try:
            found.append(Rule.model_validate(fields | ({"overrides": overrides} if overrides else {})))
        except ValueError:
            # Not every glob and expression put together like this is one.
            continue
    return tuple(found)


REQUESTS = st.builds(
    make_request,
    uri=PATHS,
    host=HOSTS.map(str.upper) | HOSTS.map(lambda host: f"{host}:80"),
    method=METHODS.map(str.lower),
    pool=st.sampled_from(["www", ""]),
)


def _asked_each(found: tuple[Rule, ...], request: Request) -> list[str]:
    """The names of the rules that are broken, without an index: each is asked on its own."""
    about = [
        rule
        for rule in found
        if RuleSet((rule,)).compiled[0].match.matches(subject_of(request, State.FINISHED))
    ]
    overridden = {name for rule in about for name in rule.overrides}
    return [rule.name for rule in about if rule.name not in overridden]


@settings(max_examples=1_000)
@given(rules(), REQUESTS)
def test_the_index_leaves_out_no_rule_that_is_about_the_request(
    found: tuple[Rule, ...], request: Request
) -> None:
    broken = RuleSet(found).evaluate(request, lambda: None)
    assert [each.rule.name for each in broken] == _asked_each(found, request)


@settings(max_examples=1_000)
@given(GLOBS, PATHS)
@example("/shop/**", "/shop")
@example("/shop/**/**", "/shop")
@example("/shop/**/cart", "/shop/cart")
def test_every_glob_finds_the_paths_it_matches(glob: str, path: str) -> None:
    try:
        match = Match.model_validate({"uri": glob})
    except ValueError:
        return
    request = make_request(uri=path)
    rule = Rule.model_validate({"name": "r", "match": match, "budget": {"duration": "1ns"}})
    rules_ = RuleSet((rule,))
    subject = subject_of(request, State.FINISHED)
    assert not rules_.compiled[0].match.matches(subject) or rules_.candidates(subject)


def _candidates(matches: Sequence[Mapping[str, object]], request: Request) -> list[str]:
    found = tuple(
        Rule.model_validate({"name": f"r{number}", "match": match, "budget": {"duration": "1ns"}})
        for number, match in enumerate(matches)
    )
    return [each.rule.name for each in RuleSet(found).candidates(subject_of(request, State.FINISHED))]


REQUEST = make_request(uri="/tenants/t500/checkout", host="t500.example.com", method="POST")


@pytest.mark.parametrize(
    "match",
    [
        {"uri": "/tenants/t{n}/**"},
        {"uri": ["/tenants/t{n}", "/t/t{n}/?"]},
        {"uri_regex": "/tenants/t{n}/[a-z]+"},
        {"host": "t{n}.example.com"},
        # What all of them share is of no use.
        {"uri": "/tenants/**", "host": "t{n}.example.com", "method": "POST"},
        {"uri": "/tenants/t{n}/*", "host": "*.example.com"},
    ],
)
def test_of_a_thousand_rules_few_are_asked(match: dict[str, str | list[str]]) -> None:
    def numbered(value: str | list[str], n: int) -> str | list[str]:
        many = [text.replace("{n}", f"{n:03}") for text in ([value] if isinstance(value, str) else value)]
        return many if isinstance(value, list) else many[0]

    matches = [{key: numbered(value, n) for key, value in match.items()} for n in range(1_000)]
    assert _candidates([*matches, {}], REQUEST) == ["r500", "r1000"]


def test_a_host_of_a_thousand_dots_is_looked_up_and_finds_its_rules() -> None:
    match = {"host": "*" + ".a" * 127}
    request = replace(REQUEST, host=".a" * 1_000)
    assert _candidates([match, {"host": "*" + ".a" * 1_000}], request) == ["r0", "r1"]
