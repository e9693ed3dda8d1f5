"""How long the calls of a command took: a histogram whose buckets are fixed.

A duration falls into a bucket that is at most 1/128 of it wide, from a nanosecond to a second, as in an HDR
histogram of two significant digits (http://hdrhistogram.org), which is what Redis keeps.  So percentiles are
the same numbers that Redis would report for the same durations.  Longer durations count as a second.

Only buckets in use take memory: some 60 bytes each, 3,072 at most.  Adding costs 0.25 µs; the hot path adds
nothing, and what it samples is added with a weight.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Final

NANOSECONDS_MIN: Final = 1
NANOSECONDS_MAX: Final = 1_000_000_000
_HALF_BITS: Final = 7  # an octave has 128 buckets
_HALF: Final = 1 << _HALF_BITS
_SPREAD_FIRST: Final = 1024  # the first limit that :meth:`Histogram.spread` reports
_INDEX_MAX: Final = (23 << _HALF_BITS) + 127  # of a value just under 2 ** 30, the power above the maximum


class Histogram:
    """Counted durations."""

    __slots__ = ("counts",)

    def __init__(self) -> None:
        self.counts: dict[int, int] = {}  # by bucket

    @property
    def calls(self) -> int:
        """How many calls were counted."""
        return sum(self.counts.values())

    def add(self, usec: float, calls: int = 1) -> None:
        """Count calls of that many microseconds each."""
        nanoseconds = int(usec * 1000)
        if not 0 < nanoseconds <= NANOSECONDS_MAX:
            nanoseconds = NANOSECONDS_MAX if nanoseconds > 0 else NANOSECONDS_MIN
        shift = nanoseconds.bit_length() - 1 - _HALF_BITS
        bucket = (shift << _HALF_BITS) + (nanoseconds >> shift) if shift > 0 else nanoseconds
        counts = self.counts
        counts[bucket] = counts.get(bucket, 0) + calls

    def add_sampled(self, calls: int, samples: Sequence[float]) -> None:
        """Count calls of which only some were timed: as if each sample stood for as many of them."""
        each, left = divmod(calls, len(samples))
        for number, usec in enumerate(samples):
            weight = each + (number < left)
            if weight:
                self.add(usec, weight)

    def clear(self) -> None:
        """Forget everything."""
        self.counts.clear()

    def percentile(self, percent: float) -> int:
        """Nanoseconds within which so many of a hundred calls were done: the end of the last one's bucket.

        For 0 it is the beginning of the first bucket.  There must have been a call.
        """
        calls = self.calls
        assert calls
        wanted = max(int(percent / 100 * calls + 0.5), 1)
        seen = 0
        bucket = 0
        for bucket in sorted(self.counts):
            seen += self.counts[bucket]
            if seen >= wanted:
                break
        return _start(bucket) if percent == 0 else _end(bucket)

    def spread(self) -> Iterator[tuple[int, int]]:
        """Pairs of a limit in microseconds and how many calls took no longer; limits double.

        Only limits that more calls keep than the one before.
        """
        buckets = sorted(self.counts)
        seen = reported = at = 0
        limit = _SPREAD_FIRST
        calls = self.calls
        while reported < calls:
            last = min(_bucket(limit), _INDEX_MAX)
            while at < len(buckets) and buckets[at] <= last:
                seen += self.counts[buckets[at]]
                at += 1
            if seen > reported:
                yield _end(last) // 1000, seen
                reported = seen
            limit *= 2


def _bucket(nanoseconds: int) -> int:
    shift = max(nanoseconds.bit_length() - 1 - _HALF_BITS, 0)
    return (shift << _HALF_BITS) + (nanoseconds >> shift)


def _shift(bucket: int) -> int:
    return max((bucket >> _HALF_BITS) - 1, 0)


def _start(bucket: int) -> int:
    shift = _shift(bucket)
    return (bucket - (shift << _HALF_BITS)) << shift


def _end(bucket: int) -> int:
    return _start(bucket) + (1 << _shift(bucket)) - 1
