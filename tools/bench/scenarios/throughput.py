"""Throughput, latency and cost of single commands with redis-benchmark, beside redis-server in the same mode.

A round runs, for each mode, redis-server and then this server on each backend, each on a fresh directory
that is filled with all keys first, and on each every test at every pipeline depth.  One server runs at a
time.  Work that is left when the last reply was sent (a checkpoint, say) is waited for and reported
beside the cost of the cell.
"""

from __future__ import annotations

from tools.bench.load import TESTS, LoadTest, finish_load, load_arguments, start_load
from tools.bench.results import ThroughputRow
from tools.bench.scenarios.common import Bench
from tools.bench.servers import Contender, Server
from tools.bench.settings import Mode
from tools.bench.wire import fill


def run(bench: Bench) -> list[ThroughputRow]:
    """Commands on plain keys, at every pipeline depth, with all keys there before."""
    settings = bench.settings
    return _run(bench, settings.tests, settings.pipelines, settings.keys)


def run_collections(bench: Bench) -> list[ThroughputRow]:
    """Commands on collections, one at a time on each connection, on an empty server.

    redis-benchmark has one key for each type, and each test finds what those before it have left.
    """
    return _run(bench, bench.settings.collection_tests, (1,), 0)


def _run(
    bench: Bench, tests: tuple[str, ...], pipelines: tuple[int, ...], filled_keys: int
) -> list[ThroughputRow]:
    """All rounds."""
    rows: list[ThroughputRow] = []
    for round_number in range(1, bench.settings.rounds + 1):
        for mode in bench.settings.modes:
            for contender in bench.contenders:
                title = f"round {round_number}  {mode:8} {contender.series:8}"
                with bench.cell(title), bench.server(contender, mode) as server:
                    server.start()
                    server.wait_ready()
                    fill(server.port, 0, filled_keys, bench.settings.value_bytes)
                    for name in tests:
                        for pipeline in pipelines:
                            rows += _measure(bench, server, contender, mode, name, pipeline, round_number)
    return rows


def _measure(
    bench: Bench,
    server: Server,
    contender: Contender,
    mode: Mode,
    name: str,
    pipeline: int,
    round_number: int,
) -> list[ThroughputRow]:
    """One cell; none if it failed."""
    title = f"round {round_number}  {mode:8} {contender.series:8} {name:6} pipeline {pipeline:2}"
    rows: list[ThroughputRow] = []
    with bench.cell(title):
        row = _measure_cell(bench, server, contender.series, mode, TESTS[name], pipeline, round_number)
        rows.append(row)
        bench.progress.line(
            f"{title}  {row.per_second:11,.0f}/s  p99 {row.p99_ms:7.2f} ms"
            f"  CPU {row.cpu_us:5.1f} + {row.cpu_after_us:4.1f} µs"
        )
    return rows


def _measure_cell(
    bench: Bench, server: Server, series: str, mode: str, test: LoadTest, pipeline: int, round_number: int
) -> ThroughputRow:
    settings = bench.settings
    requests = max(settings.clients * pipeline, settings.requests_for(pipeline) // test.divisor)
    arguments = load_arguments(
        test,
        server.port,
        requests=requests,
        clients=settings.clients,
        pipeline=pipeline,
        keys=settings.keys,
        value_bytes=settings.value_bytes,
    )
    before = server.wait_idle()
    figures = finish_load(start_load(arguments))
    after = server.sample()
    idle = server.wait_idle()
    return ThroughputRow(
        round=round_number,
        series=series,
        mode=mode,
        test=test.name,
        pipeline=pipeline,
        requests=requests,
        per_second=figures.per_second,
        p50_ms=figures.p50_ms,
        p99_ms=figures.p99_ms,
        cpu_us=(after.cpu_seconds - before.cpu_seconds) / requests * 1e6,
        cpu_after_us=(idle.cpu_seconds - after.cpu_seconds) / requests * 1e6,
        switches=max(0, after.switches - before.switches) / requests,
        resident_bytes=after.resident_bytes,
        resident_peak_bytes=after.resident_peak_bytes,
    )
