"""`compassd test`: tests of rules, and tests of those that fail as they should."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

import pytest

from compassd.__main__ import main
from compassd.capture import CapturedRequest, request_document
from compassd.message import encode
from lab.breaches import make_request

ROOT = Path(__file__).parents[2]
EXAMPLE = ROOT / "rules.example.test.toml"
RULES = """
[[rule]]
name = "slow"
budget = { duration = "1s", waits = 10 }
destinations = ["ops"]
[[rule]]
name = "cart"
match = { uri = "/cart" }
severity = "critical"
[rule.budget]
duration = "100ms"
cpu = "50ms"
memory = "8MiB"
[[rule.budget.function]]
name = "PDO::*"
time = "50ms"
waits = 3
"""


class Lab:
    """A rules file, and tests of it."""

    def __init__(self, directory: Path, capsys: pytest.CaptureFixture[str]) -> None:
        self.directory, self.capsys = directory, capsys
        (directory / "rules.toml").write_text(RULES)

    def run(self, text: str, *arguments: str) -> tuple[int, str]:
        """Run a file that begins with the name of the rules in its first line."""
        path = self.directory / "x.toml"
        path.write_text('rules = "rules.toml"\n' + text)
        status = main(["test", str(path), *arguments])
        said = self.capsys.readouterr()
        return status, (said.out + said.err).replace(f"{self.directory}/", "")

    def passes(self, text: str) -> None:
        status, said = self.run(text)
        assert (status, said.endswith(", ok\n")) == (0, True), said

    def fails(self, text: str) -> str:
        status, said = self.run(text)
        assert (status, said.endswith("failed\n")) == (1, True), said
        return said

    def refused(self, text: str) -> str:
        status, said = self.run(text)
        assert (status, "failed" in said) == (1, False), said
        return said


@pytest.fixture
def lab(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Lab:
    return Lab(tmp_path, capsys)


def test_the_example_passes_and_is_about_every_rule_of_the_example(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert main(["test", str(EXAMPLE)]) == 0, capsys.readouterr().out
    rules = tomllib.loads((ROOT / "rules.example.toml").read_text())["rule"]
    text = EXAMPLE.read_text()
    assert [rule["name"] for rule in rules if f'"{rule["name"]}"' not in text] == []


def test_the_example_fails_when_the_rules_are_others(lab: Lab, capsys: pytest.CaptureFixture[str]) -> None:
    changed = (ROOT / "rules.example.toml").read_text().replace('"800ms"', '"80s"')
    (lab.directory / "other.toml").write_text(changed)
    assert main(["test", str(EXAMPLE), "--rules", str(lab.directory / "other.toml")]) == 1
    assert "expected  POST /cart to break checkout" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("request_", "breaks"),
    [
        ('duration = "1.1s"', ["slow"]),
        ('duration = "1s", waits = 10', []),
        ("waits = 11", ["slow"]),
        ('functions = [{ name = "a", waits = 11 }]', ["slow"]),
        ("died = true", ["slow"]),
        ('uri = "/cart?x=1", duration = "1.1s"', ["slow", "cart"]),
        ('uri = "/cart", cpu = "51ms"', ["cart"]),
        ('uri = "/cart", memory = "9MiB"', ["cart"]),
        ('uri = "/cart", functions = [{ name = "PDO::query", waits = 4 }]', ["cart"]),
        ('uri = "/cart", functions = [{ name = "PDO::query", waits = 3 }, { name = "b", waits = 1 }]', []),
        ('uri = "/cart", duration = "90ms", functions = [{ name = "PDO::query", time = "51ms" }]', ["cart"]),
    ],
)
def test_a_request_breaks_what_it_would_in_production(request_: str, breaks: list[str], lab: Lab) -> None:
    uri = "" if "uri" in request_ else 'uri = "/", '
    given = f'[[test]]\nname = "t"\nrequest = {{ {uri}{request_}, breaks = %s }}\n'
    lab.passes(given % breaks)
    said = lab.fails(given % [name for name in ("slow", "cart") if name not in breaks])
    assert said.startswith('x.toml:4: test "t" failed\n    expected  GET /')
    assert f"    got       {', '.join(breaks) or 'no rule'}\n" in said


SLOW = '[[test]]\nname = "t"\nrequest = { uri = "/", duration = "2s", times = 3, every = "10s" }\n'


@pytest.mark.parametrize(
    "expected",
    [
        'alert = { rule = "slow" }',
        'alert = { rule = "slow", count = 3, severity = "warning", route = "/" }',
        'alert = { rule = "slow", host = "", destination = "ops" }',
        'alert = { rule = "cart", count = 0 }',
        'silent = ["cart"]',
        'message = { destination = "ops", count = 3 }',
        'message = { happening = "opened", at = "2s", new_hits = 1, rule = "slow", route = "/", count = 1 }',
        'message = { happening = "updated", at = "63s", count = 0 }',
        'message = { happening = "closed", severity = "warning" }',
        'message = { happening = "digest", count = 0 }',
    ],
)
def test_expectations_that_are_met(expected: str, lab: Lab) -> None:
    lab.passes(SLOW + expected)


GOT_ALERTS = "    got       3 times slow warning / to ops\n"


@pytest.mark.parametrize(
    ("expected", "said"),
    [
        ('alert = { rule = "cart" }', f"    expected  at least once cart\n{GOT_ALERTS}"),
        ('alert = { rule = "slow", count = 2 }', f"    expected  2 times slow\n{GOT_ALERTS}"),
        ('alert = { rule = "slow", severity = "critical" }', f"at least once slow critical\n{GOT_ALERTS}"),
        ('alert = { rule = "slow", route = "/x" }', f"at least once slow /x\n{GOT_ALERTS}"),
        ('alert = { rule = "slow", host = "x" }', f"at least once slow x\n{GOT_ALERTS}"),
        ('alert = { rule = "slow", destination = "x" }', f"at least once slow to x\n{GOT_ALERTS}"),
        ('silent = "all"', f"    expected  silence of every rule\n{GOT_ALERTS}"),
        ('silent = ["cart", "slow"]', f"    expected  silence of cart, slow\n{GOT_ALERTS}"),
        (
            "message = { count = 1 }",
            "    expected  1 times message\n"
            "    got       message opened slow warning / with 1 new breaches after 2.00 s to ops\n"
            "              message updated slow",
        ),
        ('message = { new_hits = 7, at = "3s" }', "message with 7 new breaches after 3.00 s\n"),
        (
            'alert = { rule = "slwo" }',
            '    expected  a rule "slwo"\n    got       no such rule; did you mean "slow"?\n',
        ),
    ],
)
def test_expectations_that_are_not_met_are_told_with_their_place(expected: str, said: str, lab: Lab) -> None:
    found = lab.fails(SLOW + expected)
    assert found.startswith('x.toml:5: test "t" failed\n')
    assert said in found


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", 'x.toml:1:1: missing key "test"'),
        ("test = []", "at least 1 item"),
        ("[[tset]]", 'x.toml:2:3: unknown key "tset"; did you mean "test"?'),
        ("[[test]]", 'x.toml:2:3: missing key "name"'),
        ('[[test]]\nname = "t"', "give either a capture or requests"),
        ('[[test]]\nname = "t"\nrequest = { uri = "/" }', "expects nothing"),
        (SLOW + 'silent = "slow"', 'neither "all" nor a list'),
        (
            SLOW + 'alert = { rule = "slow", cuont = 2 }',
            'x.toml:5:26: alert: unknown key "cuont"; did you mean "count"?',
        ),
        (SLOW + 'message = { happening = "over" }', "x.toml:5:25: message.happening"),
        ('[[test]]\nname = "t"\nrequest = { uri = "cart", breaks = [] }', "is no path"),
        (
            '[[test]]\nname = "t"\nrequest = { uri = "/", at = "soon", breaks = [] }',
            '"soon" is not a duration',
        ),
        (
            '[[test]]\nname = "t"\nrequest = { uri = "/", functions = [{ name = "a", time = "1s" }] }',
            "its functions take longer than the request",
        ),
        (
            '[[test]]\nname = "t"\nrequest = { uri = "/", waits = 1, functions = [{name = "a", waits = 2}] }',
            "it waits less often than its functions",
        ),
        (
            '[[test]]\nname = "t"\nstart = 2026-01-01\nsilent = "all"\nrequest = { uri = "/" }',
            "with an offset",
        ),
        ('[[test]]\nname = "t"\ncapture = "none.jsonl"\nsilent = "all"', "No such file"),
        ("[[test", "is not TOML"),
    ],
)
def test_a_file_with_a_mistake_is_refused_with_its_place(text: str, said: str, lab: Lab) -> None:
    assert said in lab.refused(text)


def test_a_test_of_a_capture_uses_its_times(lab: Lab) -> None:
    requests = [
        CapturedRequest(request=make_request(id=str(n), started_at=1_790_000_000_000_000_000 + n * 10**9))
        for n in range(3)
    ]
    (lab.directory / "c.jsonl").write_bytes(b"\n".join(encode(request_document(each)) for each in requests))
    alert = 'alert = { rule = "cart", count = %d, route = "cart.show" }'
    text = f'[[test]]\nname = "t"\ncapture = "c.jsonl"\n{alert}\n'
    lab.passes(text % 3)
    assert "got       3 times slow warning" in lab.fails(text % 2)


def test_destinations_are_those_of_the_file(lab: Lab) -> None:
    assert 'no destination "ops" is configured' in lab.refused(
        'destinations = ["journal"]\n' + SLOW + 'silent = "all"'
    )
    text = (
        'destinations = ["ops", "x"]\n[[test]]\nname = "t"\nrequest = { uri = "/cart", duration = "200ms" }\n'
    )
    lab.passes(text + 'message = [{ destination = "x", count = 2 }, { destination = "ops", count = 2 }]')


def test_incidents_are_as_the_file_sets_them(lab: Lab) -> None:
    lab.passes(
        'incidents = { cooldown = "5s", coalesce = "1s" }\n'
        + SLOW
        + 'message = [{ happening = "opened", count = 3 }, { happening = "closed", count = 3 }]'
    )


def test_a_broken_file_keeps_no_other_from_running(lab: Lab) -> None:
    (lab.directory / "broken.toml").write_text("[[")
    status, said = lab.run(SLOW + 'silent = ["cart"]', str(lab.directory / "broken.toml"))
    assert status == 1
    assert "x.toml: 1 test, ok" in said
    assert "broken.toml:1:" in said


def test_the_example_of_the_documentation_fails_as_it_says(lab: Lab) -> None:
    page = (ROOT / "docs" / "testing-rules.md").read_text()
    beginnings = ("```toml\nrules = ", "```\nrules.test")
    example, said = (re.findall(rf"{each}.*?(?=```)", page, re.DOTALL)[0] for each in beginnings)
    rules = """
[[rule]]
name = "checkout"
match = { uri = "/checkout" }
budget = { duration = "800ms" }
"""
    (lab.directory / "rules.toml").write_text(rules)
    (lab.directory / "rules.test.toml").write_text(example.partition("\n")[2])
    assert main(["test", str(lab.directory / "rules.test.toml")]) == 1
    assert lab.capsys.readouterr().out.replace(f"{lab.directory}/", "") == said.partition("\n")[2]
    (lab.directory / "rules.toml").write_text(rules + 'severity = "critical"\n')
    assert main(["test", str(lab.directory / "rules.test.toml")]) == 0
