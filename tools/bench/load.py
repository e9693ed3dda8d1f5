"""redis-benchmark: which of its tests are known here, how it is run, and what its CSV says.

One run of it is one test, so that CPU time can be told apart by test.  An error reply makes the figures
worthless, so it fails the cell.
"""

from __future__ import annotations

import csv
import io
import subprocess
from dataclasses import dataclass

from tools.bench.errors import BenchError

LOAD_SECONDS_MAX = 1800.0


@dataclass(slots=True, frozen=True)
class LoadTest:
    """One kind of request: its name in the results and in redis-benchmark."""

    name: str
    title: str
    arguments: tuple[str, ...]
    custom: bool = False
    """The arguments are the request itself and not the name of a built-in test."""
    divisor: int = 1
    """Requests are divided by this: one of them is as much work as so many of the others."""


PREPARATION = "needed to benchmark"
TESTS: dict[str, LoadTest] = {
    test.name: test
    for test in (
        LoadTest("ping", "PING", ("ping_mbulk",)),
        LoadTest("get", "GET", ("get",)),
        LoadTest("set", "SET", ("set",)),
        LoadTest("incr", "INCR", ("incr",)),
        LoadTest("mset", "MSET of 10 keys", ("mset",), divisor=10),
        LoadTest("lpush", "LPUSH", ("lpush",)),
        LoadTest("rpush", "RPUSH", ("rpush",)),
        LoadTest("lrange_100", "LRANGE of 100 elements", ("lrange_100",), divisor=10),
        LoadTest("lrange_300", "LRANGE of 300 elements", ("lrange_300",), divisor=30),
        LoadTest("lrange_500", "LRANGE of 500 elements", ("lrange_500",), divisor=50),
        LoadTest("lrange_600", "LRANGE of 600 elements", ("lrange_600",), divisor=60),
        LoadTest("lpop", "LPOP", ("lpop",)),
        LoadTest("rpop", "RPOP", ("rpop",)),
        LoadTest("sadd", "SADD", ("sadd",)),
        LoadTest("spop", "SPOP", ("spop",)),
        LoadTest("hset", "HSET", ("hset",)),
        LoadTest("zadd", "ZADD", ("zadd",)),
        LoadTest("zpopmin", "ZPOPMIN", ("zpopmin",)),
        LoadTest("xadd", "XADD", ("XADD", "mystream", "*", "field", "__rand_int__"), custom=True),
    )
}


@dataclass(slots=True, frozen=True)
class LoadFigures:
    """One row of redis-benchmark's CSV."""

    per_second: float
    p50_ms: float
    p99_ms: float


def parse_csv(text: str) -> LoadFigures:
    """The figures of the only row in ``text``; raises BenchError where there is not exactly one.

    What redis-benchmark had to load first (for LRANGE) does not count.
    """
    rows = [row for row in csv.DictReader(io.StringIO(text)) if PREPARATION not in (row.get("test") or "")]
    if len(rows) != 1:
        raise BenchError(f"redis-benchmark reported {len(rows)} tests instead of one")
    try:
        row = rows[0]
        return LoadFigures(float(row["rps"]), float(row["p50_latency_ms"]), float(row["p99_latency_ms"]))
    except (KeyError, TypeError, ValueError) as error:
        raise BenchError(f"redis-benchmark's CSV is not understood: {text[:200]!r}") from error


def load_arguments(
    test: LoadTest, port: int, *, requests: int, clients: int, pipeline: int, keys: int, value_bytes: int
) -> list[str]:
    """redis-benchmark's command line for one cell."""
    line = ["redis-benchmark", "-p", str(port), "--csv", "-n", str(requests), "-c", str(clients)]
    line += ["-P", str(pipeline), "-r", str(keys), "-d", str(value_bytes)]
    return [*line, *test.arguments] if test.custom else [*line, "-t", *test.arguments]


def start_load(arguments: list[str]) -> subprocess.Popen[str]:
    """redis-benchmark under way, for ``finish_load``."""
    try:
        return subprocess.Popen(
            arguments,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )
    except OSError as error:
        raise BenchError(f"cannot start redis-benchmark: {error.strerror}") from error


def finish_load(process: subprocess.Popen[str]) -> LoadFigures:
    """Wait for the end of a load and return its figures; it is killed where anything goes wrong."""
    try:
        output, complaints = process.communicate(timeout=LOAD_SECONDS_MAX)
    except subprocess.TimeoutExpired as error:
        raise BenchError(f"redis-benchmark did not end within {LOAD_SECONDS_MAX:.0f} s") from error
    finally:
        stop_load(process)
    if "Error" in complaints or process.returncode != 0:
        raise BenchError(f"redis-benchmark: {complaints.strip()[:300] or f'ended with {process.returncode}'}")
    return parse_csv(output)


def stop_load(process: subprocess.Popen[str]) -> None:
    """Kill the load where it still runs."""
    if process.poll() is None:
        process.kill()
        process.wait()
