"""What a rules file may say beyond the simplest rule, and what it is told where it cannot."""

from __future__ import annotations

from pathlib import Path

import pytest

from compassd.breach import Gate
from compassd.rules.load import load_rules
from compassd.rules.problems import RulesError

GOOD = '[[rule]]\nname = "a"\nbudget = { cpu = "1s" }\n'


def complaints(tmp_path: Path, content: str) -> list[str]:
    path = tmp_path / "rules.toml"
    path.write_text(content)
    with pytest.raises(RulesError) as caught:
        load_rules(path)
    return [str(each).removeprefix(f"{path}:").rpartition(" [R")[0] for each in caught.value.problems]


def test_everything_is_read(tmp_path: Path) -> None:
    path = tmp_path / "rules.toml"
    path.write_text(
        GOOD
        + """
        [[rule]]
        name = "b"
        overrides = "a"
        escalate_ratio = 3
        min_hits = 5
        min_rate = 0.5
        within = "10m"
        budget = { waits = 0 }
        [rule.match]
        uri_regex = "/a/[0-9]+"
        pool = "www"
        transaction = ["GET *", "x"]
        tags = { t = "1", u = ["2"] }
        [rule.match.not]
        uri = "/a/1"
        [[rule.exception]]
        name = "export"
        match = { uri = "/a/2" }
        reason = " as agreed "
        expires = 2026-12-31
        [[rule.exception]]
        match = { not = [{ pool = "www" }] }
        reason = "x"
        [[route]]
        match = "/a/*"
        host = "EXAMPLE.com"
        name = "/a/{id}"
        """
    )
    ruleset = load_rules(path)
    _, rule = ruleset.rules
    assert (rule.overrides, rule.escalate_ratio, rule.budget.waits) == (("a",), 3.0, 0)
    assert rule.gate == Gate(5, 600_000_000_000, 0.5)
    assert (rule.match.uri_regex, rule.match.pool) == (("/a/[0-9]+",), ("www",))
    assert (rule.match.transaction, rule.match.tags) == (("GET *", "x"), {"t": ("1",), "u": ("2",)})
    assert [each.uri for each in rule.match.not_] == [("/a/1",)]
    first, second = rule.exceptions
    assert (first.name, first.reason, first.expires) == ("export", "as agreed", 1_798_761_600_000_000_000)
    assert (second.name, second.expires, second.match.not_[0].pool) == (None, None, ("www",))
    (route,) = ruleset.routes
    assert (route.match, route.host, route.name) == (("/a/*",), ("example.com",), "/a/{id}")


@pytest.mark.parametrize(
    ("line", "complaint"),
    [
        (
            "match.uri_regex = '/(a'",
            '4:19: rule "a": match.uri_regex: "/(a" is not a usable regular expression',
        ),
        ("match.uri_regex = ['/a', 'b']", '4:26: rule "a": match.uri_regex: "b" matches no path'),
        ("match.pool = ''", '4:14: rule "a": match.pool: "" is an empty glob'),
        ("match.transaction = 3", '4:21: rule "a": match.transaction: 3 is not a glob; write text in quotes'),
        ("match.tags = 'x'", '4:14: rule "a": match.tags: is "x", not a table; write for example tags = {'),
        ("match.tags = {}", '4:14: rule "a": match.tags: is an empty table; write for example tags = {'),
        ("match.tags.t = 3", '4:16: rule "a": match.tags.t: 3 is not a glob; write text in quotes'),
        ("match.tags = { t = ['a', ''] }", '4:26: rule "a": match.tags.t: "" is an empty glob'),
        ("match.not = 3", '4:13: rule "a": match.not: 3 is not a table; write for example not = {'),
        (
            "match.not = {}",
            '4:13: rule "a": match.not: is empty, which would leave out every request; say which',
        ),
        ("match.not = { uri = 'x' }", '4:21: rule "a": match.not.uri: "x" matches no path'),
        ("match.not = { ur = '/x' }", '4:15: rule "a": match.not: unknown key "ur"; did you mean "uri"?'),
        (
            "match.not = { not = { uri = '/x' } }",
            '4:15: rule "a": match.not: unknown key "not"; known: "host"',
        ),
        ("match.not_ = { uri = '/x' }", '4:7: rule "a": match: unknown key "not_"; did you mean "not"?'),
        (
            "budget.waits = -1",
            '4:16: rule "a": budget.waits: -1 is not a number of waits; write for example 50',
        ),
        (
            "escalate_ratio = 1",
            '4:18: rule "a": escalate_ratio: 1 is not greater than 1; write for example 5',
        ),
        ("escalate_ratio = nan", '4:18: rule "a": escalate_ratio: nan is not a number'),
        ("escalate_ratio = '2'", '4:18: rule "a": escalate_ratio: "2" is not a number'),
        ("min_hits = 0", '4:12: rule "a": min_hits: 0 is not a number of hits from 1 to 1000; write for'),
        ("min_hits = 1001", '4:12: rule "a": min_hits: 1001 is not a number of hits from 1 to 1000; write'),
        ("min_hits = 2.0", '4:12: rule "a": min_hits: 2.0 is not a number of hits from 1 to 1000; write for'),
        (
            "min_rate = 0",
            '4:12: rule "a": min_rate: 0 is not a share of the requests; write for example 0.05',
        ),
        (
            "min_rate = 5",
            '4:12: rule "a": min_rate: 5 is not a share of the requests; write for example 0.05',
        ),
        ("min_rate = true", '4:12: rule "a": min_rate: true is not a number'),
        (
            "within = '5m'",
            '1:3: rule "a": within is of no use without min_hits or min_rate; give one of them',
        ),
        ("within = 5", '4:10: rule "a": within: 5 is not a duration; write for example "800ms" or "1.5s"'),
        ("overrides = 'a'", '4:13: rule "a": overrides: "a" is this rule itself'),
        ("overrides = ['b']", '4:14: rule "a": overrides: no rule has the name "b"'),
        ("exception = 3", '4:13: rule "a": exception: 3 is not a table; write [[rule.exception]] above'),
        ("exception = { reason = 'x' }", '4:1: rule "a": exception: missing key "match"'),
        ("exception = { match = { uri = '/x' } }", '4:1: rule "a": exception: missing key "reason"'),
        (
            "exception = { match = {}, reason = 'x' }",
            '4:13: rule "a": exception: match is empty, which would',
        ),
        (
            "exception = { match = { uri = '/x' }, reason = ' ' }",
            '4:48: rule "a": exception.reason: "" is not a reason; write for whoever will ask',
        ),
        (
            "exception = { match = { uri = '/x' }, reason = 'x', expires = '2026-01-01' }",
            '4:63: rule "a": exception.expires: "2026-01-01" is not a date; write for example 2026-12-31',
        ),
        (
            "exception = { match = { uri = '/x' }, reason = 'x', expires = 2026-01-01T10:00:00 }",
            '4:63: rule "a": exception.expires: 2026-01-01T10:00:00 has no offset; write 2026-01-01T',
        ),
        (
            "exception = { match = { uri = '/x' }, reason = 'x', expires = 10:00:00 }",
            '4:63: rule "a": exception.expires: this value is not a date',
        ),
        (
            "exception = { match = { uri = '/x' }, reason = 'x', until = 2026-01-01 }",
            '4:53: rule "a": exception: unknown key "until"; known: "expires", "match", "name", "reason"',
        ),
    ],
)
def test_a_problem_names_its_place_and_a_way_out(tmp_path: Path, line: str, complaint: str) -> None:
    (found,) = complaints(tmp_path, f"{GOOD}{line}\n".replace('budget = { cpu = "1s" }', 'budget.cpu = "1s"'))
    assert found.startswith(complaint)


@pytest.mark.parametrize(
    ("lines", "complaint"),
    [
        ("match = '/a'\nname = ''", '6:8: route 1: name: "" is not the name of a route; use 1 to 128'),
        ("match = 'a'\nname = 'x'", '5:9: route 1: match: "a" matches no path'),
        ("name = 'x'", '4:3: route 1: missing key "match"'),
        ("mach = '/a'\nmatch = '/a'\nname = 'x'", '5:1: route 1: unknown key "mach"; did you mean "match"?'),
        ("match = '/a'\nname = 'x'\nhost = 'a/b'", '7:8: route 1: host: "a/b" is not a host'),
    ],
)
def test_a_problem_in_a_route_names_its_place(tmp_path: Path, lines: str, complaint: str) -> None:
    (found,) = complaints(tmp_path, f"{GOOD}[[route]]\n{lines}\n")
    assert found.startswith(complaint)


def rules_overriding(**overrides: list[str]) -> str:
    """Rules of three lines each, the last of them with what the rule overrides."""
    return "".join(
        f"[[rule]]\nname='{name}'\nbudget.cpu='1s'\noverrides={others}\n"
        for name, others in overrides.items()
    )


def test_all_that_cannot_be_overridden_is_reported(tmp_path: Path) -> None:
    text = rules_overriding(shop=["shopp", "shop"], a=["b"], b=["c", "shop"], c=["b", "a"])
    assert complaints(tmp_path, text) == [
        '4:12: rule "shop": overrides: no rule has the name "shopp"; did you mean "shop"?',
        '4:21: rule "shop": overrides: "shop" is this rule itself',
        '16:12: rule "c": overrides: "b" overrides this rule already: "c" → "b" → "c"',
        '16:17: rule "c": overrides: "a" overrides this rule already: "c" → "a" → "b" → "c"',
    ]


def test_rules_may_override_the_same_and_what_is_overridden(tmp_path: Path) -> None:
    path = tmp_path / "rules.toml"
    path.write_text(GOOD + rules_overriding(b=["a"], c=["a", "b"], d=["c", "b", "a"]))
    assert len(load_rules(path).rules) == 4


def test_overrides_of_rules_with_other_problems_are_checked(tmp_path: Path) -> None:
    text = "[[rule]]\nname=3\noverrides=[1, 'x']\n[[rule]]\nname='b'\nbudget={}\noverrides={}\n"
    assert [found.split(";")[0] for found in complaints(tmp_path, text)] == [
        '1:3: rule 1: missing key "budget"',
        "2:6: rule 1: name: 3 is not a name",
        "3:12: rule 1: overrides: 1 is not a name",
        '3:15: rule 1: overrides: no rule has the name "x"',
        '6:8: rule "b": budget: no limit',
        '7:11: rule "b": overrides: a table is not a name',
    ]
