from __future__ import annotations

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import BaseModel, ValidationError

from compassd.units import (
    DurationNs,
    SizeBytes,
    format_duration,
    format_size,
    parse_duration,
    parse_size,
    quoted,
    shown,
)

DURATION_UNITS = {"ns": 1, "us": 10**3, "ms": 10**6, "s": 10**9, "m": 60 * 10**9, "h": 3_600 * 10**9}
SIZE_UNITS = {
    "B": 1,
    "KB": 10**3,
    "MB": 10**6,
    "GB": 10**9,
    "TB": 10**12,
    "KiB": 1 << 10,
    "MiB": 1 << 20,
    "GiB": 1 << 30,
    "TiB": 1 << 40,
}


@pytest.mark.parametrize(
    ("text", "ns"),
    [
        ("800ms", 800_000_000),
        ("1.5s", 1_500_000_000),
        ("250us", 250_000),
        ("2m", 120_000_000_000),
        ("1h", 3_600_000_000_000),
        ("7ns", 7),
        ("0.25 ms", 250_000),
        ("0.000000001s", 1),
        # Exact, where a float would give 1_100_000_000_000_000_128.
        ("1100000000.000000001s", 1_100_000_000_000_000_001),
        (f"{2**63 - 1}ns", 2**63 - 1),
    ],
)
def test_durations_become_exact_nanoseconds(text: str, ns: int) -> None:
    assert parse_duration(text) == ns


@pytest.mark.parametrize(
    ("text", "size"),
    [
        ("64MiB", 64 << 20),
        ("512KiB", 512 << 10),
        ("1GiB", 1 << 30),
        ("500MB", 500_000_000),
        ("1024B", 1024),
        ("1.5 KiB", 1536),
        ("0.5TB", 500_000_000_000),
        ("1TiB", 1 << 40),
    ],
)
def test_sizes_become_exact_bytes(text: str, size: int) -> None:
    assert parse_size(text) == size


@given(st.decimals("0.001", "99999", places=3), st.sampled_from(sorted(DURATION_UNITS)))
def test_a_duration_is_its_number_times_its_unit_or_refused(number: Decimal, unit: str) -> None:
    expected = number * DURATION_UNITS[unit]
    if expected == int(expected):
        assert parse_duration(f"{number}{unit}") == expected
    else:
        with pytest.raises(ValueError, match="is not a whole number of nanoseconds; write for example"):
            parse_duration(f"{number}{unit}")


@given(st.integers(1, 10**6), st.sampled_from(sorted(SIZE_UNITS)))
def test_a_size_is_its_number_times_its_unit(number: int, unit: str) -> None:
    assert parse_size(f"{number}{unit}") == number * SIZE_UNITS[unit]


@pytest.mark.parametrize(
    "value",
    [
        *(
            "800 msec",
            "800",
            "ms",
            "",
            "-1s",
            "+1s",
            "nan",
            "nans",
            "infs",
            "1e3s",
            ".5s",
            "1.s",
            "1,5s",
            "1  s",
        ),
        *(" 1s", "1s\n", "1S", "1M", "1µs", "٣s", "1" * 31 + "s", "1s" * 5000, 800, 1.5, float("nan"), True),
        *(10**4_000, None, [], {}, b"1s"),
    ],
    ids=lambda value: repr(value)[:12],
)
def test_what_is_no_duration_is_refused_with_examples(value: object) -> None:
    with pytest.raises(
        ValueError, match=r'is not a duration; write for example "800ms" or "1\.5s"$'
    ) as caught:
        parse_duration(value)
    assert len(str(caught.value)) < 150


@pytest.mark.parametrize(
    "value", ["64", "64M", "64mib", "64 mb", "64Mib", "1KIB", "-1B", "", 64, None, ["1B"]]
)
def test_what_is_no_size_is_refused_with_examples(value: object) -> None:
    with pytest.raises(ValueError, match=r'is not a size; write for example "64MiB" or "500MB"$'):
        parse_size(value)


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("0s", "is zero"),
        ("0.000ms", "is zero"),
        (f"{2**63}ns", "is too large"),
        ("9999999999h", "is too large"),
        ("0.5ns", "is not a whole number of nanoseconds"),
    ],
)
def test_impossible_durations_are_refused_with_the_reason(text: str, fault: str) -> None:
    with pytest.raises(ValueError, match=f'^"{text}" {fault}; write for example "800ms"'):
        parse_duration(text)


@pytest.mark.parametrize(
    ("text", "fault"),
    [("0KiB", "is zero"), ("8388608TiB", "is too large"), ("0.3KiB", "is not a whole number of bytes")],
)
def test_impossible_sizes_are_refused_with_the_reason(text: str, fault: str) -> None:
    with pytest.raises(ValueError, match=f'^"{text}" {fault}; write for example "64MiB"'):
        parse_size(text)


@pytest.mark.parametrize(
    ("ns", "text"),
    [
        (0, "0 ns"),
        (999, "999 ns"),
        (1_000, "1.00 us"),
        (12_345, "12.3 us"),
        (999_499, "999 us"),
        (999_500, "1.00 ms"),
        (812_000_000, "812 ms"),
        (9_994_000, "9.99 ms"),
        (9_996_000, "10.0 ms"),
        (99_960_000, "100 ms"),
        (1_240_000_000, "1.24 s"),
        (59_940_000_000, "59.9 s"),
        (59_960_000_000, "1 min 0 s"),
        (124_000_000_000, "2 min 4 s"),
        (3_599_400_000_000, "59 min 59 s"),
        (3_599_500_000_000, "1 h 0 min"),
        (3_900_000_000_000, "1 h 5 min"),
        (2**63 - 1, "2562047 h 47 min"),
    ],
)
def test_durations_are_formatted_for_people(ns: int, text: str) -> None:
    assert format_duration(ns) == text


@pytest.mark.parametrize(
    ("size", "text"),
    [
        (0, "0 B"),
        (1_023, "1023 B"),
        (1_024, "1.0 KiB"),
        (64 << 20, "64.0 MiB"),
        ((1 << 20) - 1, "1.0 MiB"),
        (1_300_000_000, "1.2 GiB"),
        (1 << 40, "1.0 TiB"),
        (1 << 62, "4194304.0 TiB"),
    ],
)
def test_sizes_are_formatted_for_people(size: int, text: str) -> None:
    assert format_size(size) == text


@given(st.integers(1, 59_900_000_000))
def test_a_formatted_duration_can_be_written_back_and_is_close(ns: int) -> None:
    assert abs(parse_duration(format_duration(ns)) - ns) <= ns * 0.0051


@given(st.integers(1, 2**62))
def test_a_formatted_size_is_close(size: int) -> None:
    number, unit = format_size(size).split(" ")
    assert abs(Decimal(number) * SIZE_UNITS[unit] - size) <= Decimal("0.0501") * SIZE_UNITS[unit]


class Limits(BaseModel):
    duration: DurationNs | None = None
    size: SizeBytes = 1


def test_the_annotated_types_convert_in_a_model() -> None:
    limits = Limits.model_validate({"duration": "1.5s", "size": "2KiB"})
    assert (limits.duration, limits.size) == (1_500_000_000, 2_048)


def test_the_annotated_types_refuse_bare_numbers_and_leave_defaults_alone() -> None:
    with pytest.raises(ValidationError) as caught:
        Limits.model_validate({"duration": 5, "size": 5})
    assert [error["msg"] for error in caught.value.errors()] == [
        'Value error, 5 is not a duration; write for example "800ms" or "1.5s"',
        'Value error, 5 is not a size; write for example "64MiB" or "500MB"',
    ]
    assert Limits().size == 1


@given(st.text(max_size=200))
def test_quoted_text_is_printable_and_bounded(text: str) -> None:
    result = quoted(text)
    assert result.isprintable()
    assert len(result) <= 60 * len(r"\U0010ffff") + 3


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ("a\x1b[31m\n", '"a\\x1b[31m\\n"'),
        ("x" * 61, '"' + "x" * 60 + '…"'),
        ("\u202e\ud800", '"\\u202e\\ud800"'),
        ("é", '"é"'),
        (True, "true"),
        (-3, "-3"),
        (10**30, "a very large number"),
        (float("inf"), "inf"),
        ({}, "a table"),
        ([1], "a list"),
        (None, "this value"),
    ],
)
def test_values_are_shown_as_their_author_wrote_them(value: object, text: str) -> None:
    assert shown(value) == text
