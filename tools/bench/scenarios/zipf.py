"""Data many times the cache: zipf-distributed reads and a few writes, beside the same load all in memory.

The data is counted as bytes of keys and values alone, the strictest reading of "ten times".  Each server
is filled, takes as many requests to warm up as are measured after, and syncs before it replies.
redis-server stands beside it with all data in memory, the only way it can.  The operating system's page
cache is not limited, so this prices misses of the server's cache, not of the disk.
"""

from __future__ import annotations

from tools.bench.generator import GeneratorOptions, run_generator
from tools.bench.results import ZipfRow
from tools.bench.scenarios.common import Bench, megabytes
from tools.bench.servers import Contender, Server
from tools.bench.settings import Settings
from tools.bench.wire import fill, key_name


def cache_bytes_of(settings: Settings) -> int:
    """The cache limit that the data exceeds by the factor of the settings."""
    record_bytes = len(key_name(0)) + settings.value_bytes
    return settings.zipf_keys * record_bytes // settings.zipf_data_per_cache


def run(bench: Bench) -> list[ZipfRow]:
    """All rounds."""
    rows: list[ZipfRow] = []
    small_cache = cache_bytes_of(bench.settings)
    for round_number in range(1, bench.settings.rounds + 1):
        for contender in bench.contenders:
            for cache_bytes in (0, small_cache) if contender in bench.subjects else (0,):
                size = f"cache {megabytes(cache_bytes)}" if cache_bytes else "all in memory"
                title = f"zipf  round {round_number}  {contender.series:8} {size}"
                with bench.cell(title), bench.server(contender, "always", cache_bytes) as server:
                    row = _measure(bench, server, contender, cache_bytes, round_number)
                    rows.append(row)
                    bench.progress.line(f"{title}  {row.per_second:9,.0f}/s  p99 {row.p99_ms:7.2f} ms")
    return rows


def _measure(
    bench: Bench, server: Server, contender: Contender, cache_bytes: int, round_number: int
) -> ZipfRow:
    settings = bench.settings
    server.start()
    server.wait_ready()
    fill(server.port, 0, settings.zipf_keys, settings.value_bytes)
    before = server.wait_idle()
    options = GeneratorOptions(
        port=server.port,
        clients=settings.clients,
        keys=settings.zipf_keys,
        exponent=settings.zipf_exponent,
        writes=settings.zipf_writes,
        value_bytes=settings.value_bytes,
        warm_up=settings.zipf_requests,
        requests=settings.zipf_requests,
        seed=round_number,
    )
    figures = run_generator(options)
    after = server.sample()
    return ZipfRow(
        round=round_number,
        series=contender.series,
        keys=settings.zipf_keys,
        cache_bytes=cache_bytes,
        requests=settings.zipf_requests,
        per_second=figures.per_second,
        p50_ms=figures.p50_ms,
        p99_ms=figures.p99_ms,
        cpu_us=(after.cpu_seconds - before.cpu_seconds) / (options.warm_up + options.requests) * 1e6,
        resident_bytes=after.resident_bytes,
    )
