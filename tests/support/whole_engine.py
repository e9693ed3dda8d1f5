"""A whole engine without sockets or threads: real keyspace, log and background work over a simulated disk.

:class:`WholeEngine` executes commands as ``net`` would have them executed and answers with the decoded wire
form of the reply (``tests/support/client.py``).  Time stands still until it is moved; background work runs
when it is told to.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, cast

from durable_redis.clock import Clock
from durable_redis.commands import build_commands
from durable_redis.config.config import Config
from durable_redis.engine.engine import Engine
from durable_redis.engine.recovery import OpenStorage, StorageOptions, recover
from durable_redis.objects.limits import configured_limits
from storage.backends.memory import MemoryBackend, no_fault
from storage.directory import DirectoryLock, Identity
from storage.errors import StorageError
from tests.support.client import Incomplete, decode
from tests.support.simdisk import SimDisk

START_MS = 1_700_000_000_000
LOG_ID = "ab" * 20
DEFAULTS: dict[str, Any] = {
    "appendfsync": "always",
    "wal-sync-mode": "inline",
    "requirepass": "",
    "redis-version": "7.0.15",
    "aclfile": "",
    "acllog-max-len": 128,
    "acl-pubsub-default": "resetchannels",
    "maxmemory": 0,
    "maxmemory-policy": "noeviction",
    "maxmemory-samples": 5,
    "maxclients": 10000,
    "port": 6379,
    "disk-reserve": 0,
    "wal-retention-bytes": 0,
    "checkpoint-wal-bytes": 1 << 30,
    "checkpoint-interval": 3600,
    "enable-debug-command": "yes",
    "proto-max-bulk-len": 512 << 20,
    "client-query-buffer-limit": 1 << 30,
    "collection-compact-entries": 512,
    "collection-compact-bytes": 16 << 10,
    "hash-max-listpack-entries": 512,
    "hash-max-listpack-value": 64,
    "set-max-intset-entries": 512,
    "zset-max-listpack-entries": 128,
    "zset-max-listpack-value": 64,
    "stream-node-max-bytes": 4096,
    "stream-node-max-entries": 100,
    "hll-sparse-max-bytes": 3000,
    "notify-keyspace-events": "",
    "tracking-table-max-keys": 1_000_000,
    "busy-reply-threshold": 5000,
    "slowlog-log-slower-than": 10_000,
    "slowlog-max-len": 128,
    "latency-monitor-threshold": 0,
    "latency-tracking": True,
    "latency-tracking-info-percentiles": (50.0, 99.0, 99.9),
}


class Options:
    """A configuration of which only the named options exist."""

    path = None
    user_lines: tuple[()] = ()

    def __init__(self, values: dict[str, Any]) -> None:
        self.values = DEFAULTS | values

    def get_int(self, name: str) -> int:
        return int(self.values[name])

    def get_str(self, name: str) -> str:
        return str(self.values[name])

    def get_bool(self, name: str) -> bool:
        return bool(self.values[name])

    def get_list(self, name: str) -> tuple[str, ...]:
        return tuple(self.values[name])

    def output_limits(self, kind: str) -> tuple[int, int, int]:
        return 0, 0, 0

    def on_change(self, name: str, apply: Callable[..., object]) -> None:
        pass


class StillClock:
    """A clock that is moved by hand."""

    def __init__(self) -> None:
        self.ms = START_MS

    def now_ms(self) -> int:
        return self.ms

    def now_us(self) -> int:
        return self.ms * 1000

    def monotonic(self) -> float:
        return self.ms / 1000


class WholeEngine:
    """One engine and one client of it."""

    def __init__(
        self,
        options: dict[str, Any] | None = None,
        protocol: int = 2,
        backend: MemoryBackend | None = None,
    ) -> None:
        self.clock = StillClock()
        self.backend = backend or MemoryBackend()
        self.config = Options(options or {})
        self.protocol = protocol
        self._disk = SimDisk()
        self._open(created=True)

    def _open(self, created: bool) -> None:
        limits = configured_limits(self.config.get_int)
        storage_options = StorageOptions("dir", "memory", 16, 1 << 20, 0, 0, limits=limits)
        keyspace, log, replayed, cut_bytes = recover(
            self._disk, "dir/wal", self.backend, LOG_ID, storage_options, START_MS, created
        )
        storage = OpenStorage(
            cast(DirectoryLock, None),
            Identity(LOG_ID, "memory", START_MS),
            self.backend,
            keyspace,
            log,
            replayed,
            cut_bytes,
        )
        self.engine = Engine(cast(Config, self.config), storage, build_commands(), cast(Clock, self.clock))
        self.client = self.engine.connect("127.0.0.1:1000", "127.0.0.1:6379", 9)
        self.client.protocol = self.protocol
        self.client.authenticated = True

    def call(self, *words: bytes | str | int) -> Any:
        """Execute one command and commit; its reply, or :class:`Incomplete` while there is none."""
        argv = [word if isinstance(word, bytes) else str(word).encode() for word in words]
        self.engine.begin_batch()
        self.engine.execute(self.client, argv)
        self.engine.commit()
        return self.take_reply()

    def take_reply(self) -> Any:
        """What has been answered since, or :class:`Incomplete`."""
        data = b"".join(self.client.out)
        self.client.out.clear()
        if not data:
            return Incomplete
        reply, end = decode(data, 0)
        assert end == len(data), data
        return reply

    def info(self, *sections: str) -> dict[str, str]:
        """The fields of INFO."""
        text = self.call("INFO", *sections).decode()
        return dict(line.split(":", 1) for line in text.split("\r\n") if line and line[0] != "#")

    def work(self) -> None:
        """Run all background work to its end, workers' jobs included."""
        background = self.engine.background
        while not background.idle:
            if background.jobs:
                job = background.jobs.popleft()
                result = job.run()
                if job.done is not None:
                    job.done(result)
            else:
                background.run(0.001)

    def fail_next_commit(self, message: str) -> None:
        """Let the backend refuse the next checkpoint."""

        def fault(step: str) -> None:
            if step == "commit":
                self.backend.fault = no_fault
                raise StorageError(message)

        self.backend.fault = fault

    def restart(self) -> None:
        """Leave the engine as kill -9 does and open its files with another one."""
        self._open(created=False)

    def checkpoint(self) -> None:
        """Bring everything to the backend."""
        self.call("SAVE")
        self.work()
        self.take_reply()

    def make_cold(self) -> None:
        """Bring everything to the backend and drop the cache."""
        self.checkpoint()
        self.engine.keyspace.drop_clean()
