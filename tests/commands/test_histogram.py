"""Histograms of durations: the buckets are those of redis-server, and percentiles are right."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from durable_redis.commands.histogram import NANOSECONDS_MAX, Histogram

DURATIONS = st.lists(st.integers(1, 2 * NANOSECONDS_MAX), min_size=1, max_size=200)


def filled(nanoseconds: list[int]) -> Histogram:
    histogram = Histogram()
    for value in nanoseconds:
        histogram.add(value / 1000)
    return histogram


# Whole microseconds and the bounds of their buckets in nanoseconds, as redis-server's INFO latencystats
# showed them with the percentiles 0 and 100.
BUCKETS = [
    (1, 1_000, 1_003),
    (3, 2_992, 3_007),
    (5, 4_992, 5_023),
    (8, 8_000, 8_031),
    (12, 11_968, 12_031),
    (47, 46_848, 47_103),
    (67, 66_560, 67_071),
]


@pytest.mark.parametrize(("usec", "first", "last"), BUCKETS)
def test_buckets_are_redis_servers(usec: int, first: int, last: int) -> None:
    histogram = filled([usec * 1000])
    assert (histogram.percentile(0), histogram.percentile(100)) == (first, last)


@given(DURATIONS, st.floats(0.001, 100))
def test_a_percentile_is_the_end_of_a_bucket_of_its_call(durations: list[int], percent: float) -> None:
    histogram = filled(durations)
    ordered = sorted(min(value, NANOSECONDS_MAX) for value in durations)
    rank = max(int(percent / 100 * len(ordered) + 0.5), 1)
    exact = ordered[rank - 1]
    assert exact - 1 <= histogram.percentile(percent) <= exact + exact // 128 + 1


@given(DURATIONS)
def test_the_spread_counts_everything_once(durations: list[int]) -> None:
    pairs = list(filled(durations).spread())
    limits = [limit for limit, _ in pairs]
    counts = [count for _, count in pairs]
    assert counts[-1] == len(durations)
    assert counts == sorted(set(counts))
    assert limits == sorted(set(limits))
    for limit, count in pairs:
        surely = sum(value < limit * 1000 for value in durations)
        perhaps = sum(value <= (limit + 1) * 1000 + limit * 16 for value in durations)
        assert surely <= count <= max(perhaps, surely) or limit >= NANOSECONDS_MAX // 1000


def test_limits_are_redis_servers() -> None:
    pairs = list(filled([900 * 2**power for power in range(9)]).spread())
    assert [limit for limit, _ in pairs] == [1, 2, 4, 8, 16, 33, 66, 132, 264]


@given(st.integers(1, 10_000), st.lists(st.floats(0.001, 1e6), min_size=1, max_size=16))
def test_samples_stand_for_all_calls(calls: int, samples: list[float]) -> None:
    histogram = Histogram()
    histogram.add_sampled(calls, samples)
    assert histogram.calls == calls
