"""Arithmetic on measurements: percentiles, medians with their spread, ratios paired by round.

A ratio is only ever formed between two figures of the same round, because a shared machine drifts more
between rounds than within one.  The report shows the median of those ratios and the lowest and highest
of them.
"""

from __future__ import annotations

import math
import statistics
from collections.abc import Callable, Hashable, Iterable, Sequence
from dataclasses import dataclass
from typing import TypeVar

from tools.bench.results import REDIS, PauseRow, RestartRow, ThroughputRow, ZipfRow

Row = TypeVar("Row", ThroughputRow, RestartRow, ZipfRow, PauseRow)


@dataclass(slots=True, frozen=True)
class Spread:
    """The median of some figures, the lowest and highest of them, and how many there were."""

    median: float
    low: float
    high: float
    count: int


def spread(values: Iterable[float]) -> Spread | None:
    """Median and range of ``values``; None where there are none."""
    ordered = sorted(values)
    if not ordered:
        return None
    return Spread(statistics.median(ordered), ordered[0], ordered[-1], len(ordered))


def percentile(ordered: Sequence[float], percent: float) -> float:
    """The nearest-rank percentile of values in ascending order; there must be at least one."""
    assert ordered
    assert 0 < percent <= 100
    return ordered[max(0, math.ceil(len(ordered) * percent / 100) - 1)]


def paired_ratios(
    rows: Iterable[Row],
    baseline: Iterable[Row],
    value: Callable[[Row], float],
    pair: Callable[[Row], Hashable] = lambda row: row.round,
) -> list[float]:
    """``value`` of each row divided by that of its partner in ``baseline``, the row with an equal ``pair``.

    Rows without a partner, or whose partner's value is zero, yield nothing.
    """
    partners = {pair(row): value(row) for row in baseline}
    return [value(row) / partners[pair(row)] for row in rows if partners.get(pair(row))]


def series_of(rows: Iterable[Row]) -> list[str]:
    """The series that stand beside redis-server, in order of appearance."""
    return list(dict.fromkeys(row.series for row in rows if not row.series.startswith(REDIS)))
