"""Server commands: saving and stopping, roles, what is not built, and the error texts of redis-server."""

from __future__ import annotations

import pytest

from tests.support.client import ErrorReply, Incomplete, Status
from tests.support.oracle_commands import Oracle
from tests.support.whole_engine import START_MS, WholeEngine

SAME_ERRORS = """
SAVE x
BGSAVE x
BGSAVE SCHEDULE x
BGREWRITEAOF x
LASTSAVE x
SHUTDOWN x
SHUTDOWN SAVE NOSAVE
SHUTDOWN now SAVE nosave
SHUTDOWN ABORT
SHUTDOWN ABORT NOW
SHUTDOWN SAVE ABORT
TIME x
ROLE x
CONFIG
CONFIG NOSUCH
CONFIG GET
CONFIG SET
CONFIG SET a
CONFIG SET maxmemory 1 port
CONFIG SET foo bar baz
CONFIG REWRITE x
CONFIG RESETSTAT x
CONFIG HELP x
REPLICAOF
REPLICAOF a b
REPLICAOF a 99999
REPLICAOF a -1
REPLICAOF NO TWO
SLAVEOF x
MODULE
MODULE LOAD
MODULE LIST x
MODULE NOSUCH
SLOWLOG
SLOWLOG NOSUCH
LATENCY
ACL
ACL NOSUCH
ACL WHOAMI x
CLUSTER
CLUSTER INFO
CLUSTER HELP
ASKING
ASKING x
READONLY
READWRITE
READWRITE x
LOLWUT VERSION x
LOLWUT VERSION 99999999999999999999
MEMORY
MEMORY NOSUCH
MEMORY USAGE
MEMORY USAGE x y
MEMORY USAGE x SAMPLES
MEMORY USAGE x SAMPLES -1
MEMORY USAGE x SAMPLES x
MEMORY USAGE x SAMPLES 1 SAMPLES
""".strip().splitlines()

SAME_REPLIES = """
ROLE
REPLICAOF NO ONE
SLAVEOF no one
MODULE LIST
ACL WHOAMI
MEMORY PURGE
MEMORY USAGE nosuch
MEMORY USAGE nosuch SAMPLES 1 SAMPLES 0
""".strip().splitlines()

NOT_BUILT = [
    "REPLICAOF localhost 6379",
    "MODULE LOAD /x.so",
    "MODULE LOADEX /x.so",
    "MODULE UNLOAD x",
]


@pytest.mark.parametrize("line", SAME_ERRORS)
def test_errors_are_redis_servers(line: str, oracle_resp2: Oracle) -> None:
    ours = WholeEngine().call(*line.split())
    assert isinstance(ours, ErrorReply)
    assert ours.text == str(oracle_resp2.call(*line.split()))


@pytest.mark.parametrize("line", SAME_REPLIES)
def test_replies_are_redis_servers(line: str, oracle_resp2: Oracle) -> None:
    ours = WholeEngine().call(*line.split())
    ours = ours.decode() if isinstance(ours, Status) else ours
    assert ours == oracle_resp2.call(*line.split())


@pytest.mark.parametrize("line", NOT_BUILT)
def test_what_is_not_built_says_so(line: str) -> None:
    reply = WholeEngine().call(*line.split())
    assert isinstance(reply, ErrorReply)
    assert "not supported" in reply.text


# -- checkpoints ---------------------------------------------------------------------------------------------


def test_save_is_answered_when_everything_before_it_is_in_the_backend() -> None:
    engine = WholeEngine()
    engine.call("SET", "a", "x")
    position = engine.engine.log.position
    assert engine.call("SAVE") is Incomplete
    assert engine.engine.keyspace.state.position < position
    engine.work()
    assert engine.take_reply() == Status(b"OK")
    assert engine.engine.keyspace.state.position >= position


def test_save_saves_even_if_nothing_has_changed() -> None:
    engine = WholeEngine()
    engine.clock.ms += 60_000
    assert engine.call("SAVE") is Incomplete
    engine.work()
    assert engine.take_reply() == Status(b"OK")
    assert engine.call("LASTSAVE") == (START_MS + 60_000) // 1000


def test_save_during_a_checkpoint_waits_for_one_that_has_everything() -> None:
    engine = WholeEngine()
    engine.call("SET", "a", "x")
    assert engine.call("BGSAVE") == Status(b"Background saving started")
    background = engine.engine.background
    background.run(1.0)  # up to the first job
    job = background.jobs.popleft()
    job.done(job.run())  # type: ignore[misc]
    background.run(1.0)  # frozen, encoded: waits for the commit
    engine.call("SET", "b", "y")
    position = engine.engine.log.position
    assert engine.call("SAVE") is Incomplete
    engine.work()
    assert engine.engine.keyspace.state.position < position
    assert engine.take_reply() is Incomplete
    engine.engine.maintenance.cron()
    engine.work()
    assert engine.take_reply() == Status(b"OK")
    assert engine.engine.keyspace.state.position >= position


def test_save_tells_that_the_checkpoint_failed() -> None:
    engine = WholeEngine()
    engine.call("SET", "a", "x")
    engine.fail_next_commit("the disk is on fire")
    assert engine.call("SAVE") is Incomplete
    engine.work()
    reply = engine.take_reply()
    assert isinstance(reply, ErrorReply)
    assert "the disk is on fire" in reply.text
    assert engine.call("GET", "a") == b"x"


def test_saving_while_a_save_is_running() -> None:
    engine = WholeEngine()
    assert engine.call("BGSAVE") == Status(b"Background saving started")
    for again in (("BGSAVE",), ("BGSAVE", "SCHEDULE")):
        assert engine.call(*again) == ErrorReply(b"ERR Background save already in progress")
    engine.engine.background.run(1.0)  # it has begun
    assert engine.call("BGREWRITEAOF") == Status(b"Background append only file rewriting scheduled")
    engine.work()
    engine.clock.ms += 1000
    engine.engine.begin_batch()
    engine.engine.maintenance.cron()
    engine.work()
    assert engine.engine.statistics.checkpoints == 2
    assert engine.call("BGREWRITEAOF") == Status(b"Background append only file rewriting started")


def test_lastsave_changes_with_a_checkpoint_only() -> None:
    engine = WholeEngine()
    assert engine.call("LASTSAVE") == START_MS // 1000
    engine.clock.ms += 7000
    assert engine.call("LASTSAVE") == START_MS // 1000
    engine.call("BGSAVE", "schedule")
    engine.work()
    assert engine.call("LASTSAVE") == START_MS // 1000 + 7


# -- the rest ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("options", ["", "NOSAVE", "save", "NOW FORCE", "now now"])
def test_shutdown_asks_for_the_clean_stop_and_answers_nothing(options: str) -> None:
    engine = WholeEngine()
    assert engine.call("SHUTDOWN", *options.split()) is Incomplete
    assert engine.engine.shutdown == "save"


def test_a_refused_shutdown_stops_nothing() -> None:
    engine = WholeEngine()
    engine.call("SHUTDOWN", "ABORT")
    engine.call("SHUTDOWN", "SAVE", "NOSAVE")
    assert engine.engine.shutdown is None


def test_resetstat_starts_the_counters_anew() -> None:
    engine = WholeEngine()
    engine.call("SET", "a", "x", "PXAT", START_MS + 10)
    engine.call("GET", "nosuch")
    engine.call("NOSUCH")
    engine.call("SAVE")
    engine.work()
    engine.take_reply()
    engine.clock.ms += 100
    engine.call("GET", "a")
    calls = engine.engine.fast.calls
    calls[engine.engine.fast.tables[2][b"GET"]] += 5
    before = engine.info("everything")
    assert before["expired_keys"] == "1"
    assert engine.call("CONFIG", "RESETSTAT") == Status(b"OK")
    after = engine.info("everything")
    for name in ("expired_keys", "keyspace_misses", "keyspace_hits", "total_error_replies", "rdb_saves"):
        assert after[name] == "0", name
    assert not {name for name in after if name.startswith(("errorstat_", "cmdstat_get", "cmdstat_set"))}
    for name in ("connected_clients", "log_position", "checkpoint_position", "rdb_last_save_time"):
        assert after[name] == before[name], name


def test_time_is_seconds_and_microseconds() -> None:
    engine = WholeEngine()
    engine.clock.ms += 12
    assert engine.call("TIME") == [b"%d" % (START_MS // 1000), b"12000"]


def test_role_shows_the_log_position() -> None:
    engine = WholeEngine()
    engine.call("SET", "a", "x")
    assert engine.call("ROLE") == [b"master", engine.engine.log.position, []]
    assert engine.engine.log.position > 0


def test_lolwut_ends_with_the_version() -> None:
    for words in ((), ("VERSION", "5"), ("VERSION", "6", "10"), ("x",)):
        text = WholeEngine().call("LOLWUT", *words).decode()
        assert text.endswith("Redis ver. 7.0.15\n")
        assert len(text.splitlines()) > 5


def test_memory_usage_grows_with_the_value() -> None:
    engine = WholeEngine()
    engine.call("SET", "a", "x" * 10)
    small = engine.call("MEMORY", "USAGE", "a")
    engine.call("SET", "a", "x" * 1000)
    assert engine.call("MEMORY", "USAGE", "a", "SAMPLES", "0") == small + 990


def test_allocators_say_what_they_have() -> None:
    text = WholeEngine().call("MEMORY", "MALLOC-STATS").decode()
    found = {name: int(value) for name, value in (line.split(": ") for line in text.splitlines())}
    assert found["python_allocated_blocks"] > 10_000
    heap = [found[f"glibc_heap_{part}bytes"] for part in ("", "used_", "free_")]
    assert heap[0] == heap[1] + heap[2] > 0


def test_memory_stats_of_each_database() -> None:
    engine = WholeEngine(protocol=3)
    engine.call("SET", "a", "x")
    engine.call("SELECT", 3)
    engine.call("MSET", "a", "x", "b", "x")
    stats = engine.call("MEMORY", "STATS").as_dict()
    assert {name for name in stats if name.startswith(b"db.")} == {b"db.0", b"db.3"}
    sizes = [stats[name].as_dict()[b"overhead.hashtable.main"] for name in (b"db.0", b"db.3")]
    assert 0 < 2 * sizes[0] == sizes[1]


def test_memory_stats_have_redis_servers_fields(oracle_resp2: Oracle) -> None:
    """All but those of an allocator that is not there."""
    theirs = set(oracle_resp2.call("MEMORY", "STATS")[::2])
    foreign = {name for name in theirs if name.startswith((b"allocator", b"rss-", b"db."))}
    assert theirs - foreign <= set(WholeEngine().call("MEMORY", "STATS")[::2])


def test_memory_stats_are_the_figures_of_info() -> None:
    engine = WholeEngine(protocol=3)
    engine.call("SET", "a", "x")
    stats = engine.call("MEMORY", "STATS").as_dict()
    assert stats[b"keys.count"] == 1
    assert stats[b"total.allocated"] == stats[b"overhead.total"] + stats[b"dataset.bytes"]
    assert stats[b"peak.allocated"] >= stats[b"total.allocated"]


def test_the_doctor_has_an_opinion() -> None:
    engine = WholeEngine()
    assert b"too little data" in engine.call("MEMORY", "DOCTOR")
    memory = engine.engine.keyspace.memory
    memory.used_bytes = memory.limit_bytes + 1
    assert b"above its limit" in engine.call("MEMORY", "DOCTOR")
