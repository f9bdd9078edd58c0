"""Notices as they are kept on disk."""

from __future__ import annotations

import zlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from compassd.breach import Excess, Gate, Metric, Severity, State
from compassd.errors import StoreError
from compassd.notice import BreachNotice, DigestLine, DigestNotice, DigestReason, Happening, TestNotice
from compassd.store.codec import decode, encode
from lab.breaches import make_breach
from lab.call_trees import call_trees
from lab.outbox import make_incident

_INCIDENT = make_incident()
_DIGEST = DigestNotice(
    reason=DigestReason.STORM,
    server="web1",
    since=1,
    until=2,
    incidents=500,
    new_hits=7,
    severity=Severity.CRITICAL,
    lines=(
        DigestLine(
            happening=Happening.CLOSED,
            incident_id="b" * 32,
            key=_INCIDENT.key,
            severity=Severity.INFO,
            figures=_INCIDENT.figures,
        ),
    ),
    dropped=3,
)


@pytest.mark.parametrize(
    "notice",
    [_INCIDENT, _DIGEST, TestNotice(server="web1", at=5), BreachNotice(breach=make_breach())],
    ids=lambda notice: type(notice).__name__,
)
def test_every_kind_comes_back_as_it_was(notice: DigestNotice) -> None:
    assert decode(encode(notice)) == notice


@given(tree=call_trees(st.text(st.characters(exclude_categories=["Cs"]))), uri=st.text(max_size=50))
def test_a_breach_comes_back_with_all_that_it_holds(tree: object, uri: str) -> None:
    uri = uri.encode("utf-8", "replace").decode()
    breach = make_breach(
        tree=tree,  # type: ignore[arg-type]
        uri=uri,
        tags={uri: "x"},
        cpu_ns=None,
        state=State.RUNNING,
        waiting_ns=5,
        excesses=(Excess(Metric.FUNCTION_WAITS, 1, 2**62, "PDO*::*"),),
    )
    notice = decode(encode(BreachNotice(breach=breach)))
    assert isinstance(notice, BreachNotice)
    assert notice.breach == breach
    assert notice.breach.gate == Gate()


def test_what_is_large_is_compressed() -> None:
    assert len(encode(make_incident(route="/a" * 5_000))) < 3_000


@pytest.mark.parametrize(
    ("data", "fault"),
    [
        (b"", "no notice"),
        (b"jincident 1", "no notice"),
        (b"jelephant 1\n{}", "no notice"),
        (b"jincident one\n{}", "no notice"),
        (b"xincident 1\n{}", "no notice"),
        (b"jincident 1\n{", "incident: no JSON"),
        (b"jincident 2\n{}", "version 2, not 1"),
        (b'jtest 1\n{"server": "web1", "at": "secret"}', "test: at"),
        (b"zgarbage", "decompressed"),
        (b"z" + zlib.compress(b"test 1\n{}")[:-3], "its end is missing"),
        (b"z" + zlib.compress(b"test 1\n" + b" " * 2**27), "its end is missing"),
    ],
)
def test_what_is_unreadable_is_said_without_quoting_it(data: bytes, fault: str) -> None:
    with pytest.raises(StoreError, match=fault) as raised:
        decode(data)
    assert "secret" not in str(raised.value)


@given(position=st.integers(min_value=0), byte=st.integers(min_value=0, max_value=255))
def test_no_damaged_byte_crashes(position: int, byte: int) -> None:
    data = bytearray(encode(make_incident(route="/a" * 2_000)))
    data[position % len(data)] = byte
    try:
        decode(bytes(data))
    except StoreError as error:
        assert str(error)  # noqa: PT017 - most positions fail, some do not
