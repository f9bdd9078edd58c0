from __future__ import annotations

import pytest

from compassd.destinations.http import MAX_RETRY_AFTER_S, parse_retry_after
from compassd.destinations.tls import tls_fault
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
        ("Wed, 21 Oct 2015 07:28:30 -9999999999999", None),
        ("Wed, 21 Oct 99999999999999999999 07:28:30 GMT", None),
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


@pytest.mark.parametrize(
    ("error", "told"),
    [
        (
            "Max retries exceeded with url: /secret (Caused by SSLError(1, "
            "'[SSL: TLSV13_ALERT_CERTIFICATE_REQUIRED] tlsv13 alert certificate required (_ssl.c:2546)'))",
            "TLS failed (tlsv13_alert_certificate_required): does it accept our client_certificate?",
        ),
        (
            "[SSL: CERTIFICATE_VERIFY_FAILED] certificate verify failed: self-signed (_ssl.c:1016)",
            "TLS failed (certificate_verify_failed): is its certificate valid?",
        ),
        ("unexpected EOF", "TLS failed (no reason given): is its certificate valid?"),
    ],
)
def test_tls_failures_say_whose_certificate_to_look_at(error: str, told: str) -> None:
    assert tls_fault(OSError(error)) == told
