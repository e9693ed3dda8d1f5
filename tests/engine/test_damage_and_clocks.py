"""What meets a server that runs for years: damaged records, clocks set back, evictions that do not help."""

from __future__ import annotations

import pytest

from durable_redis.engine.durability import Durability
from storage.wal.log import Log
from tests.support.client import ErrorReply
from tests.support.simdisk import SimDisk
from tests.support.whole_engine import WholeEngine
from tools.check import check_backend


def damaged() -> WholeEngine:
    """``bad`` and ``other`` are on disk only, and a bit of the first one's record is wrong."""
    whole = WholeEngine({})
    whole.call("SET", "bad", "v" * 100, "PX", 5000)
    whole.call("SET", "other", "w")
    whole.make_cold()
    records = whole.backend._records
    key = next(key for key in records if key.startswith(b"K") and key.endswith(b"bad"))
    record = bytearray(records[key])
    record[40] ^= 1
    records[key] = bytes(record)
    return whole


@pytest.mark.parametrize("command", ["GET bad", "APPEND bad x", "DEL other bad", "RENAME bad new", "TTL bad"])
def test_a_damaged_record_is_an_error_of_the_command_that_meets_it(command: str) -> None:
    whole = damaged()
    reply = whole.call(*command.split())
    assert isinstance(reply, ErrorReply)
    assert b"damaged" in reply
    assert whole.call("GET", "other") == b"w"


def test_a_damaged_key_that_expires_stops_nothing() -> None:
    whole = damaged()
    whole.call("SET", "good", "v", "PX", 5000)
    whole.clock.ms += 6000
    for _ in range(3):
        whole.clock.ms += 200
        whole.engine.begin_batch()
        whole.engine.maintenance.cron()
        whole.work()
    assert whole.call("EXISTS", "good") == 0
    assert whole.call("GET", "other") == b"w"


def test_everysec_goes_on_when_the_clock_is_set_back() -> None:
    disk = SimDisk()
    log = Log(disk, "wal", bytes(20), 0, 0, 1 << 16, 1)
    jobs = []
    durability = Durability(log, "everysec", "inline", jobs.append)
    now_ms, seconds = 1_700_000_000_000, 50.0
    for _ in range(5):
        log.append(0, b"x")
        durability.commit(now_ms)
        durability.cron(now_ms, seconds)
        while jobs:
            job = jobs.pop()
            assert job.done is not None
            job.done(job.run())
        assert log.durable == log.written
        now_ms -= 3_600_000
        seconds += 1.0


def test_checkpoints_go_on_when_the_clock_is_set_back(monkeypatch: pytest.MonkeyPatch) -> None:
    whole = WholeEngine({"checkpoint-interval": 10})
    seconds = 100.0
    monkeypatch.setattr(whole.clock, "monotonic", lambda: seconds)
    whole.engine.maintenance._last_checkpoint = seconds
    whole.call("SET", "k", "v")
    whole.clock.ms -= 3_600_000
    seconds += 11
    whole.engine.begin_batch()
    whole.engine.maintenance.cron()
    whole.work()
    assert whole.engine.keyspace.dirty_keys == 0


def test_evictions_are_logged_also_when_they_do_not_help() -> None:
    """DBSIZE after a crash is what it was: what was evicted before nothing more could go is gone."""
    whole = WholeEngine({"maxmemory": 1 << 20, "maxmemory-policy": "volatile-random"})
    whole.engine.maintenance.memory_changed()
    whole.engine.keyspace.memory.limit_bytes = 1 << 30
    for number in range(8000):
        whole.call("SET", f"k{number}", "v" * 200, *(("EX", 1000) if number < 5 else ()))
    whole.engine.keyspace.memory.limit_bytes = 1 << 20
    whole.engine.keyspace.memory.estimate()
    assert isinstance(whole.call("SET", "one more", "v"), ErrorReply)
    size = whole.call("DBSIZE")
    assert size < 8000
    whole.call("DEL", "k7000")
    whole.restart()
    assert whole.call("DBSIZE") == size - 1
    assert sum(whole.call("EXISTS", f"k{number}") for number in range(8000)) == size - 1


def test_a_moved_collection_is_swept_with_the_database_it_was_moved_to() -> None:
    """Although the checkpoint after both has never written a record of it there."""
    whole = WholeEngine({"collection-compact-entries": 10})
    whole.call("RPUSH", "big", *range(100))
    whole.checkpoint()
    assert whole.backend.scan(b"E", b"F", limit=10)
    assert whole.call("MOVE", "big", 1) == 1
    whole.call("SELECT", 1)
    whole.call("FLUSHDB")
    for _ in range(5):
        whole.checkpoint()
        whole.clock.ms += 1000
        whole.engine.begin_batch()
        whole.engine.maintenance.cron()
        whole.work()
    assert not whole.backend.scan(b"D", b"F", limit=10)


def test_a_kept_expiry_survives_a_crash_that_follows_a_large_collection() -> None:
    """The log says UNLINK in front of the SET, so the SET itself must say when the key expires."""
    whole = WholeEngine({"collection-compact-entries": 10})
    whole.call("RPUSH", "k", *range(100))
    whole.call("EXPIRE", "k", 1000)
    whole.checkpoint()
    assert whole.call("SET", "k", "v", "KEEPTTL") == b"OK"
    before = whole.call("PTTL", "k")
    whole.restart()
    whole.engine.begin_batch()
    assert before > 0
    assert whole.call("PTTL", "k") == before
    assert whole.engine.keyspace.counts(0) == (1, 1)


@pytest.mark.parametrize("end", ["DEL k", "FLUSHALL", "SET k v"])
@pytest.mark.parametrize("kind", ["RPUSH", "ZADD", "SADD"])
def test_a_checkpoint_that_fails_over_a_collection_that_is_gone(kind: str, end: str) -> None:
    """It was changed and ended while the checkpoint was under way, and its memory is freed already."""
    whole = WholeEngine({"collection-compact-entries": 10})
    words = [
        word for number in range(3000) for word in ((number, f"m{number}") if kind == "ZADD" else (number,))
    ]
    whole.call(kind, "k", *words)
    maintenance, background = whole.engine.maintenance, whole.engine.background
    maintenance.request_checkpoint()
    background.run(0.0)
    job = background.jobs.popleft()
    assert job.done is not None
    job.done(job.run())  # the batch has begun, everything is frozen
    whole.call(kind, "k", *((1, "new") if kind == "ZADD" else ("new",)))
    whole.call(*end.split())
    while whole.engine.keyspace.bury():
        pass
    whole.fail_next_commit("no space left")
    whole.work()
    assert maintenance.last_checkpoint_error == "no space left"
    for _ in range(3):
        whole.clock.ms += 2000
        whole.engine.begin_batch()
        maintenance.cron()
        whole.work()
    assert whole.engine.keyspace.dirty_keys == 0
    assert check_backend(whole.backend) == []
    assert not whole.backend.scan(b"D", b"F", limit=10)
    assert whole.call("EXISTS", "k") == int(end.startswith("SET"))
