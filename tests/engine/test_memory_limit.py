"""The memory budget between two checkpoints: pinned changes must not keep the cache over its limit."""

from __future__ import annotations

import pytest

from durable_redis.engine import maintenance
from tests.support.whole_engine import WholeEngine


def test_a_limit_passed_by_pinned_entries_brings_a_checkpoint() -> None:
    whole = WholeEngine({})
    for number in range(5000):
        whole.call("SET", f"key:{number}", "v" * 100)
    maintenance, memory = whole.engine.maintenance, whole.engine.keyspace.memory
    memory.estimate()
    assert memory.pinned_bytes
    memory.limit_bytes = memory.used_bytes - memory.pinned_bytes // 2
    assert not memory.over_limit()
    for _ in range(3):
        whole.clock.ms += 200
        whole.engine.begin_batch()
        maintenance._next_cron_ms = 0
        maintenance._checked_position = whole.engine.log.written
        memory._loaded = 0
        maintenance.cron()
        whole.work()
    assert memory.used_bytes <= memory.limit_bytes
    assert whole.engine.keyspace.dirty_keys == 0


MIB = 1 << 20
LARGE_WAYS: dict[str, list[tuple[object, ...]]] = {
    "SET": [("SET", "k", "v" * MIB)],
    "SET with a TTL": [("SET", "k", "v" * MIB, "EX", 1000)],
    "EXPIRE": [("SET", "k", "v" * MIB), ("EXPIRE", "k", 1000)],
    "APPEND to nothing": [("APPEND", "k", "v" * MIB)],
    "APPEND": [("SET", "k", "v"), ("APPEND", "k", "v" * MIB)],
    "SETRANGE": [("SETRANGE", "k", MIB, "v")],
    "SETBIT": [("SETBIT", "k", MIB * 8, 1)],
    "BITFIELD": [("BITFIELD", "k", "SET", "u8", MIB * 8, 1)],
    "RENAME": [("SET", "a", "v" * MIB, "EX", 1000), ("RENAME", "a", "k")],
    "COPY": [("SET", "k", "v" * MIB, "EX", 1000), ("COPY", "k", "other"), ("DEL", "other")],
    "MOVE": [("SELECT", 1), ("SET", "k", "v" * MIB), ("MOVE", "k", 0), ("SELECT", 0)],
    "SWAPDB": [("SELECT", 1), ("SET", "k", "v" * MIB), ("SELECT", 0), ("SWAPDB", 0, 1)],
    "MSET": [("MSET", "k", "v" * MIB)],
    "a large key": [("SET", "k" * MIB, "v")],
}


@pytest.mark.parametrize("way", LARGE_WAYS)
def test_a_large_entry_is_counted_however_it_came_to_be(way: str) -> None:
    whole = WholeEngine({})
    memory = whole.engine.keyspace.memory
    before = memory.estimate()
    for words in LARGE_WAYS[way]:
        whole.call(*words)
    assert MIB < memory.estimate() - before < MIB * 1.2
    whole.checkpoint()
    assert MIB < memory.estimate() - before < MIB * 1.2
    whole.call("DEL", "k", "k" * MIB)
    whole.checkpoint()
    assert memory.estimate() - before < MIB / 100


@pytest.mark.parametrize("way", LARGE_WAYS)
def test_a_large_entry_is_counted_after_a_crash_and_after_a_load(way: str) -> None:
    whole = WholeEngine({})
    for words in LARGE_WAYS[way]:
        whole.call(*words)
    whole.restart()
    memory = whole.engine.keyspace.memory
    assert MIB < memory.estimate() < MIB * 1.2
    whole.checkpoint()
    whole.engine.keyspace.drop_clean()
    assert memory.estimate() < MIB / 100
    whole.call("GET", "k")
    whole.call("GET", "k" * MIB)
    assert MIB < memory.estimate() < MIB * 1.2


def test_large_entries_with_a_ttl_are_dropped_and_evicted_like_others() -> None:
    for policy in ("noeviction", "allkeys-lru"):
        whole = WholeEngine({"maxmemory": 5 * MIB, "maxmemory-policy": policy})
        whole.engine.maintenance.memory_changed()
        for number in range(20):
            whole.call("SET", f"k{number}", "v" * MIB, "EX", 1000)
            whole.checkpoint()
            whole.clock.ms += 200
            whole.engine.begin_batch()
            whole.engine.maintenance.cron()
            whole.work()
        assert whole.engine.keyspace.memory.estimate() < 7 * MIB
        kept = whole.call("DBSIZE")
        assert (kept == 20) if policy == "noeviction" else (3 <= kept <= 7)


def test_many_changed_elements_bring_a_checkpoint(monkeypatch: pytest.MonkeyPatch) -> None:
    """Long before the log has grown enough: they are held in memory until then."""
    for kind, limit in (("SADD", 3000), ("RPUSH", 1000)):
        monkeypatch.setattr(maintenance, "CHECKPOINT_ELEMENTS", limit)
        whole = WholeEngine({})
        for start in range(0, 2500, 100):
            whole.call(kind, "k", *range(start, start + 100))
        assert not whole.engine.maintenance.checkpoint_due()
        for start in range(2500, 6000, 100):
            whole.call(kind, "k", *range(start, start + 100))
        assert whole.engine.maintenance.checkpoint_due()
        whole.checkpoint()
        assert not whole.engine.maintenance.checkpoint_due()


def test_many_changed_elements_hurry_the_checkpoint() -> None:
    """It gets its share of the loop by what waits for it in memory, not by the length of the log alone."""
    whole = WholeEngine({})
    maintenance_ = whole.engine.maintenance
    assert maintenance_.checkpoint_lag() == 0
    whole.call("SADD", "k", *range(maintenance.CHECKPOINT_ELEMENTS // 10))
    whole.clock.ms += 1000
    whole.engine.begin_batch()
    maintenance_.cron()
    assert 0.09 < maintenance_.checkpoint_lag() < 0.11
