from __future__ import annotations

import re
from collections.abc import Collection
from pathlib import Path

import pytest

from compassd.breach import Severity
from compassd.errors import ConfigurationError
from compassd.rules.load import load_rules
from compassd.rules.match import RuleSet
from compassd.rules.model import FunctionBudget
from compassd.rules.problems import RulesError
from compassd.rules.source import MAX_FILE_SIZE

GOOD = '[[rule]]\nname = "a"\nbudget = { cpu = "1s" }\n'


def load(tmp_path: Path, content: str | bytes, known: Collection[str] | None = None) -> RuleSet:
    path = tmp_path / "rules.toml"
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    return load_rules(path, known)


def complaints(tmp_path: Path, content: str | bytes, known: Collection[str] | None = None) -> list[str]:
    """What is wrong with a file, each as line:column: rule: message, without the code."""
    with pytest.raises(RulesError) as caught:
        load(tmp_path, content, known)
    assert str(caught.value).splitlines() == [str(problem) for problem in caught.value.problems]
    return plain(caught.value, f"{tmp_path}/rules.toml:")


def plain(error: RulesError, prefix: str) -> list[str]:
    """The problems without the file's name and the code."""
    return [re.sub(r" \[R\d{3}]$", "", str(each)).removeprefix(prefix).strip() for each in error.problems]


def in_rule(tmp_path: Path, line: str) -> str:
    """The one complaint about a line in a rule that is fine otherwise."""
    (complaint,) = complaints(tmp_path, f"{GOOD}{line}\n")
    return complaint


def test_everything_a_rule_can_say_is_read(tmp_path: Path) -> None:
    (rule,) = load(
        tmp_path,
        """
        [[rule]]
        name = "Check.out_1-a"
        match = { uri = "/shop/**", method = ["post", "PUT"], host = "*.Example.com", status = ["2XX", 404] }
        budget = { duration = "800ms", cpu = "0.3s", memory = "64MiB" }
        severity = "critical"
        destinations = ["b", "a"]
        """,
    ).rules
    assert rule.name == "Check.out_1-a"
    assert (rule.match.uri, rule.match.method) == (("/shop/**",), ("POST", "PUT"))
    assert (rule.match.host, rule.match.status) == (("*.example.com",), ("2xx", 404))
    assert (rule.budget.duration, rule.budget.cpu, rule.budget.memory) == (800_000_000, 300_000_000, 64 << 20)
    assert (rule.severity, rule.destinations) == (Severity.CRITICAL, ("b", "a"))


def test_what_a_rule_does_not_say_has_a_default(tmp_path: Path) -> None:
    (rule,) = load(tmp_path, GOOD).rules
    assert (rule.match.uri, rule.match.method, rule.match.host, rule.match.status) == ((), (), (), ())
    assert (rule.severity, rule.destinations) == (Severity.WARNING, None)
    assert (rule.budget.duration, rule.budget.memory, rule.budget.function) == (None, None, ())


def test_tables_line_ends_and_a_byte_order_mark_are_a_matter_of_taste(tmp_path: Path) -> None:
    text = '[[rule]]\nname = "a"\n[rule.budget]\ncpu = "1s"\n[[rule]]\nname = "b"\nbudget.cpu = "1s"\n'
    plain = load(tmp_path, text)
    assert [rule.budget.cpu for rule in plain.rules] == [10**9, 10**9]
    assert load(tmp_path, b"\xef\xbb\xbf" + text.replace("\n", "\r\n").encode()) == plain


def test_all_problems_are_reported_at_once_in_the_order_of_the_file(tmp_path: Path) -> None:
    text = """\
rules = 3
[[rule]]
name = "checkout"
match = { uri = ["/a", "*.php"], metod = "POST", status = [404, 999] }
  budget = { duration = "800 msec", memoy = "1MiB" }
severity = "warn"
destinations = ["ops-slak", 3]
[[rule]]
name = "checkout"
budgt = 1
match = "x"
[[rule]]
budget = {}
"""
    assert complaints(tmp_path, text, {"ops-slack", "journal"}) == [
        '1:1: unknown key "rules"; did you mean "rule"?',
        '4:24: rule "checkout": match.uri: "*.php" matches no path: paths begin with "/"; '
        'write "/…" or "**…"',
        '4:34: rule "checkout": match: unknown key "metod"; did you mean "method"?',
        '4:65: rule "checkout": match.status: 999 is not a status; write for example 404 or "5xx"',
        '5:25: rule "checkout": budget.duration: "800 msec" is not a duration; '
        'write for example "800ms" or "1.5s"',
        '5:37: rule "checkout": budget: unknown key "memoy"; did you mean "memory"?',
        '6:12: rule "checkout": severity: "warn" is not a severity; did you mean "warning"?',
        '7:17: rule "checkout": destinations: no destination "ops-slak" is configured; '
        'did you mean "ops-slack"?',
        '7:29: rule "checkout": destinations: 3 is not the name of a destination; write text in quotes',
        '8:3: rule "checkout": missing key "budget"',
        '9:8: rule "checkout": name: "checkout" is already the name of the rule at line 3',
        '10:1: rule "checkout": unknown key "budgt"; did you mean "budget"?',
        '11:9: rule "checkout": match: "x" is not a table; write for example match = { uri = "/shop/**" }',
        '12:3: rule 3: missing key "name"',
        "13:10: rule 3: budget: no limit; give at least one of duration, cpu, memory, waits and function",
    ]


@pytest.mark.parametrize(
    ("line", "complaint"),
    [
        ('match.uri = "shop"', '4:13: rule "a": match.uri: "shop" matches no path: paths begin with "/"'),
        ('match.uri = ["/a", "/[b"]', '4:20: rule "a": match.uri: "/[b" has a "[" without its "]"'),
        ("match.uri = 3", '4:13: rule "a": match.uri: 3 is not a glob; write text in quotes'),
        ("match.uri = []", '4:13: rule "a": match.uri: is an empty list; list at least one value'),
        ("match.uri = [[]]", '4:14: rule "a": match.uri: a list is not a glob'),
        ('match.host = "a.b:80"', '4:14: rule "a": match.host: "a.b:80" has a port, which is not compared'),
        ('match.host = "http://a/"', '4:14: rule "a": match.host: "http://a/" is not a host'),
        ('match.host = "[z-a]"', '4:14: rule "a": match.host: "[z-a]": the range "z-a" runs backwards'),
        (
            'match.method = "P T"',
            '4:16: rule "a": match.method: "P T" is not a method; write for example "GET"',
        ),
        ("match.status = true", '4:16: rule "a": match.status: true is not a status'),
        ("match.status = 99", '4:16: rule "a": match.status: 99 is not a status'),
        ("match.status = 600", '4:16: rule "a": match.status: 600 is not a status'),
        ("match.status = 404.0", '4:16: rule "a": match.status: 404.0 is not a status'),
        (
            'match.status = "404"',
            '4:16: rule "a": match.status: "404" is not a status; write for example 404',
        ),
        ('match.status = "6xx"', '4:16: rule "a": match.status: "6xx" is not a status'),
        ("match.status = { a = 1 }", '4:16: rule "a": match.status: a table is not a status'),
        ("match = []", '4:9: rule "a": match: a list is not a table; write for example match = {'),
        (
            "match.foo = 1",
            '4:7: rule "a": match: unknown key "foo"; known: "host", "method", "not", "pool"',
        ),
        (
            "severity = 1",
            '4:12: rule "a": severity: 1 is not a severity; write "info", "warning" or "critical"',
        ),
        ("severity = []", '4:12: rule "a": severity: a list is not a severity'),
        ("destinations = []", '4:16: rule "a": destinations: is an empty list'),
        ('"Name" = 1', '4:1: rule "a": unknown key "Name"; did you mean "name"?'),
        ('"\\u001b" = 1', '4:1: rule "a": unknown key "\\x1b"; known: "budget"'),
    ],
)
def test_a_problem_in_a_rule_names_its_place_and_a_way_out(tmp_path: Path, line: str, complaint: str) -> None:
    assert in_rule(tmp_path, line).startswith(complaint)


@pytest.mark.parametrize(
    ("name", "complaint"),
    [
        ('"a b"', '2:8: rule "a b": name: "a b" is not a name; use 1 to 64 of a-z, A-Z, 0-9, dot, dash'),
        ('""', '2:8: rule 1: name: "" is not a name'),
        ("3", "2:8: rule 1: name: 3 is not a name; write text in quotes"),
        (f'"{"x" * 65}"', f'2:8: rule "{"x" * 60}…": name: "{"x" * 60}…" is not a name'),
        ('"a\\u001b[31m"', '2:8: rule "a\\x1b[31m": name: "a\\x1b[31m" is not a name'),
        ('"a\\n"', '2:8: rule "a\\n": name: "a\\n" is not a name'),
        ('"é"', '2:8: rule "é": name: "é" is not a name'),
    ],
)
def test_names_are_short_and_plain(tmp_path: Path, name: str, complaint: str) -> None:
    (found,) = complaints(tmp_path, f'[[rule]]\nname = {name}\nbudget.cpu = "1s"\n')
    assert found.startswith(complaint)


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ('[rule]\nname = "a"\n', "1:2: a table is not a list of tables; write [[rule]] above the keys"),
        ("rule = 3", "1:8: 3 is not a list of tables; write [[rule]] above the keys"),
        ("rule = [3]", "1:9: rule 1: 3 is not a table; write [[rule]] above the keys"),
        ('name = "a"', '1:1: unknown key "name"; known: "route", "rule"'),
        (
            '[[rule]]\nname="a"\n[[rule.budget]]\ncpu="1s"',
            '3:8: rule "a": budget: a list is not a table; write',
        ),
        (
            '[[rule]]\nname="a"\nbudget="1s"',
            '3:8: rule "a": budget: "1s" is not a table; write for example budget',
        ),
        ("a = \n", "1:5: is not TOML: Invalid value"),
        ("a = 1\na = 2\n", "2:6: is not TOML: Cannot overwrite a value"),
        ("a = [1,\n 2\n\n", "2:3: is not TOML: Unclosed array"),
        ('a = "\x01"', "1:6: is not TOML: Illegal character '\\x01'"),
        ("a = " + "9" * 5_000, "has a number of too many digits"),
        ("a = " + "[" * 5_000, "is nested too deeply"),
        (b"[[rule]]\n\xc3\xa9\xff", "2:2: is not UTF-8: byte 0xff"),
        (b"\xff", "1:1: is not UTF-8: byte 0xff"),
        ("", "no rules"),
        ("# nothing\n", "no rules"),
        ("rule = []", "no rules"),
        ("#" * (MAX_FILE_SIZE + 1), "is larger than 1 MiB, too large for a rules file"),
    ],
    ids=lambda value: repr(value)[:30],
)
def test_a_file_that_holds_no_rules_is_refused_with_the_reason(
    tmp_path: Path, text: str | bytes, complaint: str
) -> None:
    (found,) = complaints(tmp_path, text)
    assert found.startswith(complaint)


FUNCTIONS = {
    "tables": "[[rule.budget.function]]\nname = 'PDO*::*'\ntime = '300ms'\nwaits = 50\n"
    "[[rule.budget.function]]\nname = 'Shop\\Cart::*'\nwaits = 0\n",
    "a list": """budget = { function = [
        { name = "PDO*::*", time = "300ms", waits = 50 }, { name = "Shop\\\\Cart::*", waits = 0 }] }\n""",
}


@pytest.mark.parametrize("text", FUNCTIONS.values(), ids=FUNCTIONS)
def test_functions_have_budgets_of_time_and_waits(tmp_path: Path, text: str) -> None:
    (rule,) = load(tmp_path, f'[[rule]]\nname = "a"\n{text}').rules
    assert rule.budget.function == (
        FunctionBudget.model_validate({"name": "PDO*::*", "time": "300ms", "waits": 50}),
        FunctionBudget.model_validate({"name": "Shop\\Cart::*", "waits": 0}),
    )
    assert rule.budget.limits == {}


@pytest.mark.parametrize(
    "text", ["budget.function = { name = 'f', time = '1s' }", "[rule.budget.function]\nname='f'\ntime='1s'"]
)
def test_a_single_function_needs_no_list(tmp_path: Path, text: str) -> None:
    (rule,) = load(tmp_path, f'[[rule]]\nname = "a"\n{text}').rules
    assert rule.budget.function == (FunctionBudget.model_validate({"name": "f", "time": "1s"}),)


@pytest.mark.parametrize(
    ("function", "complaint"),
    [
        ('{ name = "f", tme = "1s" }', '3:33: rule "a": budget.function: unknown key "tme"; did you mean'),
        ('{ nam = "f", waits = 1 }', '3:8: rule "a": budget.function: missing key "name"'),
        ('{ name = "f" }', '3:19: rule "a": budget.function: no limit; give at least one of time and waits'),
        ('{ name = "f", time = "1 sec" }', '3:40: rule "a": budget.function.time: "1 sec" is not a duration'),
        ('{ name = "f", time = "0s" }', '3:40: rule "a": budget.function.time: "0s" is zero'),
        ('{ name = "f", waits = "5" }', '3:41: rule "a": budget.function.waits: "5" is not a number of'),
        ('{ name = "f", waits = -1 }', '3:41: rule "a": budget.function.waits: -1 is not a number of waits'),
        ('{ name = "f", waits = 5.0 }', '3:41: rule "a": budget.function.waits: 5.0 is not a number of'),
        ('{ name = "f", waits = true }', '3:41: rule "a": budget.function.waits: true is not a number of'),
        ('{ name = "f", waits = 4294967296 }', '3:41: rule "a": budget.function.waits: 4294967296 is not'),
        ('{ name = "f[", waits = 1 }', '3:28: rule "a": budget.function.name: "f[" has a "[" without'),
        ('[{ name = "f()", waits = 1 }]', '3:29: rule "a": budget.function.name: "f()" matches no function'),
        ("[{ name = 3, waits = 1 }]", '3:29: rule "a": budget.function.name: 3 is not the name of a'),
        ('[{ name = "f", waits = 1 }, 3]', '3:47: rule "a": budget.function: 3 is not a table; write for'),
        ('"PDO::*"', '3:19: rule "a": budget.function: "PDO::*" is not a table; write for example function'),
        ("[]", '3:19: rule "a": budget.function: is an empty list'),
    ],
)
def test_a_problem_in_a_function_names_its_place_and_a_way_out(
    tmp_path: Path, function: str, complaint: str
) -> None:
    found = complaints(tmp_path, f'[[rule]]\nname = "a"\nbudget.function = {function}\nbudget.cpu = "1s"\n')
    assert found[0].startswith(complaint)


def test_functions_without_sampling_are_a_problem_of_every_rule_that_has_them(tmp_path: Path) -> None:
    text = (
        '[[rule]]\nname = "a"\nbudget = { cpu = "1s", function = { name = "f", waits = 1 } }\n'
        '[[rule]]\nname = "b"\nbudget = { cpu = "1s" }\n'
        '[[rule]]\nname = "c"\n[[rule.budget.function]]\nname = "g"\nwaits = 1.5\n'
        '[[rule]]\nname = "d"\nbudget = "x"\n'
        '[[rule]]\nname = "e"\nbudget.waits = 9\n'
    )
    path = tmp_path / "rules.toml"
    path.write_text(text)
    with pytest.raises(RulesError) as caught:
        load_rules(path, sampling=False)
    why = (
        "budget.function: the settings have sampling = false, which leaves functions unmeasured; "
        "set sampling = true and restart, or take this budget out"
    )
    assert plain(caught.value, f"{path}:") == [
        f'3:24: rule "a": {why}',
        f'9:15: rule "c": {why}',
        '11:9: rule "c": budget.function.waits: 1.5 is not a number of waits; write for example 50',
        '14:10: rule "d": budget: "x" is not a table; write for example budget = { duration = "800ms" }',
        '17:8: rule "e": '
        + why.replace("budget.function", "budget.waits").replace("functions unmeasured", "waits unmeasured"),
    ]
    path.write_text(GOOD)
    assert load_rules(path, sampling=False).rules


def test_a_file_of_the_largest_size_is_read(tmp_path: Path) -> None:
    assert load(tmp_path, GOOD + "#" * (MAX_FILE_SIZE - len(GOOD)))


@pytest.mark.parametrize(
    ("path", "complaint"),
    [
        ("missing.toml", "missing.toml: no such file"),
        ("", ": is a directory, not a file"),
        ("nul\0", '\\x00": cannot be read: a path has no null byte'),
        ("x" * 300, ": cannot be read: File name too long"),
    ],
)
def test_a_file_that_cannot_be_read_is_refused_with_the_reason(
    tmp_path: Path, path: str, complaint: str
) -> None:
    with pytest.raises(ConfigurationError) as caught:
        load_rules(tmp_path / path)
    assert str(caught.value).endswith(f"{complaint} [R001]")


def test_a_file_without_rules_comes_with_a_hint(tmp_path: Path) -> None:
    for content in ("", None):
        with pytest.raises(RulesError) as caught:
            load_rules(tmp_path / "missing") if content is None else load(tmp_path, content)
        assert caught.value.hint == "rules.example.toml shows every kind of rule"


def test_a_name_used_three_times_is_a_problem_twice(tmp_path: Path) -> None:
    assert complaints(tmp_path, GOOD * 3) == [
        '5:8: rule "a": name: "a" is already the name of the rule at line 2',
        '8:8: rule "a": name: "a" is already the name of the rule at line 2',
    ]


def test_destinations_are_checked_if_the_known_ones_are_given(tmp_path: Path) -> None:
    text = GOOD + 'destinations = "journl"\n'
    assert load(tmp_path, text).rules[0].destinations == ("journl",)
    assert load(tmp_path, text, ["journl"])
    prefix = '4:16: rule "a": destinations: no destination "journl" is configured'
    assert complaints(tmp_path, text, {"journal", "x"}) == [f'{prefix}; did you mean "journal"?']
    assert complaints(tmp_path, text, {"x", "w"}) == [f'{prefix}; configured: "w", "x"']
    assert complaints(tmp_path, text, ()) == [prefix]
