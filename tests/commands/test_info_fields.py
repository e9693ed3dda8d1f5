"""INFO's fields are those of Redis, less what cannot be told; and what they count is what happened."""

from __future__ import annotations

import re
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from durable_redis.engine.fast import FastCommands
from durable_redis.engine.statistics import Statistics
from durable_redis.engine.visibility import Unsynced
from durable_redis.keyspace import expiry
from durable_redis.keyspace.expiry import times_left
from tests.support.oracle_commands import Oracle
from tests.support.servers import SubjectServer
from tests.support.whole_engine import START_MS, WholeEngine

CANNOT_BE_TOLD = {
    "allocator_active",
    "allocator_allocated",
    "allocator_frag_bytes",
    "allocator_frag_ratio",
    "allocator_resident",
    "allocator_rss_bytes",
    "allocator_rss_ratio",
    "atomicvar_api",
    "gcc_version",
    "rss_overhead_bytes",
    "rss_overhead_ratio",
}
FAR_MS = 10_000_000


def names_of(text: bytes) -> set[str]:
    names = {line.split(":")[0] for line in text.decode().split("\r\n") if line and line[0] != "#"}
    of_their_data = re.compile(r"cmdstat_|errorstat_|latency_percentiles_usec_|db\d+$")
    return {name for name in names if not of_their_data.match(name)}


def mean_ttl(whole: WholeEngine, db: str = "db0") -> int:
    return int(whole.info("keyspace")[db].partition("avg_ttl=")[2])


def slices(whole: WholeEngine) -> Iterator[None]:
    """The background work to its end, in the smallest slices."""
    background = whole.engine.background
    for _ in range(10_000):
        if background.idle:
            return
        if background.jobs:
            job = background.jobs.popleft()
            result = job.run()
            if job.done is not None:
                job.done(result)
        else:
            background.run(0)
        yield
    raise AssertionError("background work does not end")


def filled(count: int) -> WholeEngine:
    """As many keys, of which the one with number n has 1000 + n seconds left."""
    whole = WholeEngine()
    for number in range(count):
        whole.call("SET", f"key:{number}", "v", "PXAT", START_MS + 1_000_000 + number * 1000)
    return whole


def test_a_field_of_redis_is_there_or_cannot_be_told(oracle_resp2: Oracle) -> None:
    theirs = names_of(oracle_resp2.call("INFO", "everything"))
    ours = names_of(WholeEngine().call("INFO", "everything"))
    assert theirs - ours == CANNOT_BE_TOLD


# -- avg_ttl, expired_stale_perc -----------------------------------------------------------------------------


def test_the_mean_time_to_live_of_a_few_keys_is_exact() -> None:
    whole = WholeEngine()
    whole.call("SET", "plain", 1)
    assert mean_ttl(whole) == 0
    whole.call("SET", "a", 1, "PX", 1000)
    whole.call("HSET", "b", "f", 1)
    whole.call("PEXPIRE", "b", 3000)
    assert mean_ttl(whole) == 2000
    whole.call("PEXPIRE", "b", 9000)
    assert mean_ttl(whole) == 5000
    whole.call("DEL", "a")
    assert mean_ttl(whole) == 9000
    whole.call("PERSIST", "b")
    assert mean_ttl(whole) == 0


def test_it_is_the_same_wherever_the_keys_are() -> None:
    whole = WholeEngine()
    whole.call("SET", "a", 1, "PX", 1000)
    whole.call("SET", "b", 1, "PX", 3000)
    whole.call("SET", "c", 1, "PX", 7000)
    whole.make_cold()
    assert mean_ttl(whole) == 11_000 // 3
    whole.call("PEXPIRE", "c", 5000)
    whole.call("DEL", "b")
    assert mean_ttl(whole) == 3000
    whole.call("BGSAVE")
    whole.engine.background.run(0)
    assert whole.engine.keyspace.checkpoint is None
    assert mean_ttl(whole) == 3000
    whole.work()
    assert mean_ttl(whole) == 3000
    whole.restart()
    assert mean_ttl(whole) == 3000


def test_it_is_told_by_database() -> None:
    whole = WholeEngine()
    whole.call("SET", "a", 1, "PX", 1000)
    whole.call("SELECT", 5)
    whole.call("SET", "a", 1, "PX", 4000)
    assert (mean_ttl(whole), mean_ttl(whole, "db5")) == (1000, 4000)
    whole.call("SWAPDB", 0, 5)
    assert (mean_ttl(whole), mean_ttl(whole, "db5")) == (4000, 1000)
    whole.call("FLUSHDB")
    assert "db5" not in whole.info("keyspace")
    assert mean_ttl(whole) == 4000


@pytest.mark.parametrize("cold", [False, True])
def test_many_keys_are_sampled(cold: bool) -> None:
    count = 4 * expiry.INDEX_ENTRIES_MAX
    whole = filled(count)
    if cold:
        whole.make_cold()
        assert not whole.engine.keyspace.database(0).complete
    exact = 1_000_000 + (count - 1) * 500
    assert mean_ttl(whole) == pytest.approx(exact, rel=0.2)
    (times,) = times_left(whole.engine.keyspace).values()
    assert 0 < times.seen < count
    assert times.expired == 0


def test_looking_changes_nothing() -> None:
    whole = filled(2 * expiry.INDEX_ENTRIES_MAX)
    whole.make_cold()
    whole.clock.ms += 1_500_000
    whole.engine.begin_batch()
    position, size = whole.engine.log.position, whole.engine.keyspace.counts(0)
    whole.call("INFO", "everything")
    assert (whole.engine.log.position, whole.engine.keyspace.counts(0)) == (position, size)


def test_the_share_of_stale_keys_is_shown_until_they_are_removed() -> None:
    whole = WholeEngine()
    assert whole.info("stats")["expired_stale_perc"] == "0.00"
    for number in range(3):
        whole.call("SET", f"soon:{number}", 1, "PX", 1000)
    whole.call("SET", "late", 1, "PX", FAR_MS)
    assert whole.info("stats")["expired_stale_perc"] == "0.00"
    whole.clock.ms += 2000
    assert whole.info("stats")["expired_stale_perc"] == "75.00"
    assert mean_ttl(whole) == FAR_MS - 2000
    whole.engine.maintenance.cron()
    whole.work()
    assert whole.info("stats")["expired_stale_perc"] == "0.00"
    assert whole.info("stats")["expired_keys"] == "3"


def test_a_large_index_is_not_read_whole() -> None:
    whole = filled(30)
    index = whole.engine.keyspace.expiry
    for limit, found in ((29, None), (30, 30)):
        entries = index.everything(limit)
        assert (entries and len(entries)) == found
    whole.make_cold()
    for limit, found in ((29, None), (30, 30)):
        entries = index.everything(limit)
        assert (entries and len(entries)) == found


# -- counters ------------------------------------------------------------------------------------------------


def test_expiry_that_had_to_stop_early_is_counted() -> None:
    whole = WholeEngine()
    for number in range(200):
        whole.call("SET", number, 1, "PX", 1)
    whole.clock.ms += 10
    whole.engine.begin_batch()
    whole.engine.maintenance.cron()
    before = whole.info("stats")
    assert before["expired_time_cap_reached_count"] == "0"
    for _ in slices(whole):
        whole.engine.statistics.turns += 1  # as the reactor does between two slices
    after = whole.info("stats")
    assert after["expired_keys"] == "200"
    assert after["expired_time_cap_reached_count"] == "3"
    assert whole.engine.statistics.expire_seconds > 0


def test_what_is_freed_later_is_counted() -> None:
    whole = WholeEngine()
    for number in range(50):
        whole.call("SET", number, 1)
    whole.call("FLUSHALL")
    fields = whole.info("memory")
    assert (fields["lazyfree_pending_objects"], fields["lazyfreed_objects"]) == ("50", "0")
    whole.engine.maintenance.cron()
    whole.work()
    fields = whole.info("memory")
    assert (fields["lazyfree_pending_objects"], fields["lazyfreed_objects"]) == ("0", "50")
    whole.call("CONFIG", "RESETSTAT")
    assert whole.info("memory")["lazyfreed_objects"] == "0"


@pytest.mark.parametrize("flush", [False, True])
def test_a_large_collection_is_one_object_to_be_freed(flush: bool) -> None:
    whole = WholeEngine({"collection-compact-entries": 8})
    for number in range(100):
        whole.call("SADD", "large", f"member:{number}")
    whole.checkpoint()
    whole.call("FLUSHALL" if flush else "DEL", *([] if flush else ["large"]))
    assert whole.info("memory")["lazyfree_pending_objects"] == "1"
    whole.engine.maintenance.cron()
    whole.work()
    fields = whole.info("memory")
    assert (fields["lazyfree_pending_objects"], fields["lazyfreed_objects"]) == ("0", "1")


def test_the_time_above_maxmemory_is_added_up() -> None:
    statistics = Statistics()
    assert statistics.exceeded_ms(5.0) == (0, 0)
    statistics.note_exceeded(True, 10.0)
    statistics.note_exceeded(True, 11.0)
    assert statistics.exceeded_ms(12.5) == (2500, 2500)
    statistics.note_exceeded(False, 13.0)
    assert statistics.exceeded_ms(20.0) == (0, 3000)
    statistics.note_exceeded(True, 30.0)
    assert statistics.exceeded_ms(31.0) == (1000, 4000)
    statistics.reset()
    assert statistics.exceeded_ms(32.0) == (0, 0)


def test_the_time_above_maxmemory_is_shown_where_something_is_evicted() -> None:
    names = {"current_eviction_exceeded_time", "total_eviction_exceeded_time"}
    assert names <= WholeEngine().info("stats").keys()
    assert not names & WholeEngine({"maxmemory": 1 << 20}).info("stats").keys()
    whole = WholeEngine({"maxmemory": 100_000, "maxmemory-policy": "volatile-lru"})
    whole.call("SET", "a", "x" * 200_000)
    whole.engine.maintenance.cron()
    whole.clock.ms += 700
    fields = whole.info("stats")
    assert {fields[name] for name in names} == {"700"}
    whole.call("DEL", "a")
    whole.checkpoint()
    whole.engine.maintenance.cron()
    whole.clock.ms += 700
    fields = whole.info("stats")
    assert (fields["current_eviction_exceeded_time"], fields["total_eviction_exceeded_time"]) == ("0", "700")


def test_a_running_checkpoint_shows_how_far_it_is() -> None:
    whole = WholeEngine()
    assert whole.info("persistence")["current_save_keys_processed"] == "0"
    for number in range(100):
        whole.call("SET", number, 1)
    whole.call("BGSAVE")
    seen = set()
    for _ in slices(whole):
        fields = whole.info("persistence")
        if whole.engine.keyspace.checkpoint is not None:
            assert fields["current_save_keys_total"] == "100"
            assert fields["current_fork_perc"] == f"{int(fields['current_save_keys_processed']):.2f}"
        seen.add(int(fields["current_save_keys_processed"]))
    assert {0, 100} < seen
    assert whole.info("persistence")["current_save_keys_processed"] == "0"


def test_failures_in_a_row_end_with_a_success() -> None:
    whole = WholeEngine()
    failures = []
    for fails in (True, True, False):
        whole.call("SET", "a", 1)
        if fails:
            whole.fail_next_commit("no luck")
        whole.call("BGSAVE")
        whole.work()
        failures.append(whole.info("persistence")["aof_rewrites_consecutive_failures"])
    assert failures == ["1", "2", "0"]


# -- usec of the hot path ------------------------------------------------------------------------------------


def sampled(fast: FastCommands, chunk: dict[str, int], seconds: float, ordinary: int = 0) -> None:
    """Let a chunk pass that used the handlers of RESP2 so often."""
    before = dict(fast.calls)
    for name, count in chunk.items():
        fast.calls[fast.tables[2][name.encode()]] += count
    fast.timed(before, seconds, ordinary)


def usec_of_calls(fast: FastCommands) -> dict[str, float]:
    return {name: usec / calls for name, calls, usec, _ in fast.take_calls()}


@pytest.fixture
def fast() -> FastCommands:
    commands = FastCommands(Unsynced())
    commands.allow(reads=True, writes=True)
    return commands


def test_a_chunk_with_several_handlers_is_shared_out_by_count(fast: FastCommands) -> None:
    sampled(fast, {"GET": 3, "SET": 1}, 8e-6)
    assert usec_of_calls(fast) == pytest.approx({"GET": 2.0, "SET": 2.0})


def test_a_chunk_with_ordinary_commands_is_shared_with_them(fast: FastCommands) -> None:
    sampled(fast, {"SET": 5}, 20e-6, ordinary=5)
    assert usec_of_calls(fast) == pytest.approx({"SET": 2.0})


def test_later_chunks_move_the_estimate(fast: FastCommands) -> None:
    sampled(fast, {"GET": 1}, 1.0)  # the first calls of a process are dear
    sampled(fast, {"GET": 10}, 10e-6)
    assert usec_of_calls(fast) == pytest.approx({"GET": 1.0})
    sampled(fast, {"GET": 5, "INCR": 5}, 30e-6)
    assert usec_of_calls(fast) == pytest.approx({"GET": 2.0, "INCR": 3.0})
    for _ in range(100):
        sampled(fast, {"GET": 10}, 20e-6)
    sampled(fast, {"GET": 10}, 120e-6)
    assert usec_of_calls(fast)["GET"] == pytest.approx(3.0)


def test_a_chunk_that_tells_nothing_is_passed_over(fast: FastCommands) -> None:
    sampled(fast, {"GET": 10}, 10e-6)
    before = dict(fast.calls)
    fast.take_calls()  # as INFO does within a chunk
    fast.timed(before, 1.0)
    sampled(fast, {}, 1.0, ordinary=3)
    sampled(fast, {"GET": 1}, 1.0, ordinary=-40)  # CONFIG RESETSTAT
    sampled(fast, {"GET": 1}, -1.0)
    assert usec_of_calls(fast) == pytest.approx({"GET": 1.0})


# -- over sockets --------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SubjectServer]:
    with SubjectServer(Path(tmp_path_factory.mktemp("info"), "server")) as running:
        yield running


@pytest.mark.integration
def test_reads_and_writes_are_counted_once_a_chunk(server: SubjectServer) -> None:
    def counted() -> tuple[int, int]:
        text = client.call("INFO", "stats").decode()
        fields = dict(line.split(":", 1) for line in text.split("\r\n") if ":" in line)
        return int(fields["total_reads_processed"]), int(fields["total_writes_processed"])

    with server.client() as client, socket.create_connection(("127.0.0.1", server.port)) as other:
        first = counted()
        for _ in range(1000):  # over a sampled chunk
            other.sendall(b"PING\r\nPING\r\n")
            received = b""
            while received != b"+PONG\r\n+PONG\r\n":
                received += other.recv(100)
        second = counted()
        assert (second[0] - first[0], second[1] - first[1]) == (1001, 1001)
        other.sendall(b"*1\r\n$4\r\n")
        client.call("PING")
        assert counted()[0] - second[0] in (2, 3)  # the half command may come with a later batch
        assert counted()[1] - second[1] == 3  # ... and has no reply
