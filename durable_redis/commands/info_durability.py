"""INFO's sections ``persistence``, ``durability`` and ``backend``: the log, the checkpoints, what is on disk.

``persistence`` speaks Redis's language for tools that watch a Redis: its RDB save and its AOF rewrite are
the checkpoint here, its AOF is the log.  ``durability`` says the same, and more, in our own words.
Positions and sizes are bytes of log payload, so ``checkpoint_behind_bytes`` is what a start after a crash
would replay.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from storage.wal.segments import list_segments

if TYPE_CHECKING:
    from durable_redis.engine.engine import Engine

Fields = dict[str, object]


def persistence(engine: Engine) -> Fields:
    """Checkpoints and the log under Redis's names for RDB and AOF."""
    maintenance, statistics = engine.maintenance, engine.statistics
    facts = maintenance.statistics()
    running = facts["checkpoint_running"]
    checkpoint = engine.keyspace.checkpoint
    status = "err" if maintenance.last_checkpoint_error else "ok"
    last_seconds = int(statistics.checkpoint_ms / 1000) if statistics.checkpoints else -1
    current_seconds = -1
    processed = total = 0
    if checkpoint is not None:
        processed, total = checkpoint.keys_encoded, checkpoint.keys
        current_seconds = max(0, engine.keyspace.now_ms - facts["checkpoint_started_ms"]) // 1000
    return {
        "loading": 0,
        "async_loading": 0,
        "current_cow_peak": 0,
        "current_cow_size": 0,
        "current_cow_size_age": 0,
        "current_fork_perc": f"{100 * processed / max(total, 1):.2f}",
        "current_save_keys_processed": processed,
        "current_save_keys_total": total,
        "rdb_changes_since_last_save": engine.keyspace.dirty_keys,
        "rdb_bgsave_in_progress": running,
        "rdb_last_save_time": maintenance.last_checkpoint_ms // 1000,
        "rdb_last_bgsave_status": status,
        "rdb_last_bgsave_time_sec": last_seconds,
        "rdb_current_bgsave_time_sec": current_seconds,
        "rdb_saves": statistics.checkpoints,
        "rdb_last_cow_size": 0,
        "rdb_last_load_keys_expired": 0,
        "rdb_last_load_keys_loaded": 0,
        "aof_enabled": 1,
        "aof_rewrite_in_progress": running,
        "aof_rewrite_scheduled": facts["checkpoint_requested"],
        "aof_last_rewrite_time_sec": last_seconds,
        "aof_current_rewrite_time_sec": current_seconds,
        "aof_last_bgrewrite_status": status,
        "aof_rewrites": statistics.checkpoints,
        "aof_rewrites_consecutive_failures": maintenance.failures_in_row,
        "aof_last_write_status": "ok" if engine.log.failure is None else "err",
        "aof_last_cow_size": 0,
        "module_fork_in_progress": 0,
        "module_fork_last_cow_size": 0,
        "aof_current_size": engine.log.written - engine.keyspace.state.position,
        "aof_base_size": 0,
        "aof_pending_rewrite": 0,
        "aof_buffer_length": sum(map(len, engine.log.pending)),
        "aof_pending_bio_fsync": int(engine.durability.syncing),
        "aof_delayed_fsync": 0,
    }


def durability(engine: Engine) -> Fields:
    """Our own section: how far the log is on disk, and how far the backend has followed."""
    log, keyspace, statistics = engine.log.statistics(), engine.keyspace, engine.statistics
    maintenance, policy = engine.maintenance, engine.durability
    checkpoint_at = keyspace.state.position
    return {
        "appendfsync": policy.policy,
        "log_sync_in_loop": int(policy.inline),
        "log_position": log["position"],
        "log_written": log["written"],
        "log_durable": log["durable"],
        "log_frames": log["frames"],
        "log_frame_bytes": log["frame_bytes"],
        "log_syncs": log["syncs"],
        "log_sync_mean_ms": f"{policy.sync_mean_ms:.3f}",
        "log_sync_running": int(policy.syncing),
        "log_replies_held": int(policy.holding),
        "log_segments": len(list_segments(engine.log.disk, engine.log.directory)),
        "log_segment_start": log["segment_start"],
        "log_room_bytes": log["room"],
        "log_failed": int(engine.log.failure is not None),
        "checkpoint_position": checkpoint_at,
        "checkpoint_behind_bytes": log["position"] - checkpoint_at,
        "checkpoint_age_sec": max(0, keyspace.now_ms - maintenance.last_checkpoint_ms) // 1000,
        "checkpoint_running": int(engine.background.running("checkpoint")),
        "checkpoint_last_ms": f"{statistics.checkpoint_ms:.3f}",
        "checkpoint_last_error": maintenance.last_checkpoint_error.replace("\n", " "),
        "checkpoints": statistics.checkpoints,
        "checkpoint_failures": statistics.checkpoint_failures,
        "checkpoint_keys": statistics.checkpoint_keys,
        "dirty_keys": keyspace.dirty_keys,
        "sweep_pending": int(keyspace.sweep_pending),
        "start_replayed_bytes": engine.storage.replayed,
        "start_cut_bytes": engine.storage.cut_bytes,
        "backend": engine.storage.identity.backend,
        "disk_full": int(engine.disk_full),
        "loop_turns": statistics.turns,
        "loop_pause_max_ms": f"{statistics.turn_pause_seconds_max * 1000:.3f}",
    }


def backend(engine: Engine) -> Fields:
    """The figures of the backend; they may cost a look at each file, so they are not shown by default."""
    found: Fields = {"backend": engine.keyspace.backend.name}
    return found | {f"backend_{name}": value for name, value in engine.keyspace.backend.statistics().items()}
