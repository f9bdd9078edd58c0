from __future__ import annotations

from itertools import islice, pairwise

import pytest

from bench.delivery_latency import ends_by_request, unix_ns
from bench.uneven_client import random_times


def test_a_request_ends_its_duration_after_its_start() -> None:
    document = {"request": {"id": "17", "started_at": "1970-01-01T00:00:01.000002Z", "duration_ns": 1_500}}
    assert ends_by_request([document]) == {"17": 1_000_003_500}


def test_times_keep_their_microseconds() -> None:
    assert unix_ns("2026-11-23T07:37:00.123457Z") == 1_795_419_420_123_457_000


def test_random_times_are_uneven_and_have_the_rate() -> None:
    times = list(random_times(50.0, 2_000))
    gaps = [after - before for before, after in pairwise(times)]
    assert times[-1] == pytest.approx(2_000 / 50, rel=0.1)
    assert min(gaps) < 0.001
    assert max(gaps) > 0.1
    assert list(islice(random_times(50.0, 9), 3)) == times[:3]
