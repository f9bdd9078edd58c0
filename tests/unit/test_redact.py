from __future__ import annotations

import pytest

from compassd.redact import mask_tokens, redact
from lab.breaches import make_breach


def test_query_strings_go_unless_wanted() -> None:
    breach = make_breach(uri="/cart?token=1", uri_cut=True)
    without = redact(breach, query_strings=False).request
    assert (without.uri, without.uri_cut) == ("/cart", False)
    assert redact(breach, query_strings=True) is breach


def test_a_path_that_was_cut_stays_marked() -> None:
    assert redact(make_breach(uri="/cart", uri_cut=True), query_strings=False).request.uri_cut


@pytest.mark.parametrize(
    ("path", "masked"),
    [
        ("/reset/9f86d081884c7d659a2feaa0c55ad015a3bf4f1b", "/reset/***"),
        ("/login/eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0.c2ln-bmF0dXJl/x", "/login/***/x"),
        ("/u/2f1e4a1c-9a51-4d0c-8b4e-5c7d2f5f0b7a", "/u/2f1e4a1c-9a51-4d0c-8b4e-5c7d2f5f0b7a"),
        ("/how-to-bake-10-excellent-cakes-in-one-hour", "/how-to-bake-10-excellent-cakes-in-one-hour"),
        ("/" + "a" * 60, "/" + "a" * 60),
        ("/" + "1" * 60, "/" + "1" * 60),
    ],
)
def test_only_what_looks_like_a_token_is_masked(path: str, masked: str) -> None:
    assert mask_tokens(path) == masked
