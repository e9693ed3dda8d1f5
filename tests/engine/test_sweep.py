"""What DEL and FLUSH leave in the backend: removed soon, whatever fails in between."""

from __future__ import annotations

import pytest

from durable_redis.keyspace.keyspace import SWEEP_RECORDS
from tests.support.whole_engine import WholeEngine

ELEMENTS = 3 * SWEEP_RECORDS


@pytest.fixture
def whole() -> WholeEngine:
    """A database whose only key, a large hash of one record an element, has been deleted."""
    made = WholeEngine({"collection-compact-entries": 10})
    made.call("HSET", "h", *(word for number in range(ELEMENTS) for word in (f"f{number}", "v")))
    made.checkpoint()
    assert made.call("DEL", "h") == 1
    made.checkpoint()
    assert remains(made) >= ELEMENTS
    return made


def remains(whole: WholeEngine) -> int:
    """How many records of collections the backend holds, dead or not."""
    return len(whole.backend.scan(b"D", b"F", limit=1 << 20))


def test_one_run_of_the_sweep_removes_many_parts(whole: WholeEngine) -> None:
    """One part each tenth of a second took 100 s for a million elements."""
    whole.clock.ms += 1000
    whole.engine.begin_batch()
    whole.engine.maintenance.cron()
    whole.work()
    assert remains(whole) == 0


def test_a_part_that_could_not_be_removed_is_found_again(whole: WholeEngine) -> None:
    keyspace = whole.engine.keyspace
    lost = keyspace.sweep_changes()
    assert len(lost) == SWEEP_RECORDS
    while changes := keyspace.sweep_changes():
        batch = whole.backend.batch()
        batch.begin()
        for key, record in changes:
            assert record is None
            batch.delete(key)
        batch.commit()
    assert remains(whole) == 0


def test_deletions_on_a_full_disk_reach_the_backend_soon(whole: WholeEngine) -> None:
    """Not only after checkpoint-interval: nothing else gives their space back."""
    whole.call("SET", "k", "v")
    whole.checkpoint()
    whole.config.values["disk-reserve"] = 1 << 62
    whole.call("DEL", "k")
    for _ in range(3):
        whole.clock.ms += 1000
        whole.engine.begin_batch()
        whole.engine.maintenance.cron()
        whole.work()
    assert whole.engine.disk_full
    assert whole.engine.keyspace.dirty_keys == 0
    assert whole.engine.keyspace.state.position == whole.engine.log.written
