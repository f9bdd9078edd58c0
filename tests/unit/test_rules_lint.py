from __future__ import annotations

import math
import tomllib
from collections.abc import Collection
from datetime import UTC, datetime
from pathlib import Path

import pytest

from compassd.rules.cover import MAX_COMPARISONS
from compassd.rules.load import load_file
from compassd.rules.model import Rule
from compassd.rules.redundant import tells_all_of

NOW = int(datetime(2026, 6, 1, tzinfo=UTC).timestamp()) * 10**9
EXAMPLE = Path(__file__).parents[2] / "rules.example.toml"


def warnings(tmp_path: Path, text: str, destinations: Collection[str] | None = None) -> list[str]:
    """The warnings about a file, each as line:column: warning: rule: message [code]."""
    path = tmp_path / "rules.toml"
    path.write_text(text)
    found = load_file(path, destinations).warnings(destinations, NOW)
    return [str(problem).removeprefix(f"{path}:").strip() for problem in found]


def rules(*lines: str) -> str:
    """A file of rules named a, b, c…, each of one line."""
    return "".join(
        f'[[rule]]\nname = "{name}"\n{line}\n' for name, line in zip("abcdefgh", lines, strict=False)
    )


def one(line: str) -> str:
    return rules(f'budget.cpu = "1s"\n{line}')


@pytest.mark.parametrize(
    ("line", "complaint"),
    [
        (
            'match = { uri = "/a/b", not = { uri = "/a/**" } }',
            '4:31: warning: rule "a": match.not: this leaves out everything that the match is about, '
            "so that it never matches [R501]",
        ),
        (
            'match = { method = ["GET", "PUT"], not = [{ status = 404 }, { method = ["PUT", "GET"] }] }',
            "4:61",
        ),
        ('match.not = { uri = "**" }\nmatch.uri = "/x"', "4:13"),
        (
            'match = { uri = "/a/*", uri_regex = "/b/[0-9]+" }',
            '4:37: warning: rule "a": match.uri_regex: no path matches both uri and uri_regex',
        ),
        ('match = { uri = ["/a", "/b"], uri_regex = "/[0-9]+" }', "4:43"),
        (
            'match = { uri = ["/a", "/b/c?d#e"] }',
            '4:24: warning: rule "a": match.uri: "/b/c?d#e" matches no path: a path ends before the first',
        ),
        ('match = { uri = "/a[?]b=1" }', "4:17"),
        ('match = { not = { uri = "/a#b" } }', '4:25: warning: rule "a": match.not.uri: "/a#b" matches'),
    ],
)
def test_what_can_never_match_is_a_warning(tmp_path: Path, line: str, complaint: str) -> None:
    (found,) = warnings(tmp_path, one(line))
    assert found.startswith(complaint)
    assert found.endswith("[R501]")


@pytest.mark.parametrize(
    "line",
    [
        'match = { uri = "/a/**", not = { uri = "/a/b" } }',
        'match = { method = ["GET", "PUT"], not = { method = "GET" } }',
        'match = { uri = "/a/*", uri_regex = "/(a|b)/[0-9]+" }',
        'match = { uri = ["/a", "/b"], uri_regex = "/[a-z]" }',
        'match = { uri = "/search?[a-z]" }',
        'match = { uri = "/[#?a]" }',
        'match = { host = "*", not = { host = "a" } }',
    ],
)
def test_what_may_match_is_none(tmp_path: Path, line: str) -> None:
    assert warnings(tmp_path, one(line)) == []


def excepted(exception: str, match: str = 'uri = "/a"') -> str:
    return one(f"match = {{ {match} }}\n[[rule.exception]]\nreason = 'x'\n{exception}")


def test_an_exception_that_has_expired_is_a_warning(tmp_path: Path) -> None:
    exception = 'match.method = "GET"\nexpires ='
    assert warnings(tmp_path, excepted(f"{exception} 2026-05-31")) == [
        '8:11: warning: rule "a": exception.expires: has expired, at 2026-06-01 00:00 UTC; '
        "take the exception out, or renew it [R505]"
    ]
    assert warnings(tmp_path, excepted(f"{exception} 2026-06-01")) == []
    assert warnings(tmp_path, excepted(f"{exception} 2026-06-01T01:59:59+02:00")) != []
    assert warnings(tmp_path, excepted(f"{exception} 2026-06-01T02:00:01+02:00")) == []


def test_an_exception_of_everything_is_a_warning_unless_it_ends(tmp_path: Path) -> None:
    assert warnings(tmp_path, excepted('match.uri = "/**"')) == [
        '7:1: warning: rule "a": exception.match: excepts everything that the rule is about, '
        "so that it never tells anything [R501]"
    ]
    assert warnings(tmp_path, excepted('match.uri = "/**"\nexpires = 2026-12-31')) == []
    assert warnings(tmp_path, excepted('match = { uri = "/a", method = "GET" }')) == []


def test_rules_that_tell_the_same_are_a_warning_of_the_later(tmp_path: Path) -> None:
    text = rules(
        'match.uri = ["/a", "/b"]\nbudget = { cpu = "1s", memory = "1MiB" }',
        'match.uri = "/c"\nbudget.cpu = "1s"',
        'budget = { memory = "1024KiB", cpu = "1000ms" }\nmatch.uri = ["/b", "/a"]',
    )
    assert warnings(tmp_path, text) == [
        '9:3: warning: rule "c": tells the same as rule "a"; take one of them out [R502]'
    ]


SHOP = 'match.uri = "/shop/**"\n'


@pytest.mark.parametrize(
    ("strict", "lax"),
    [
        ('budget.duration = "1s"', f'{SHOP}budget.duration = "2s"'),
        ('budget = { duration = "1s", cpu = "1s" }', f'{SHOP}budget.cpu = "1s"\nseverity = "info"'),
        ('budget.cpu = "1s"', f'{SHOP}budget.cpu = "1s"\ndestinations = "x"'),
        ('budget.cpu = "1s"\ndestinations = ["y", "x"]', f'{SHOP}budget.cpu = "1s"\ndestinations = "x"'),
        ('budget.cpu = "1s"\nescalate_ratio = 2', f'{SHOP}budget.cpu = "1s"\nescalate_ratio = 3'),
        ('budget.cpu = "1s"', f'{SHOP}budget.cpu = "1s"\nmin_hits = 5\nwithin = "1m"'),
        (
            'budget.function = { name = "f", waits = 1, time = "1s" }',
            f'{SHOP}budget.function = {{ name = "f", waits = 2 }}',
        ),
        (
            'budget.cpu = "1s"\nexception = { match.uri = "/shop/a", reason = "x" }',
            f'{SHOP}budget.cpu = "1s"\nexception = {{ match.uri = "/shop/*", reason = "y" }}',
        ),
    ],
)
def test_a_rule_that_a_stricter_one_covers_is_a_warning(tmp_path: Path, strict: str, lax: str) -> None:
    (found,) = warnings(tmp_path, rules(lax, strict))
    assert found == (
        '1:3: warning: rule "a": tells nothing that rule "b" does not tell, which is about the same '
        "requests and is no less strict; if it is an exception to that one, write "
        'overrides = ["b"], else take it out [R503]'
    )
    (found,) = warnings(tmp_path, rules(strict, lax))
    assert 'rule "b": tells nothing that rule "a" does not' in found


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ('budget.duration = "1s"', f'{SHOP}budget.duration = "500ms"'),
        ('budget.duration = "1s"', f'{SHOP}budget.cpu = "1s"'),
        ('budget.duration = "1s"', f'{SHOP}budget.duration = "1s"\nseverity = "critical"'),
        ('budget.duration = "1s"\ndestinations = "x"', f'{SHOP}budget.duration = "1s"\ndestinations = "y"'),
        ('budget.duration = "1s"\ndestinations = "x"', f'{SHOP}budget.duration = "1s"'),
        ('budget.duration = "1s"', f'{SHOP}budget.duration = "2s"\nescalate_ratio = 2'),
        ('budget.duration = "1s"\nmin_hits = 2', f'{SHOP}budget.duration = "2s"'),
        ('budget.duration = "1s"\nmin_rate = 0.5', f'{SHOP}budget.duration = "2s"'),
        ('budget.function = { name = "f", waits = 1 }', 'budget.function = { name = "g", waits = 1 }'),
        ('budget.function = { name = "f", waits = 1 }', 'budget.function = { name = "f", time = "1s" }'),
        ('budget.cpu = "1s"', f'{SHOP}budget.cpu = "2s"\noverrides = "a"'),
        (
            'budget.cpu = "1s"\nexception = { match.uri = "/shop/a", reason = "x" }',
            f'{SHOP}budget.cpu = "2s"',
        ),
        ('match.status = 404\nbudget.cpu = "1s"', f'{SHOP}budget.cpu = "1s"'),
    ],
)
def test_rules_that_each_tell_something_are_no_warning(tmp_path: Path, one: str, other: str) -> None:
    assert warnings(tmp_path, rules(one, other)) == []
    assert warnings(tmp_path, rules(other.replace('"a"', '"b"'), one)) == []


def test_a_rule_that_is_itself_overridden_makes_no_other_needless(tmp_path: Path) -> None:
    strict, lax = 'budget.cpu = "1s"', f'{SHOP}budget.cpu = "2s"'
    silent = 'match.uri = "/shop/cart"\nbudget.cpu = "9s"\noverrides = "a"'
    assert len(warnings(tmp_path, rules(strict, lax))) == 1
    assert warnings(tmp_path, rules(strict, lax, silent)) == []


def test_a_rule_that_is_never_asked_is_a_warning(tmp_path: Path) -> None:
    text = rules('match.uri = "/shop/cart"\nbudget.cpu = "1s"', f'{SHOP}budget.cpu = "2s"\noverrides = "a"')
    assert warnings(tmp_path, text) == [
        '1:3: warning: rule "a": is never asked: rule "b" overrides it and is about all that it is about '
        "[R503]"
    ]
    text = rules('budget.cpu = "1s"', f'{SHOP}budget.cpu = "2s"\noverrides = "a"')
    assert warnings(tmp_path, text) == []


def test_a_destination_that_no_rule_tells_is_a_warning(tmp_path: Path) -> None:
    text = one('destinations = ["slack"]')
    assert warnings(tmp_path, text, ["slack", "ops"]) == [
        'warning: the settings have a destination "ops", and no rule tells it anything [R504]'
    ]
    assert warnings(tmp_path, text) == []
    assert warnings(tmp_path, one(""), ["slack", "ops"]) == []


def test_a_route_whose_requests_all_have_a_name_is_a_warning(tmp_path: Path) -> None:
    routes = (
        '[[route]]\nmatch = ["/blog/**", "/news"]\nname = "blog"\nhost = "*.example.com"\n'
        '[[route]]\nmatch = ["/blog/*", "/shop/*"]\nname = "post"\nhost = "www.example.com"\n'
        '[[route]]\nmatch = "/blog/*"\nname = "everywhere"\n'
    )
    assert warnings(tmp_path, one(routes)) == [
        '9:10: warning: route 2: match: "/blog/*" is never asked: the route "blog" above has all of its '
        "paths; put the narrower one first [R506]"
    ]


def test_the_example_has_no_warnings() -> None:
    known = {"ops-slack", "journal"}
    assert load_file(EXAMPLE, known).warnings(known, NOW) == []


def test_a_file_of_very_many_rules_does_not_keep_the_daemon_from_its_work(tmp_path: Path) -> None:
    def alike(count: int) -> str:
        rule = '[[rule]]\nname = "r{n}"\nmatch.uri = "/a"\nbudget.cpu = "{n}s"\n'
        return "".join(rule.format(n=n + 1) for n in range(count))

    most = math.isqrt(MAX_COMPARISONS)
    assert len(warnings(tmp_path, alike(most))) == most - 1
    assert warnings(tmp_path, alike(most + 1)) == []
    routes = '[[route]]\nmatch = "/a"\nname = "a"\n'
    assert len(warnings(tmp_path, one(routes * most))) == most - 1
    assert warnings(tmp_path, one(routes * (most + 1))) == []
    paths = [f"/{n}" for n in range(most + 1)]
    assert warnings(tmp_path, one(f"match = {{ uri = {paths}, not = {{ uri = {paths} }} }}")) == []
    others = [f"/x{n}" for n in range(most)]
    assert warnings(tmp_path, one(f"match = {{ uri = {paths}, uri_regex = {others} }}")) == []
    assert len(warnings(tmp_path, one(f"match = {{ uri = {paths[1:]}, uri_regex = {others} }}"))) == 1


# Of each key of a rule a line with which it tells something that one without does not tell.
TELLING = {
    "severity": 'severity = "critical"',
    "escalate_ratio": "escalate_ratio = 2",
    "overrides": 'overrides = "other"',
    # Beside one that tells "x" only.
    "destinations": 'destinations = "y"',
}
# And one with which a rule tells less than one without.
SILENCING = {
    "match": 'match.uri = "/a"',
    "exception": 'exception = { match.uri = "/a", reason = "x" }',
    "min_hits": "min_hits = 2",
    "min_rate": "min_rate = 0.5",
    "within": 'min_hits = 2\nwithin = "1m"',
}


def test_every_key_of_a_rule_is_looked_at() -> None:
    keys = {field.alias or name for name, field in Rule.model_fields.items()}
    assert {"name", "budget", *TELLING, *SILENCING} == keys


@pytest.mark.parametrize("key", [*TELLING, *SILENCING])
def test_a_rule_that_tells_more_than_another_is_not_covered_by_it(key: str) -> None:
    def rule(text: str) -> Rule:
        document = {"name": "a", "budget": {"cpu": "1s"}, "destinations": "x"}
        return Rule.model_validate(document | tomllib.loads(text))

    plain, special = rule(""), rule(TELLING.get(key) or SILENCING[key])
    more, less = (special, plain) if key in TELLING else (plain, special)
    assert tells_all_of(plain, plain)
    assert tells_all_of(special, special)
    assert not tells_all_of(less, more)
