"""The fields of INFO, one function a section, each a view of what others have counted.

A value here is true at the moment of asking or the field is missing.  Sizes are bytes unless the name says
otherwise.  What Redis calls RDB save and AOF rewrite is the checkpoint here, what it calls AOF is the log.
Three limits: calls on the hot path (``engine/fast.py``) are counted one by one but timed by sample, so
``usec`` of GET, SET and the like is an estimate; ``avg_ttl`` and ``expired_stale_perc`` come from a look at
some keys (``keyspace/expiry.py``); and memory of the data is the cache's estimate (``keyspace/memory.py``),
to which the process's size at the start is added.

Left out: what jemalloc, fork, the C compiler and active defragmentation would have to say.  Python's
allocator does not tell how many bytes it has handed out, so there is no ``allocator_*`` and no
``rss_overhead_*``.
"""

from __future__ import annotations

import os
import platform
import resource
import sys
from typing import TYPE_CHECKING

import durable_redis
from durable_redis.keyspace.expiry import times_left

if TYPE_CHECKING:
    from durable_redis.engine.engine import Engine

Fields = dict[str, object]

CRON_HZ = 10  # Maintenance.cron acts every 100 ms
LRU_CLOCK_MASK = (1 << 24) - 1
NO_REPLICATION_ID = "0" * 40
_UNITS = ((1 << 50, "P"), (1 << 40, "T"), (1 << 30, "G"), (1 << 20, "M"), (1 << 10, "K"))


def empty(engine: Engine) -> Fields:
    """A section of which nothing is known: its title alone."""
    return {}


def server(engine: Engine) -> Fields:
    """Who and where this server is."""
    now_ms = engine.keyspace.now_ms
    uptime = max(0, now_ms - engine.started_ms) // 1000
    system = os.uname()
    return {
        "redis_version": engine.config.get_str("redis-version"),
        "redis_git_sha1": "00000000",
        "redis_git_dirty": 0,
        "redis_build_id": "0",
        "redis_mode": "standalone",
        "durable_redis_version": durable_redis.__version__,
        "python_version": platform.python_version(),
        "os": f"{system.sysname} {system.release} {system.machine}",
        "arch_bits": 64 if sys.maxsize > 1 << 32 else 32,
        "monotonic_clock": "POSIX clock_gettime",
        "multiplexing_api": "epoll",
        "process_id": os.getpid(),
        "process_supervised": "no",
        "run_id": engine.run_id,
        "tcp_port": engine.config.get_int("port"),
        "server_time_usec": now_ms * 1000,
        "uptime_in_seconds": uptime,
        "uptime_in_days": uptime // 86400,
        "hz": CRON_HZ,
        "configured_hz": CRON_HZ,
        "lru_clock": now_ms // 1000 & LRU_CLOCK_MASK,
        "executable": os.path.abspath(sys.argv[0]),
        "config_file": engine.config.path or "",
        "io_threads_active": 0,
    }


def clients(engine: Engine) -> Fields:
    """Who is connected."""
    connected = engine.clients.values()
    return {
        "connected_clients": len(connected),
        "cluster_connections": 0,
        "maxclients": engine.config.get_int("maxclients"),
        "client_recent_max_input_buffer": max((client.query_bytes for client in connected), default=0),
        "client_recent_max_output_buffer": max((client.output_bytes for client in connected), default=0),
        "blocked_clients": len(engine.waiting),
        "tracking_clients": len(engine.messages.invalidation.clients),
        "clients_in_timeout_table": sum(
            client.wait is not None and client.wait.deadline_ms > 0 for client in connected
        ),
    }


def memory_figures(engine: Engine) -> dict[str, int]:
    """What memory is used for, in bytes; MEMORY STATS shows the same figures.

    ``used`` is the sum of the parts: the process at its start, the cached data, the clients' buffers, the
    log's buffer.
    """
    facts = engine.maintenance.statistics()
    budget = engine.keyspace.memory
    buffers = sum(
        client.query_bytes + client.output_bytes + client.argv_bytes for client in engine.clients.values()
    )
    pending = sum(map(len, engine.log.pending))
    overhead = facts["startup_bytes"] + buffers + pending
    return {
        "used": overhead + budget.used_bytes,
        "peak": overhead + max(budget.peak_bytes, budget.used_bytes),
        "overhead": overhead,
        "startup": facts["startup_bytes"],
        "data": budget.used_bytes,
        "clients": buffers,
        "log": pending,
        "resident": facts["resident_bytes"],
        "machine": facts["machine_bytes"],
    }


def memory(engine: Engine) -> Fields:
    """What memory is used for."""
    figures = memory_figures(engine)
    used, peak, resident = figures["used"], figures["peak"], figures["resident"]
    data = figures["data"]
    config = engine.config
    maximum = config.get_int("maxmemory")
    budget = engine.keyspace.memory
    return {
        "used_memory": used,
        "used_memory_human": human_bytes(used),
        "used_memory_rss": resident,
        "used_memory_rss_human": human_bytes(resident),
        "used_memory_peak": peak,
        "used_memory_peak_human": human_bytes(peak),
        "used_memory_peak_perc": f"{100 * used / max(peak, 1):.2f}%",
        "used_memory_overhead": figures["overhead"],
        "used_memory_startup": figures["startup"],
        "used_memory_dataset": data,
        "used_memory_dataset_perc": f"{100 * data / max(used - figures['startup'], 1):.2f}%",
        "total_system_memory": figures["machine"],
        "total_system_memory_human": human_bytes(figures["machine"]),
        **_script_memory(engine),
        "maxmemory": maximum,
        "maxmemory_human": human_bytes(maximum),
        "maxmemory_policy": config.get_str("maxmemory-policy"),
        "mem_fragmentation_ratio": f"{resident / max(used, 1):.2f}",
        "mem_fragmentation_bytes": resident - used,
        "mem_not_counted_for_evict": figures["overhead"],
        "mem_replication_backlog": 0,
        "mem_total_replication_buffers": 0,
        "mem_clients_slaves": 0,
        "mem_clients_normal": figures["clients"],
        "mem_cluster_links": 0,
        "mem_aof_buffer": figures["log"],
        "mem_allocator": "python",
        "active_defrag_running": 0,
        "lazyfree_pending_objects": engine.keyspace.objects_to_free,
        "lazyfreed_objects": engine.keyspace.freed_objects - engine.statistics.freed_objects_before,
        "cache_used_bytes": data,
        "cache_limit_bytes": budget.limit_bytes,
        "cache_dropped_keys": budget.dropped,
        "cache_cold_reads": sum(db.cold_reads for db in engine.keyspace.open_databases()),
    }


def _script_memory(engine: Engine) -> Fields:
    """What scripts and functions take: the two states of Lua, and the sources."""
    scripts, functions = engine.scripts, engine.functions
    libraries = len(functions.libraries)
    machines = scripts.memory_bytes + functions.memory_bytes
    sources = scripts.scripts_bytes + functions.sources_bytes
    return {
        "used_memory_vm_eval": scripts.memory_bytes,
        "used_memory_lua": scripts.memory_bytes,
        "used_memory_lua_human": human_bytes(scripts.memory_bytes),
        "used_memory_scripts_eval": scripts.scripts_bytes,
        "used_memory_vm_functions": functions.memory_bytes,
        "used_memory_vm_total": machines,
        "used_memory_vm_total_human": human_bytes(machines),
        "used_memory_functions": functions.sources_bytes,
        "used_memory_scripts": sources,
        "used_memory_scripts_human": human_bytes(sources),
        "number_of_cached_scripts": len(scripts.cached),
        "number_of_functions": functions.count,
        "number_of_libraries": libraries,
    }


def stats(engine: Engine) -> Fields:
    """What has happened since the start or CONFIG RESETSTAT."""
    counted = engine.statistics
    keyspace = engine.keyspace
    commands, input_rate, output_rate = counted.rates()
    misses = sum(db.misses for db in keyspace.open_databases())
    fields: Fields = {
        "total_connections_received": counted.connections,
        "total_commands_processed": counted.commands,
        "instantaneous_ops_per_sec": round(commands),
        "total_net_input_bytes": counted.input_bytes,
        "total_net_output_bytes": counted.output_bytes,
        "total_net_repl_input_bytes": 0,
        "total_net_repl_output_bytes": 0,
        "instantaneous_input_kbps": f"{input_rate / 1024:.2f}",
        "instantaneous_output_kbps": f"{output_rate / 1024:.2f}",
        "instantaneous_input_repl_kbps": "0.00",
        "instantaneous_output_repl_kbps": "0.00",
        "rejected_connections": counted.rejected_connections,
        "sync_full": 0,
        "sync_partial_ok": 0,
        "sync_partial_err": 0,
        "expired_subkeys": keyspace.expired_fields - counted.expired_fields_before,
        "expired_keys": keyspace.expired_keys - counted.expired_keys_before,
        "expired_stale_perc": f"{_stale_percentage(engine):.2f}",
        "expired_time_cap_reached_count": counted.expire_cuts,
        "expire_cycle_cpu_milliseconds": int(counted.expire_seconds * 1000),
        "evicted_keys": keyspace.evicted_keys - counted.evicted_keys_before,
        "evicted_clients": counted.evicted_clients,
        "keyspace_hits": max(0, counted.keyspace_reads - misses),
        "keyspace_misses": misses,
        "total_error_replies": counted.error_replies,
        "total_reads_processed": counted.reads,
        "total_writes_processed": counted.writes,
        "client_output_buffer_limit_disconnections": counted.output_limit_disconnections,
        "client_query_buffer_limit_disconnections": counted.query_limit_disconnections,
        "client_timeout_disconnections": counted.timeouts,
        "protocol_errors": counted.protocol_errors,
        "pubsub_channels": len(engine.messages.pubsub.channels),
        "pubsub_patterns": len(engine.messages.pubsub.patterns),
        "pubsubshard_channels": len(engine.messages.pubsub.shard_channels),
        "tracking_total_keys": engine.messages.invalidation.keys,
        "tracking_total_items": engine.messages.invalidation.items,
        "tracking_total_prefixes": len(engine.messages.invalidation.prefixes),
    }
    if engine.maintenance.evicting or not engine.config.get_int("maxmemory"):
        # Without a policy maxmemory bounds a cache: nothing is evicted, and nobody notes how long it takes.
        current_ms, total_ms = counted.exceeded_ms(engine.clock.monotonic())
        fields |= {"total_eviction_exceeded_time": total_ms, "current_eviction_exceeded_time": current_ms}
    return fields | dict.fromkeys(_NOTHING_OF_THE_KIND, 0)


def _stale_percentage(engine: Engine) -> float:
    """How many of the keys that expire are past their time and not removed yet, of a hundred."""
    keyspace = engine.keyspace
    if not keyspace.expiry.is_due(keyspace.now_ms):
        return 0.0
    stale = total = 0.0
    for index, times in times_left(keyspace).items():
        expires = keyspace.counts(index)[1]
        total += expires
        stale += expires * times.expired / max(times.seen, 1)
    return 100 * stale / max(total, 1.0)


_NOTHING_OF_THE_KIND = (
    "latest_fork_usec",
    "total_forks",
    "migrate_cached_sockets",
    "slave_expires_tracked_keys",
    "active_defrag_hits",
    "active_defrag_misses",
    "active_defrag_key_hits",
    "active_defrag_key_misses",
    "total_active_defrag_time",
    "current_active_defrag_time",
    "unexpected_error_replies",
    "dump_payload_sanitizations",
    "io_threaded_reads_processed",
    "io_threaded_writes_processed",
    "reply_buffer_shrinks",
    "reply_buffer_expands",
)
"""Statistics of what this server does not do: zero is the truth."""


def replication(engine: Engine) -> Fields:
    """The log position under the names that replicas and Sentinel read."""
    return {
        "role": "master",
        "connected_slaves": 0,
        "master_failover_state": "no-failover",
        "master_replid": engine.storage.identity.log_id,
        "master_replid2": NO_REPLICATION_ID,
        "master_repl_offset": engine.log.position,
        "second_repl_offset": -1,
        "repl_backlog_active": 0,
        "repl_backlog_size": 0,
        "repl_backlog_first_byte_offset": 0,
        "repl_backlog_histlen": 0,
    }


def cpu(engine: Engine) -> Fields:
    """Processor time in seconds, of the process, its children and the thread of the loop."""
    own = resource.getrusage(resource.RUSAGE_SELF)
    children = resource.getrusage(resource.RUSAGE_CHILDREN)
    loop = resource.getrusage(resource.RUSAGE_THREAD)
    return {
        "used_cpu_sys": f"{own.ru_stime:.6f}",
        "used_cpu_user": f"{own.ru_utime:.6f}",
        "used_cpu_sys_children": f"{children.ru_stime:.6f}",
        "used_cpu_user_children": f"{children.ru_utime:.6f}",
        "used_cpu_sys_main_thread": f"{loop.ru_stime:.6f}",
        "used_cpu_user_main_thread": f"{loop.ru_utime:.6f}",
    }


def commandstats(engine: Engine) -> Fields:
    """Calls of each command that was used or refused."""
    fields: Fields = {}
    for parent in engine.commands.values():
        for found in (parent, *parent.subcommands.values()):
            if found.calls or found.rejected_calls or found.failed_calls:
                mean = found.usec / found.calls if found.calls else 0.0
                fields[f"cmdstat_{found.name.lower()}"] = (
                    f"calls={found.calls},usec={int(found.usec)},usec_per_call={mean:.2f},"
                    f"rejected_calls={found.rejected_calls},failed_calls={found.failed_calls}"
                )
    return fields


def latencystats(engine: Engine) -> Fields:
    """Percentiles of the calls' durations, in microseconds; of the hot path's commands by sample."""
    if not engine.inspection.tracking:
        return {}
    percentiles = [float(word) for word in engine.config.get_list("latency-tracking-info-percentiles")]
    names = [f"p{percent:f}".rstrip("0").rstrip(".") for percent in percentiles]
    fields: Fields = {}
    for parent in engine.commands.values():
        for found in (parent, *parent.subcommands.values()):
            if found.latencies.counts:
                fields[f"latency_percentiles_usec_{found.name.lower()}"] = ",".join(
                    f"{name}={found.latencies.percentile(percent) / 1000:.3f}"
                    for name, percent in zip(names, percentiles, strict=True)
                )
    return fields


def errorstats(engine: Engine) -> Fields:
    """Error replies by code word."""
    return {f"errorstat_{code}": f"count={count}" for code, count in sorted(engine.statistics.errors.items())}


def cluster(engine: Engine) -> Fields:
    """Whether slots are shared with other servers."""
    return {"cluster_enabled": 0}


def keyspace(engine: Engine) -> Fields:
    """Keys by database; ``avg_ttl`` in milliseconds is 0 if none expires, or none of those looked at."""
    fields: Fields = {}
    times = times_left(engine.keyspace)
    for index in range(engine.keyspace.database_count):
        keys, expires = engine.keyspace.counts(index)
        if keys:
            mean_ms = times[index].mean_ms if index in times else 0
            fields[f"db{index}"] = f"keys={keys},expires={expires},avg_ttl={mean_ms}"
    return fields


def human_bytes(size: int) -> str:
    """A size as Redis writes it for people: ``1.50M``."""
    for unit, letter in _UNITS:
        if size >= unit:
            return f"{size / unit:.2f}{letter}"
    return f"{size}B"
