"""The Ansible collection's TOML, read back by Python's own reader."""

from __future__ import annotations

import math
import tomllib
from datetime import UTC, date, datetime, time, timedelta, timezone
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lab.build import ROOT
from lab.by_path import load
from lab.hostile import ATTACKS

toml = load(ROOT / "ansible/plugins/plugin_utils/toml.py")

texts = st.text(st.characters(exclude_categories=["Cs"]))
offsets = st.integers(min_value=-23 * 60, max_value=23 * 60).map(lambda m: timezone(timedelta(minutes=m)))
scalars = (
    texts
    | st.booleans()
    | st.integers(min_value=-(2**63), max_value=2**63 - 1)
    | st.floats(allow_nan=False)
    | st.datetimes(timezones=st.none() | offsets, allow_imaginary=False)
    | st.dates()
    | st.times()
)
values = st.recursive(
    scalars,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(texts, inner, max_size=4),
    max_leaves=20,
)


@given(st.dictionaries(texts, values, max_size=5))
def test_what_is_read_back_is_what_was_rendered(document: dict[str, Any]) -> None:
    assert tomllib.loads(toml.render(document)) == document


def test_not_a_number_is_read_back() -> None:
    assert math.isnan(tomllib.loads(toml.render({"a": math.nan}))["a"])


@pytest.mark.parametrize("attack", ATTACKS)
def test_no_text_gets_out_of_its_quotes(attack: str) -> None:
    document = {"rule": [{"name": attack, "match": {"tags": {attack: [attack]}}}]}
    assert tomllib.loads(toml.render(document)) == document


def test_tables_get_a_line_for_each_key() -> None:
    document = {
        "log_level": "debug",
        "rule": [
            {
                "name": "checkout",
                "match": {"uri": ["/cart", "/pay"], "not": [{"method": "GET"}, {"host": "a.example"}]},
                "budget": {"duration": "800ms", "function": {"name": r"Shop\*", "waits": 5}},
                "exception": [{"reason": 'a "known" one', "expires": date(2099, 12, 31), "match": {}}],
            },
            {},
        ],
    }
    assert toml.render(document) == (
        """\
log_level = "debug"

[[rule]]
name = "checkout"

[rule.match]
uri = ["/cart", "/pay"]

[[rule.match.not]]
method = "GET"

[[rule.match.not]]
host = "a.example"

[rule.budget]
duration = "800ms"

[rule.budget.function]
name = "Shop\\\\*"
waits = 5

[[rule.exception]]
reason = "a \\"known\\" one"
expires = 2099-12-31

[rule.exception.match]

[[rule]]
"""
    )


@pytest.mark.parametrize(
    ("value", "complaint"),
    [
        (None, "a.b: TOML has no null; leave the key out"),
        ([None], "a.b: TOML has no null; leave the key out"),
        (2**63, "a.b: the number has more than 64 bits"),
        ({1: 2}, "a.b: a key is not text; write it in quotes"),
        ([{"c": 1}, {"d": object()}], "a.b number 2.d: TOML has nothing for a value of type object"),
        (b"", "a.b: TOML has nothing for a value of type bytes"),
        ("\ud800", "a.b: the text is not valid Unicode"),
        (time(tzinfo=UTC), "a.b: TOML has no time with an offset; give the date, too"),
        (
            datetime(2026, 1, 1, tzinfo=timezone(timedelta(seconds=1))),
            "a.b: the offset from UTC is not in whole minutes",
        ),
    ],
)
def test_what_toml_cannot_hold_is_refused_with_its_place(value: object, complaint: str) -> None:
    with pytest.raises(toml.TomlError) as caught:
        toml.render({"a": {"b": value}})
    assert str(caught.value) == complaint


def test_a_document_is_a_mapping() -> None:
    with pytest.raises(toml.TomlError, match="not a mapping"):
        toml.render(["a"])
