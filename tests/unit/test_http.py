from __future__ import annotations

import pytest

from compassd.destinations.http import MAX_RETRY_AFTER_S, parse_retry_after
from compassd.destinations.webhook import signatures

NOW = 1_445_412_480.0  # Wed, 21 Oct 2015 07:28:00 GMT


@pytest.mark.parametrize(
    ("header", "seconds"),
    [
        ("120", 120.0),
        (" 0 ", 0.0),
        ("999999999999", MAX_RETRY_AFTER_S),
        ("Wed, 21 Oct 2015 07:28:30 GMT", 30.0),
        ("Wed, 21 Oct 2015 07:28:30 -0000", 30.0),
        ("Wed, 21 Oct 2015 07:27:00 GMT", 0.0),
        ("Wed, 21 Oct 2035 07:28:00 GMT", MAX_RETRY_AFTER_S),
        (None, None),
        ("", None),
        ("-5", None),
        ("1.5", None),
        ("soon", None),
        ("Wed, 99 Oct 2015 07:28:30 GMT", None),
        ("9" * 5_000, None),
    ],
)
def test_retry_after_is_seconds_or_a_date(header: str | None, seconds: float | None) -> None:
    assert parse_retry_after(header, NOW) == seconds


def test_every_key_signs() -> None:
    both = signatures([b"a" * 24, b"b" * 24], "msg_1", 5, b"{}")
    first, second = both.split(" ")
    assert first == signatures([b"a" * 24], "msg_1", 5, b"{}")
    assert second.startswith("v1,")
    assert first != second
