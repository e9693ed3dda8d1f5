"""MEMORY: what keys and the server take in memory.

All figures are Python's sizes plus the cache's measured overhead a key (``keyspace/memory.py``): an
estimate of the memory that the data takes *while it is in the cache*.  A key that only the disk has is read
to be measured, so MEMORY USAGE brings it into memory.  Python's allocator does not say how many bytes it has
handed out, so MEMORY STATS has no ``allocator.*`` and no ``rss-overhead.*``.
"""

from __future__ import annotations

import gc
from sys import getallocatedblocks, getsizeof
from typing import Final

from durable_redis.commands.context import Context
from durable_redis.commands.info_sections import human_bytes, memory_figures
from durable_redis.commands.table import LOADING, READONLY, STALE, command, container, key_spec
from durable_redis.errors import NOT_AN_INTEGER, ReplyError, syntax_error
from durable_redis.heap import figures as allocator_figures
from durable_redis.heap import give_back
from durable_redis.keyspace.keyspace import Keyspace
from durable_redis.keyspace.memory import ENTRY_OVERHEAD_BYTES, value_bytes
from durable_redis.objects.collection import Collection
from durable_redis.resp.numbers import parse_integer
from durable_redis.resp.replies import OK, Reply, Verbatim

MEMORY: Final = container("MEMORY")
LITTLE_BYTES: Final = 5 << 20  # below this much data, ratios say nothing
FRAGMENTED_RATIO: Final = 1.4


@command("MEMORY|USAGE", arity=-3, flags=READONLY, keys=(key_spec("RO", first=2),))
def memory_usage(ctx: Context, argv: list[bytes]) -> Reply:
    """Bytes that a key and its value take in memory, or would if all of it were there; null without a key."""
    options = iter(argv[3:])
    for option in options:
        count = next(options, None)
        if option.lower() != b"samples" or count is None:
            raise syntax_error()
        samples = parse_integer(count)
        if samples is None:
            raise ReplyError(NOT_AN_INTEGER)
        if samples < 0:
            raise syntax_error()
    value = ctx.peek(argv[2])
    if value is None:
        return None
    size = value.whole_bytes() if isinstance(value, Collection) else value_bytes(value)
    return getsizeof(argv[2]) + size + ENTRY_OVERHEAD_BYTES


@command(
    "MEMORY|STATS",
    arity=2,
    tips=("nondeterministic_output", "request_policy:all_shards", "response_policy:special"),
)
def memory_stats(ctx: Context, argv: list[bytes]) -> Reply:
    """The figures of INFO memory under the names of this command; what jemalloc would say is missing."""
    engine = ctx.server
    figures = memory_figures(engine)
    used, peak, startup = figures["used"], figures["peak"], figures["startup"]
    resident, data = figures["resident"], figures["data"]
    keys = sum(engine.keyspace.counts(index)[0] for index in range(engine.keyspace.database_count))
    return {
        b"peak.allocated": peak,
        b"total.allocated": used,
        b"startup.allocated": startup,
        b"replication.backlog": 0,
        b"clients.slaves": 0,
        b"clients.normal": figures["clients"],
        b"cluster.links": 0,
        b"aof.buffer": figures["log"],
        b"lua.caches": engine.scripts.scripts_bytes,
        b"functions.caches": engine.functions.sources_bytes,
        **_overhead_by_database(engine.keyspace),
        b"overhead.total": figures["overhead"],
        b"keys.count": keys,
        b"keys.bytes-per-key": data // keys if keys else 0,
        b"dataset.bytes": data,
        b"dataset.percentage": 100 * data / max(used - startup, 1),
        b"peak.percentage": 100 * used / max(peak, 1),
        b"cache.limit": engine.keyspace.memory.limit_bytes,
        b"cache.dropped-keys": engine.keyspace.memory.dropped,
        b"fragmentation": resident / max(used, 1),
        b"fragmentation.bytes": resident - used,
    }


def _overhead_by_database(keyspace: Keyspace) -> dict[bytes, Reply]:
    """What the dicts of each database with keys take; deadlines and slots have none of their own."""
    return {
        b"db.%d" % db.index: {
            b"overhead.hashtable.main": ENTRY_OVERHEAD_BYTES
            * sum(len(shard.young) + len(shard.old) for shard in db.shards),
            b"overhead.hashtable.expires": 0,
            b"overhead.hashtable.slot-to-keys": 0,
        }
        for db in keyspace.open_databases()
        if keyspace.counts(db.index)[0]
    }


@command(
    "MEMORY|DOCTOR",
    arity=2,
    tips=("nondeterministic_output", "request_policy:all_shards", "response_policy:special"),
)
def memory_doctor(ctx: Context, argv: list[bytes]) -> Reply:
    """What stands out in the figures, in words."""
    figures = memory_figures(ctx.server)
    limit = ctx.server.keyspace.memory.limit_bytes
    found = []
    if figures["data"] < LITTLE_BYTES:
        return Verbatim(b"There is too little data in memory to judge by.\n")
    ratio = figures["resident"] / max(figures["used"], 1)
    if ratio > FRAGMENTED_RATIO:
        found.append(
            f"The process occupies {ratio:.2f} times what is in use: after much data has left memory, "
            "part of it stays with the process; MEMORY PURGE gives back what it can."
        )
    if limit and figures["data"] > limit:
        found.append(
            f"The cached data ({human_bytes(figures['data'])}) is above its limit ({human_bytes(limit)}): "
            "data comes in faster than checkpoints let it leave; a larger maxmemory or less writing helps."
        )
    if figures["clients"] > figures["data"]:
        found.append("Clients' buffers take more memory than the data: look for slow readers in CLIENT LIST.")
    text = "\n".join(found) or "Nothing stands out."
    return Verbatim(text.encode() + b"\n")


@command("MEMORY|PURGE", arity=2, tips=("request_policy:all_shards", "response_policy:all_succeeded"))
def memory_purge(ctx: Context, argv: list[bytes]) -> Reply:
    """Free what only reference cycles keep alive, and return free pages to the system."""
    gc.collect()
    give_back()
    return OK


@command(
    "MEMORY|MALLOC-STATS",
    arity=2,
    tips=("nondeterministic_output", "request_policy:all_shards", "response_policy:special"),
)
def memory_malloc_stats(ctx: Context, argv: list[bytes]) -> Reply:
    """What the two allocators say of themselves: Python's, which has the small objects, and glibc's."""
    lines = [f"python_allocated_blocks: {getallocatedblocks()}"]
    lines += [f"glibc_{name}: {value}" for name, value in allocator_figures().items()]
    return Verbatim("".join(line + "\n" for line in lines).encode())


@command("MEMORY|HELP", arity=2, flags=LOADING | STALE)
def memory_help(ctx: Context, argv: list[bytes]) -> Reply:
    """List the subcommands."""
    return [
        "MEMORY <subcommand> [<arg> [value] [opt] ...]. Subcommands are:",
        "DOCTOR",
        "    Say what stands out in the memory figures.",
        "MALLOC-STATS",
        "    Show what the allocators say of themselves.",
        "PURGE",
        "    Free what can be freed at once.",
        "STATS",
        "    Show the memory figures.",
        "USAGE <key> [SAMPLES <count>]",
        "    Show how many bytes a key and its value take in memory.",
        "HELP",
        "    Show this text.",
    ]
