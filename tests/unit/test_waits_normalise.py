from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from compassd.waits.kinds import TextKind, TextPolicy
from compassd.waits.normalise import LONGEST_WAIT_TEXT, wait_text
from lab.hostile import raw_bytes

TEXTS = {
    TextKind.SQL: (b"SELECT  a\nFROM b WHERE c = 'd'", "SELECT a FROM b WHERE c = ?"),
    TextKind.RESOURCE: (b"http://u:p@a/b?c=d", "http://a/b"),
    TextKind.KEY: (b"user:4711", "user:?"),
    TextKind.HOST: (b"tcp://u:p@a:80", "tcp://a:80"),
}


@pytest.mark.parametrize("kind", TextKind)
def test_masked_is_the_shape(kind: TextKind) -> None:
    raw, shape = TEXTS[kind]
    assert wait_text(kind, raw, cut=False, policy=TextPolicy.MASKED) == shape


@pytest.mark.parametrize("kind", TextKind)
def test_raw_is_all_of_it_in_one_line(kind: TextKind) -> None:
    raw, _ = TEXTS[kind]
    line = " ".join(raw.decode().split())
    assert wait_text(kind, raw, cut=False, policy=TextPolicy.RAW) == line
    assert wait_text(kind, raw, cut=True, policy=TextPolicy.RAW) == line + "…"


@pytest.mark.parametrize("kind", TextKind)
def test_off_is_nothing(kind: TextKind) -> None:
    assert wait_text(kind, TEXTS[kind][0], cut=True, policy=TextPolicy.OFF) == ""


@pytest.mark.parametrize("policy", TextPolicy)
@pytest.mark.parametrize("kind", TextKind)
def test_of_nothing_nothing_is_shown(kind: TextKind, policy: TextPolicy) -> None:
    assert wait_text(kind, b"", cut=False, policy=policy) == ""


def test_half_a_character_at_the_cut_goes() -> None:
    raw = "SELECT ä".encode()[:-1]
    assert wait_text(TextKind.SQL, raw, cut=True, policy=TextPolicy.MASKED) == "SELECT…"
    assert wait_text(TextKind.SQL, raw, cut=True, policy=TextPolicy.RAW) == "SELECT …"


def test_what_is_longer_than_the_bound_is_cut() -> None:
    raw = b"SELECT " + b"abcd, " * 1000
    for policy in (TextPolicy.MASKED, TextPolicy.RAW):
        shown = wait_text(TextKind.SQL, raw, cut=False, policy=policy)
        assert LONGEST_WAIT_TEXT - 20 < len(shown) <= LONGEST_WAIT_TEXT
        assert shown.endswith("…")


@given(
    raw_bytes | st.binary(max_size=100), st.sampled_from(TextKind), st.sampled_from(TextPolicy), st.booleans()
)
@settings(max_examples=1000)
def test_whatever_was_sent_is_one_bounded_line(
    raw: bytes,
    kind: TextKind,
    policy: TextPolicy,
    cut: bool,  # noqa: FBT001
) -> None:
    shown = wait_text(kind, raw, cut=cut, policy=policy)
    assert len(shown) <= LONGEST_WAIT_TEXT
    assert shown == " ".join(shown.split())
    assert not any(character in shown for character in "\x00\x1b\x85\u200b\u202e\u2028")
    assert shown.encode().decode() == shown
