from __future__ import annotations

import pytest

from bench.document import compose, replaced, section
from bench.errors import BenchError

HEAD = "# What it costs\n\n| where |  |\n| --- | --- |\n"
ORDER = ("requests", "delivery", "rules")
OLD = compose(HEAD, {"requests": "## Requests\n\n1.0\n", "rules": "## Rules\n\n2 us\n"})


def test_a_section_is_replaced_and_the_others_stay_as_they_are() -> None:
    new = replaced(OLD, HEAD, ORDER, {"rules": "## Rules\n\n3 us\n"})
    assert new == compose(HEAD, {"requests": "## Requests\n\n1.0\n", "rules": "## Rules\n\n3 us\n"})


def test_a_new_section_takes_its_place_in_the_order() -> None:
    new = replaced(OLD, HEAD, ORDER, {"delivery": "## Delivery\n\n4 ms\n"})
    assert [line for line in new.splitlines() if line.startswith("## ")] == [
        "## Requests",
        "## Delivery",
        "## Rules",
    ]


def test_replacing_nothing_changes_nothing() -> None:
    assert replaced(OLD, HEAD, ORDER, {}) == OLD


def test_sections_of_two_machines_are_not_mixed() -> None:
    with pytest.raises(BenchError, match="another machine"):
        replaced(OLD, HEAD + "| processor | another |\n", ORDER, {"rules": "## Rules\n"})


def test_when_it_was_measured_is_below_the_heading() -> None:
    assert section(["## Rules\n", "Text.\n"], "Measured today.\n") == "## Rules\n\nMeasured today.\n\nText.\n"
