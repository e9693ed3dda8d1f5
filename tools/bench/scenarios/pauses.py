"""The longest time a server answers nobody while others write and checkpoints run.

redis-benchmark writes with SET, a prober asks PING each millisecond on a connection of its own, and
BGSAVE is asked for at regular intervals: a checkpoint here, a fork and an RDB file in redis-server.
Clients, server and prober share the cores, so part of each pause is the scheduler's; the column for the
prober's own lateness says how much that can be.  Under ``always`` a slow disk is in each figure as well,
under ``everysec`` it should not be.
"""

from __future__ import annotations

import time

from tools.bench.errors import BenchError
from tools.bench.load import TESTS, LoadFigures, finish_load, load_arguments, start_load, stop_load
from tools.bench.prober import Prober
from tools.bench.results import PauseRow
from tools.bench.scenarios.common import Bench
from tools.bench.servers import Contender, Server
from tools.bench.wire import Connection, fill

_POLL_SECONDS = 0.02


def run(bench: Bench) -> list[PauseRow]:
    """All rounds, in the modes that sync."""
    rows: list[PauseRow] = []
    for round_number in range(1, bench.settings.rounds + 1):
        for mode in bench.settings.modes:
            if mode == "no":
                continue
            for contender in bench.contenders:
                title = f"pauses  round {round_number}  {mode:8} {contender.series:8}"
                with bench.cell(title), bench.server(contender, mode) as server:
                    server.start()
                    server.wait_ready()
                    fill(server.port, 0, bench.settings.keys, bench.settings.value_bytes)
                    rows += _measure_server(bench, server, contender, mode, round_number)
    return rows


def _measure_server(
    bench: Bench, server: Server, contender: Contender, mode: str, round_number: int
) -> list[PauseRow]:
    rows: list[PauseRow] = []
    for pipeline in bench.settings.pipelines:
        title = f"pauses  round {round_number}  {mode:8} {contender.series:8} pipeline {pipeline:2}"
        with bench.cell(title):
            row = _measure(bench, server, contender, mode, pipeline, round_number)
            rows.append(row)
            bench.progress.line(
                f"{title}  worst {row.worst_ms:7.2f} ms  p99.9 {row.p999_ms:7.2f} ms"
                f"  {row.checkpoints} checkpoints  {row.per_second:9,.0f} SET/s"
            )
    return rows


def _measure(
    bench: Bench, server: Server, contender: Contender, mode: str, pipeline: int, round_number: int
) -> PauseRow:
    settings = bench.settings
    server.wait_idle()
    arguments = load_arguments(
        TESTS["set"],
        server.port,
        requests=settings.pause_requests_for(pipeline),
        clients=settings.clients,
        pipeline=pipeline,
        keys=settings.keys,
        value_bytes=settings.value_bytes,
    )
    with Prober(server.port) as prober, Connection(server.port) as connection:
        prober.wait_started()
        load, checkpoints = _load_with_checkpoints(arguments, connection, settings.checkpoint_seconds)
        figures = prober.finish()
    return PauseRow(
        round=round_number,
        series=contender.series,
        mode=mode,
        pipeline=pipeline,
        per_second=load.per_second,
        checkpoints=checkpoints,
        probes=figures.probes,
        p50_ms=figures.p50_ms,
        p99_ms=figures.p99_ms,
        p999_ms=figures.p999_ms,
        worst_ms=figures.worst_ms,
        prober_late_worst_ms=figures.late_worst_ms,
    )


def _load_with_checkpoints(
    arguments: list[str], connection: Connection, checkpoint_seconds: float
) -> tuple[LoadFigures, int]:
    """Run the load and ask for a checkpoint at each interval; returns its figures and how many were begun."""
    process = start_load(arguments)
    checkpoints = 0
    try:
        due = time.monotonic() + checkpoint_seconds / 2
        while process.poll() is None:
            time.sleep(_POLL_SECONDS)
            if time.monotonic() < due:
                continue
            due += checkpoint_seconds
            try:
                connection.call(b"BGSAVE")
            except BenchError:
                continue  # The one before still runs.
            checkpoints += 1
        return finish_load(process), checkpoints
    finally:
        stop_load(process)
