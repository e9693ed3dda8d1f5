"""The targets of the design, and whether results reach them.

Throughput targets are ratios to redis-server in the same mode and round, and the median of the rounds is
judged.  The time of a start and the length of a pause are limits, so there the worst of all rounds is
judged.  What was not measured at the size its target names is not judged.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from tools.bench.figures import Spread, paired_ratios, series_of, spread
from tools.bench.load import TESTS
from tools.bench.results import REDIS, Results, ThroughputRow, ZipfRow
from tools.bench.settings import MODES

FIRST_GET_MS_MAX = 1000.0
FIRST_GET_KEYS = 5_000_000
ZIPF_RATIO_MIN = 0.5
KEYS_MIN = 1_000_000
PAUSE_MS_MAX = 20.0
_COLLECTIONS_AND_COUNTERS = ("incr", "lpush", "rpop", "sadd", "hset", "zadd", "xadd")


@dataclass(slots=True, frozen=True)
class Judgement:
    """One line of the table of targets."""

    work: str
    series: str
    measured: Spread
    unit: str
    """``×`` for ratios, ``ms`` for limits."""
    target: str
    reached: bool | None
    """None where the run was too small to judge by."""


def throughput_target(mode: str, test: str, pipeline: int) -> float | None:
    """The least ratio to redis-server that the design asks of a cell; None where it asks nothing."""
    if pipeline not in (1, 16):
        return None
    alone = pipeline == 1
    if test == "get":
        return 0.95 if alone else 0.7
    if test == "set" and mode == "always":
        return 1.2 if alone else 1.0
    if test == "set" and mode == "everysec":
        return 0.9 if alone else 0.7
    if test in _COLLECTIONS_AND_COUNTERS and alone:
        return 0.8
    return None


def cell_rows(
    rows: list[ThroughputRow], series: str, mode: str, test: str, pipeline: int
) -> list[ThroughputRow]:
    """The rows of one cell, all rounds."""
    return [
        row
        for row in rows
        if (row.series, row.mode, row.test, row.pipeline) == (series, mode, test, pipeline)
    ]


def zipf_ratios(rows: list[ZipfRow], series: str) -> list[float]:
    """Throughput with the small cache by that of the same server and round with all in memory."""
    own = [row for row in rows if row.series == series]
    return paired_ratios(
        [row for row in own if row.cache_bytes],
        [row for row in own if not row.cache_bytes],
        lambda row: row.per_second,
    )


def is_judged(results: Results, scenario: str) -> bool:
    """Whether a scenario ran at the size the targets are meant for: the full edition, a million keys."""
    run = results.runs.get(scenario)
    return run is not None and run.edition == "full" and run.settings["keys"] >= KEYS_MIN


def judge(results: Results) -> list[Judgement]:
    """Every target that the results say something about."""
    return [
        *_judge_throughput(results.throughput, is_judged(results, "throughput")),
        *_judge_throughput(results.collections, is_judged(results, "collections")),
        *_judge_restart(results),
        *_judge_zipf(results),
        *_judge_pauses(results),
    ]


def _judge_throughput(rows: list[ThroughputRow], judged: bool) -> Iterator[Judgement]:
    pipelines = sorted({row.pipeline for row in rows})
    for test in TESTS.values():
        for mode in MODES:
            for pipeline in pipelines:
                target = throughput_target(mode, test.name, pipeline)
                if target is None:
                    continue
                baseline = cell_rows(rows, REDIS, mode, test.name, pipeline)
                for series in series_of(rows):
                    own = cell_rows(rows, series, mode, test.name, pipeline)
                    measured = spread(paired_ratios(own, baseline, lambda row: row.per_second))
                    if measured is not None:
                        work = f"{test.title}, `{mode}`, {depth(pipeline)}"
                        reached = measured.median >= target if judged else None
                        yield Judgement(work, series, measured, "×", f"≥ {target} ×", reached)


def _judge_restart(results: Results) -> Iterator[Judgement]:
    most = max((row.keys for row in results.restart), default=0)
    for stop, words in (("clean", "a clean stop"), ("kill", "kill -9")):
        for series in series_of(results.restart):
            measured = spread(
                row.first_get_ms
                for row in results.restart
                if (row.series, row.stop, row.keys) == (series, stop, most)
            )
            if measured is not None:
                reached = measured.high < FIRST_GET_MS_MAX if most >= FIRST_GET_KEYS else None
                work = f"start to first answered GET after {words}, {most / 1e6:g} M keys"
                target = f"< {FIRST_GET_MS_MAX:,.0f} ms with {FIRST_GET_KEYS / 1e6:g} M keys"
                yield Judgement(work, series, measured, "ms", target, reached)


def _judge_zipf(results: Results) -> Iterator[Judgement]:
    for series in series_of(results.zipf):
        measured = spread(zipf_ratios(results.zipf, series))
        if measured is not None:
            work = "data ten times the cache, 95 % reads, zipf"
            reached = measured.median >= ZIPF_RATIO_MIN if is_judged(results, "zipf") else None
            yield Judgement(work, series, measured, "×", f"≥ {ZIPF_RATIO_MIN} × all in memory", reached)


def _judge_pauses(results: Results) -> Iterator[Judgement]:
    for mode, pipeline in sorted({(row.mode, row.pipeline) for row in results.pauses}):
        for series in series_of(results.pauses):
            cell = (series, mode, pipeline)
            own = [row for row in results.pauses if (row.series, row.mode, row.pipeline) == cell]
            measured = spread(row.worst_ms for row in own)
            if measured is not None:
                work = f"worst pause under SET load with checkpoints, `{mode}`, {depth(pipeline)}"
                whole = is_judged(results, "pauses") and all(row.checkpoints for row in own)
                reached = measured.high <= PAUSE_MS_MAX if whole else None
                yield Judgement(work, series, measured, "ms", f"≤ {PAUSE_MS_MAX:g} ms", reached)


def depth(pipeline: int) -> str:
    """A pipeline depth in words."""
    return "no pipeline" if pipeline == 1 else f"{pipeline} deep"
