"""How long after its start a server answers the first GET on data it finds, and how much memory it takes.

Each server is filled once and then started several times: after a clean stop, and after writes that a
kill -9 follows.  redis-server runs twice, with an append-only file as it was written and with an RDB file
alone; the latter is not killed, because it would lose what the append-only file keeps.  The data was
just written, so it is in the page cache: the figures are the work of a start, not of the disk.
"""

from __future__ import annotations

import time

from tools.bench.errors import BenchError
from tools.bench.results import REDIS_RDB, RestartRow
from tools.bench.scenarios.common import Bench, megabytes
from tools.bench.servers import START_SECONDS_MAX, Contender, Server, redis_contender
from tools.bench.wire import Connection, fill, key_name, wait_first_get


def run(bench: Bench) -> list[RestartRow]:
    """All sizes, all servers."""
    rows: list[RestartRow] = []
    for keys in bench.settings.restart_keys:
        for contender in [redis_contender(rdb=True), *bench.contenders]:
            title = f"restart  {keys:,} keys  {contender.series:9}"
            with bench.cell(title), bench.server(contender, "always") as server:
                _measure_server(bench, server, contender, keys, rows)
    return rows


def _measure_server(
    bench: Bench, server: Server, contender: Contender, keys: int, rows: list[RestartRow]
) -> None:
    settings = bench.settings
    server.start()
    server.wait_ready()
    fill(server.port, 0, keys, settings.value_bytes)
    loaded_resident_bytes = server.wait_idle().resident_bytes
    for round_number in range(1, settings.rounds + 1):
        stops = ["clean"]
        if contender.series != REDIS_RDB:
            stops.insert(0, "kill")
        for stop in stops:
            if stop == "kill":
                tail = min(settings.restart_tail, keys)
                fill(server.port, keys - tail, tail, settings.value_bytes)
                server.kill()
            else:
                server.stop()
            row = _start(server, contender, keys, stop, round_number, loaded_resident_bytes)
            rows.append(row)
            bench.progress.line(
                f"restart  {keys:,} keys  {contender.series:9}  {stop:5}"
                f"  first GET after {row.first_get_ms:8,.0f} ms  {megabytes(row.resident_bytes)} resident"
            )
            if row.keys_found != keys:
                raise BenchError(f"{row.keys_found} keys of {keys} are there after a {stop} stop")


def _start(
    server: Server, contender: Contender, keys: int, stop: str, round_number: int, loaded_resident_bytes: int
) -> RestartRow:
    disk_bytes = server.disk_bytes()
    started = server.start()
    wait_first_get(server.port, key_name(keys // 2), started + START_SECONDS_MAX, server.check_alive)
    answered = time.monotonic()
    resident_bytes = server.sample().resident_bytes
    with Connection(server.port) as connection:
        keys_found = int(connection.call(b"DBSIZE"))
    return RestartRow(
        round=round_number,
        series=contender.series,
        stop=stop,
        keys=keys,
        first_get_ms=(answered - started) * 1000,
        resident_bytes=resident_bytes,
        loaded_resident_bytes=loaded_resident_bytes,
        disk_bytes=disk_bytes,
        keys_found=keys_found,
    )
