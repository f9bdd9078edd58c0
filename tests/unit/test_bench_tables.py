from __future__ import annotations

import pytest

from bench.ratios import Estimate
from bench.tables import interval, kib, ms, ns, paragraph, percent, table, us, verdict

_NOISE = Estimate(value=1.0, low=0.998, high=1.003)


def test_a_table_has_its_texts_to_the_left_and_its_figures_to_the_right() -> None:
    assert table(("page", "time"), [("article", "1 ms")]) == (
        "| page | time |\n| --- | ---: |\n| article | 1 ms |\n"
    )
    assert "| --- | --- |\n" in table(("where", ""), [("kernel", "Linux")], texts=2)


def test_a_paragraph_is_wrapped_anew() -> None:
    assert paragraph("\n    one\n    two\n") == "one two\n"
    assert max(map(len, paragraph("word " * 100).splitlines())) <= 118


def test_figures_have_units() -> None:
    assert interval(Estimate(1.0, 0.99812, 1.00291), 4) == "0.9981 to 1.0029"
    assert (ms(20_449_000), us(2_449), ns(2_449.4)) == ("20.4 ms", "2.4 us", "2449 ns")
    assert (kib(2_621_440), percent(0.00214)) == ("2,560 KiB", "0.21 %")


@pytest.mark.parametrize(
    ("ratio", "expected"),
    [
        (0.9990, "reached"),
        (1.0020, "reached"),
        (1.0029, "not told from noise"),
        (1.0031, "missed"),
    ],
)
def test_a_goal_is_missed_by_what_exceeds_it_and_the_noise(ratio: float, expected: str) -> None:
    assert verdict(Estimate(ratio, ratio, ratio), 1.002, _NOISE) == expected
