"""The memory budget between two checkpoints: pinned changes must not keep the cache over its limit."""

from __future__ import annotations

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
