"""The tables of the report, each a pure function from rows to Markdown lines.

A cell with several rounds behind it shows their median; a ratio also shows its lowest and highest round.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence

from tools.bench.figures import Spread, paired_ratios, series_of, spread
from tools.bench.load import TESTS
from tools.bench.results import REDIS, REDIS_RDB, PauseRow, RestartRow, ThroughputRow, ZipfRow
from tools.bench.targets import Judgement, cell_rows, depth, throughput_target, zipf_ratios

NOT_MEASURED = "–"
_TITLES = {REDIS: "redis-server", REDIS_RDB: "redis-server, RDB"}


def markdown_table(header: Sequence[str], rows: Iterable[Sequence[str]], words: int = 1) -> list[str]:
    """A table whose first ``words`` columns are text and the others right-aligned figures."""
    marks = ["---"] * words + ["---:"] * (len(header) - words)
    return [_line(header), _line(marks), *map(_line, rows)]


def _line(cells: Sequence[str]) -> str:
    return "| " + " | ".join(cells) + " |"


def number(value: float) -> str:
    """Three significant digits, with separators from a thousand on."""
    if abs(value) >= 100:
        return f"{value:,.0f}"
    return f"{value:.1f}" if abs(value) >= 10 else f"{value:.2f}"


def with_range(measured: Spread | None, show: Callable[[float], str] = number) -> str:
    """The median, and the range where there was more than one round."""
    if measured is None:
        return NOT_MEASURED
    if measured.count == 1:
        return show(measured.median)
    return f"{show(measured.median)} ({show(measured.low)}–{show(measured.high)})"


def _ratio(value: float) -> str:
    return f"{value:.2f}"


def _median(values: Iterable[float]) -> str:
    measured = spread(values)
    return NOT_MEASURED if measured is None else number(measured.median)


def _megabytes(values: Iterable[int]) -> str:
    measured = spread(values)
    return NOT_MEASURED if measured is None else f"{measured.median / 1e6:,.0f}"


def _verdict(reached: bool | None) -> str:
    return "not judged" if reached is None else "reached" if reached else "**missed**"


def targets_table(judgements: Iterable[Judgement]) -> list[str]:
    """What the design asks for and what came out."""
    return markdown_table(
        ("work", "server", "measured", "target", ""),
        (
            (
                judgement.work,
                judgement.series,
                with_range(judgement.measured, _ratio if judgement.unit == "×" else number)
                + f" {judgement.unit}",
                judgement.target,
                _verdict(judgement.reached),
            )
            for judgement in judgements
        ),
        words=2,
    )


def throughput_table(rows: list[ThroughputRow], mode: str, judged: bool) -> list[str]:
    """All cells of one mode; verdicts only where the run was large enough to be ``judged``."""
    lines = []
    cells = sorted(
        {(row.test, row.pipeline) for row in rows if row.mode == mode},
        key=lambda cell: (list(TESTS).index(cell[0]), cell[1]),
    )
    for test, pipeline in cells:
        baseline = cell_rows(rows, REDIS, mode, test, pipeline)
        target = throughput_target(mode, test, pipeline)
        for series in (REDIS, *series_of(rows)):
            own = cell_rows(rows, series, mode, test, pipeline)
            if own:
                lines.append(
                    [
                        f"{TESTS[test].title}, {depth(pipeline)}",
                        *_throughput_cells(own, baseline, target, judged),
                    ]
                )
    return markdown_table(
        (
            "work",
            "server",
            "requests/s",
            "ratio to Redis",
            "p50 ms",
            "p99 ms",
            "CPU µs",
            "+ after",
            "ratio of CPU",
            "switches",
            "target",
            "",
        ),
        lines,
        words=2,
    )


def _throughput_cells(
    own: list[ThroughputRow], baseline: list[ThroughputRow], target: float | None, judged: bool
) -> list[str]:
    cells = [
        _TITLES.get(own[0].series, own[0].series),
        _median(row.per_second for row in own),
    ]
    if own[0].series == REDIS:
        ratio, cpu_ratio, verdict, target_text = "1", "1", "", ""
    else:
        measured = spread(paired_ratios(own, baseline, lambda row: row.per_second))
        ratio = with_range(measured, _ratio)
        cpu_ratio = with_range(
            spread(paired_ratios(own, baseline, lambda row: row.cpu_us + row.cpu_after_us)), _ratio
        )
        target_text = "" if target is None else f"≥ {target}"
        verdict = ""
        if target is not None and measured is not None:
            verdict = _verdict(measured.median >= target if judged else None)
    return [
        *cells,
        ratio,
        _median(row.p50_ms for row in own),
        _median(row.p99_ms for row in own),
        _median(row.cpu_us for row in own),
        _median(row.cpu_after_us for row in own),
        cpu_ratio,
        _median(row.switches for row in own),
        target_text,
        verdict,
    ]


def memory_table(rows: list[ThroughputRow]) -> list[str]:
    """Resident memory at the end of the cells of a mode and its peak, the highest of all rounds."""
    lines = []
    for mode in dict.fromkeys(row.mode for row in rows):
        for series in (REDIS, *series_of(rows)):
            own = [row for row in rows if (row.mode, row.series) == (mode, series)]
            if own:
                end = max(row.resident_bytes for row in own)
                peak = max(row.resident_peak_bytes for row in own)
                lines.append(
                    (f"`{mode}`", _TITLES.get(series, series), f"{end / 1e6:,.0f}", f"{peak / 1e6:,.0f}")
                )
    return markdown_table(("mode", "server", "resident MB", "peak MB"), lines, words=2)


def restart_table(rows: list[RestartRow]) -> list[str]:
    """Starts by size of the data, server and kind of stop."""
    lines = []
    groups = dict.fromkeys((row.keys, row.series, row.stop) for row in rows)
    for keys, series, stop in groups:
        own = [row for row in rows if (row.keys, row.series, row.stop) == (keys, series, stop)]
        partner = [row for row in rows if (row.keys, row.series, row.stop) == (keys, REDIS, stop)]
        ratios = spread(paired_ratios(own, partner, lambda row: row.first_get_ms))
        lines.append(
            (
                f"{keys / 1e6:g} M",
                {REDIS: "redis-server, AOF"}.get(series, _TITLES.get(series, series)),
                "clean" if stop == "clean" else "kill -9",
                with_range(spread(row.first_get_ms for row in own)),
                "1" if series == REDIS else with_range(ratios, lambda value: f"{value:.3f}"),
                _megabytes(row.resident_bytes for row in own),
                _megabytes(row.loaded_resident_bytes for row in own),
                _megabytes(row.disk_bytes for row in own),
            )
        )
    return markdown_table(
        (
            "keys",
            "server",
            "stop before",
            "first GET, ms",
            "ratio to AOF load",
            "resident MB then",
            "resident MB after filling",
            "MB on disk",
        ),
        lines,
        words=3,
    )


def zipf_table(rows: list[ZipfRow]) -> list[str]:
    """Servers with all in memory and with the small cache."""
    lines = []
    for series, cache_bytes in dict.fromkeys((row.series, row.cache_bytes) for row in rows):
        own = [row for row in rows if (row.series, row.cache_bytes) == (series, cache_bytes)]
        redis = [row for row in rows if row.series == REDIS]
        to_redis = spread(paired_ratios(own, redis, lambda row: row.per_second))
        lines.append(
            (
                _TITLES.get(series, series),
                f"{cache_bytes / 1e6:,.1f} MB" if cache_bytes else "all in memory",
                _median(row.per_second for row in own),
                with_range(spread(zipf_ratios(rows, series)), _ratio) if cache_bytes else "1",
                "1" if series == REDIS else with_range(to_redis, _ratio),
                _median(row.p50_ms for row in own),
                _median(row.p99_ms for row in own),
                _median(row.cpu_us for row in own),
                _megabytes(row.resident_bytes for row in own),
            )
        )
    return markdown_table(
        (
            "server",
            "cache",
            "requests/s",
            "ratio to own all in memory",
            "ratio to Redis",
            "p50 ms",
            "p99 ms",
            "CPU µs",
            "resident MB",
        ),
        lines,
        words=2,
    )


def pauses_table(rows: list[PauseRow]) -> list[str]:
    """Latency of PINGs under write load."""
    lines = []
    cells = sorted({(row.mode, row.pipeline, row.series != REDIS, row.series) for row in rows})
    for mode, pipeline, _, series in cells:
        own = [row for row in rows if (row.mode, row.pipeline, row.series) == (mode, pipeline, series)]
        lines.append(
            (
                f"`{mode}`, {depth(pipeline)}",
                _TITLES.get(series, series),
                with_range(spread(row.worst_ms for row in own)),
                _median(row.p999_ms for row in own),
                _median(row.p99_ms for row in own),
                _median(row.p50_ms for row in own),
                f"{sum(row.checkpoints for row in own)}",
                _median(row.per_second for row in own),
                _median(row.prober_late_worst_ms for row in own),
            )
        )
    return markdown_table(
        (
            "writers",
            "server",
            "worst ms",
            "p99.9 ms",
            "p99 ms",
            "p50 ms",
            "checkpoints",
            "SET/s",
            "prober's own worst ms",
        ),
        lines,
        words=2,
    )
