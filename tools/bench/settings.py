"""How much work a run does: one record of counts and sizes, with a full and a quick edition.

The full edition is what ``docs/benchmarks.md`` is made of: cells of some seconds, so that the 10 ms
ticks in which Linux reports CPU time are well under one per cent of a cell.  The quick edition runs
every scenario once over in about three minutes; its figures show that nothing broke, not how fast the
server is, and no target is judged on sizes it does not reach.
"""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from typing import Literal

from tools.bench.errors import BenchError

Mode = Literal["always", "everysec", "no"]
"""When the log is synced.  ``no`` stands beside a redis-server without any persistence."""

MODES: tuple[Mode, ...] = ("always", "everysec", "no")
SCENARIOS = ("throughput", "collections", "restart", "zipf", "pauses")
BACKENDS = ("leveldb", "lmdb")
ROUNDS_MAX = 99
CLIENTS_MAX = 10_000
KEYS_MAX = 10**12 - 1  # redis-benchmark writes the number of a key with twelve digits.


@dataclass(slots=True, frozen=True, kw_only=True)
class Settings:
    """Counts and sizes of a run; the defaults are the full edition."""

    rounds: int = 3
    clients: int = 50
    value_bytes: int = 100
    keys: int = 1_000_000
    modes: tuple[Mode, ...] = MODES
    tests: tuple[str, ...] = ("ping", "get", "set", "incr", "mset")
    pipelines: tuple[int, ...] = (1, 16)
    collection_tests: tuple[str, ...] = (
        "lpush",
        "rpush",
        "lrange_100",
        "lrange_300",
        "lrange_500",
        "lrange_600",
        "lpop",
        "rpop",
        "sadd",
        "spop",
        "hset",
        "zadd",
        "zpopmin",
        "xadd",
    )
    """Those that add come before those that take."""
    requests: int = 300_000
    """Requests of a cell without pipelining."""
    requests_pipelined: int = 3_000_000
    """Requests of a cell with pipelining."""
    restart_keys: tuple[int, ...] = (1_000_000, 5_000_000)
    restart_tail: int = 100_000
    """Writes between a start and the kill -9 that follows it."""
    zipf_keys: int = 2_000_000
    zipf_requests: int = 400_000
    zipf_exponent: float = 0.99
    """The skew of YCSB's zipfian generator, so that figures can be compared with those of other stores."""
    zipf_writes: float = 0.05
    zipf_data_per_cache: int = 10
    """How many times the cache the data is."""
    pause_requests: int = 1_000_000
    pause_requests_pipelined: int = 4_000_000
    checkpoint_seconds: float = 3.0
    """Time between two checkpoints asked for while pauses are timed."""

    def check(self) -> None:
        """Raise BenchError for a setting that cannot be run."""
        whole = {
            name: value
            for name, value in dataclasses.asdict(self).items()
            if isinstance(value, int) and not isinstance(value, bool)
        }
        for name, value in whole.items():
            if value < 1:
                raise BenchError(f"{name} must be at least 1, not {value}")
        for name, value, limit in (
            ("rounds", self.rounds, ROUNDS_MAX),
            ("clients", self.clients, CLIENTS_MAX),
            ("keys", max(self.keys, self.zipf_keys, *self.restart_keys), KEYS_MAX),
        ):
            if value > limit:
                raise BenchError(f"{name} must be at most {limit}, not {value}")
        if min(self.pipelines) < 1 or min(self.restart_keys) < 1:
            raise BenchError("pipelines and numbers of keys must be at least 1")

    def requests_for(self, pipeline: int) -> int:
        """Requests of one throughput cell."""
        return self.requests if pipeline == 1 else self.requests_pipelined

    def pause_requests_for(self, pipeline: int) -> int:
        """Requests of the write load under which pauses are timed."""
        return self.pause_requests if pipeline == 1 else self.pause_requests_pipelined


FULL = Settings()
QUICK = Settings(
    rounds=2,
    keys=100_000,
    requests=30_000,
    requests_pipelined=200_000,
    restart_keys=(200_000,),
    restart_tail=20_000,
    zipf_keys=200_000,
    zipf_requests=50_000,
    pause_requests=100_000,
    pause_requests_pipelined=400_000,
    checkpoint_seconds=0.5,
)
