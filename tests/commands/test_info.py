"""INFO: which sections are answered, under which names, and that the values are those of the parts."""

from __future__ import annotations

import pytest

from durable_redis.commands.info import SECTIONS
from durable_redis.commands.info_sections import human_bytes
from tests.support.client import Verbatim
from tests.support.oracle_commands import Oracle
from tests.support.whole_engine import LOG_ID, START_MS, WholeEngine

OWN_SECTIONS = {"# Durability", "# Backend"}
READ_BY_TOOLS = " ".join(
    [
        "redis_version redis_mode os process_id run_id tcp_port uptime_in_seconds uptime_in_days hz",
        "config_file connected_clients blocked_clients maxclients client_recent_max_input_buffer",
        "client_recent_max_output_buffer used_memory used_memory_human used_memory_rss",
        "used_memory_rss_human used_memory_peak used_memory_peak_human used_memory_overhead",
        "used_memory_startup used_memory_dataset used_memory_lua total_system_memory maxmemory",
        "maxmemory_human maxmemory_policy mem_fragmentation_ratio mem_fragmentation_bytes",
        "mem_clients_normal mem_not_counted_for_evict mem_allocator loading rdb_changes_since_last_save",
        "rdb_bgsave_in_progress rdb_last_save_time rdb_last_bgsave_status rdb_last_bgsave_time_sec",
        "rdb_current_bgsave_time_sec aof_enabled aof_rewrite_in_progress aof_rewrite_scheduled",
        "aof_last_bgrewrite_status aof_last_write_status aof_current_size aof_base_size",
        "aof_pending_bio_fsync total_connections_received total_commands_processed",
        "instantaneous_ops_per_sec total_net_input_bytes total_net_output_bytes",
        "instantaneous_input_kbps instantaneous_output_kbps rejected_connections expired_keys",
        "evicted_keys keyspace_hits keyspace_misses pubsub_channels pubsub_patterns latest_fork_usec",
        "total_error_replies sync_full sync_partial_ok sync_partial_err role connected_slaves",
        "master_failover_state master_replid master_replid2 master_repl_offset second_repl_offset",
        "repl_backlog_active repl_backlog_size used_cpu_sys used_cpu_user used_cpu_sys_children",
        "used_cpu_user_children cluster_enabled",
    ]
).split()


def titles(text: bytes) -> list[str]:
    return [line.decode() for line in text.split(b"\r\n") if line.startswith(b"#")]


@pytest.mark.parametrize(
    "names",
    [
        "",
        "default",
        "all",
        "everything",
        "ALL server",
        "modules",
        "module_list",
        "server modules",
        "nosuch",
        "nosuch cpu",
        "latencystats commandstats",
        "keyspace cpu CPU Cluster",
        "default commandstats",
        "everything nosuch",
    ],
)
def test_the_sections_are_the_oracles_and_our_own(names: str, oracle_resp2: Oracle) -> None:
    theirs = oracle_resp2.call("INFO", *names.split())
    ours = WholeEngine().call("INFO", *names.split())
    assert [title for title in titles(ours) if title not in OWN_SECTIONS] == titles(theirs)
    assert ours[:1] == theirs[:1]
    assert ours[-2:] == theirs[-2:]
    assert ours.count(b"\r\n\r\n") == max(0, len(titles(ours)) - 1)
    assert b"\n" not in ours.replace(b"\r\n", b"")


def test_our_own_sections_are_answered_by_name() -> None:
    engine = WholeEngine()
    assert titles(engine.call("INFO", "durability", "BACKEND")) == ["# Durability", "# Backend"]
    assert "# Durability" in titles(engine.call("INFO"))
    assert "# Backend" not in titles(engine.call("INFO"))


def test_every_field_is_one_that_redis_has_or_our_own_name(oracle_resp2: Oracle) -> None:
    """Where Redis has a field of the name it is in the same section, so nobody looks for it elsewhere."""

    def sections_of(text: bytes) -> dict[str, str]:
        found, title = {}, ""
        for line in text.decode().split("\r\n"):
            if line.startswith("#"):
                title = line
            elif line:
                found[line.split(":")[0]] = title
        return found

    theirs = sections_of(oracle_resp2.call("INFO", "everything"))
    ours = sections_of(WholeEngine().call("INFO", "everything"))
    common = {name for name in ours.keys() & theirs.keys() if not name.startswith("cmdstat_")}
    assert len(common) > 100
    assert {name: ours[name] for name in common} == {name: theirs[name] for name in common}


@pytest.mark.parametrize("name", READ_BY_TOOLS)
def test_what_tools_read_is_there(name: str) -> None:
    assert name in WholeEngine().info()


def test_resp3_marks_it_as_text() -> None:
    assert isinstance(WholeEngine(protocol=3).call("INFO"), Verbatim)


def test_the_keyspace_is_counted() -> None:
    engine = WholeEngine()
    assert engine.info("keyspace") == {}
    engine.call("MSET", "a", 1, "b", 2, "c", 3)
    engine.call("PEXPIREAT", "a", START_MS + 5000)
    engine.call("SELECT", 3)
    engine.call("SET", "d", 1)
    assert engine.info("keyspace") == {
        "db0": "keys=3,expires=1,avg_ttl=5000",
        "db3": "keys=1,expires=0,avg_ttl=0",
    }


def test_hits_and_misses_are_counted_over_all_databases() -> None:
    engine = WholeEngine()
    engine.call("SET", "a", 1)
    engine.call("GET", "a")
    engine.call("GET", "b")
    engine.call("SELECT", 1)
    engine.call("GET", "a")
    fields = engine.info("stats")
    assert (fields["keyspace_hits"], fields["keyspace_misses"]) == ("1", "2")


def test_calls_on_the_hot_path_are_counted() -> None:
    engine = WholeEngine()
    calls = engine.engine.fast.calls
    get = engine.engine.fast.tables[2][b"GET"]
    calls[get] += 5
    assert engine.info("commandstats")["cmdstat_get"].startswith("calls=5,")
    assert engine.info("stats")["keyspace_hits"] == "5"


def test_commands_and_errors_are_counted_by_name() -> None:
    engine = WholeEngine()
    engine.call("SET", "a", "x")
    engine.call("INCR", "a")
    engine.call("GET")
    engine.call("OBJECT", "ENCODING", "a")
    fields = engine.info("commandstats", "errorstats", "stats")
    assert fields["cmdstat_incr"].endswith("rejected_calls=0,failed_calls=1")
    assert fields["cmdstat_get"] == "calls=0,usec=0,usec_per_call=0.00,rejected_calls=1,failed_calls=0"
    assert fields["cmdstat_object|encoding"].startswith("calls=1,")
    assert "cmdstat_getset" not in fields
    assert fields["errorstat_ERR"] == "count=2"
    assert fields["total_error_replies"] == "2"


def test_the_durability_section_follows_the_log_and_the_checkpoint() -> None:
    engine = WholeEngine()
    engine.call("SET", "a", "x")
    fields = engine.info("durability", "persistence", "replication")
    position = fields["log_position"]
    assert int(position) == engine.engine.log.position > 0
    assert fields["log_durable"] == fields["log_written"] == fields["master_repl_offset"] == position
    assert fields["checkpoint_behind_bytes"] == fields["aof_current_size"] == position
    assert (fields["dirty_keys"], fields["rdb_changes_since_last_save"]) == ("1", "1")
    assert fields["log_segments"] == "1"
    assert fields["master_replid"] == LOG_ID
    engine.clock.ms += 5000
    engine.call("BGSAVE")
    assert engine.info("persistence")["rdb_bgsave_in_progress"] == "1"
    engine.work()
    fields = engine.info("durability", "persistence")
    assert fields["checkpoint_position"] == position
    assert fields["checkpoint_behind_bytes"] == fields["aof_current_size"] == "0"
    assert fields["dirty_keys"] == "0"
    assert (fields["checkpoints"], fields["checkpoint_keys"]) == ("1", "1")
    assert fields["rdb_bgsave_in_progress"] == "0"
    assert fields["rdb_last_save_time"] == str((START_MS + 5000) // 1000)


def test_a_failed_checkpoint_is_shown() -> None:
    engine = WholeEngine()
    engine.call("SET", "a", "x")
    engine.fail_next_commit("the disk is on fire")
    engine.call("BGSAVE")
    engine.work()
    fields = engine.info("durability", "persistence")
    assert fields["rdb_last_bgsave_status"] == "err"
    assert fields["checkpoint_failures"] == "1"
    assert "the disk is on fire" in fields["checkpoint_last_error"]
    assert fields["dirty_keys"] == "1"


def test_memory_is_the_sum_of_its_parts() -> None:
    engine = WholeEngine()
    engine.call("SET", "a", "x" * 100_000)
    engine.engine.keyspace.memory.estimate()
    fields = engine.info("memory")
    assert int(fields["used_memory_dataset"]) > 100_000
    assert int(fields["used_memory"]) - int(fields["used_memory_overhead"]) == int(
        fields["used_memory_dataset"]
    )
    assert int(fields["used_memory_rss"]) > 0
    assert int(fields["used_memory_peak"]) >= int(fields["used_memory"])


def test_rates_come_from_the_samples() -> None:
    engine = WholeEngine()
    engine.engine.statistics.sample(0.0)
    engine.engine.statistics.commands += 100
    engine.engine.statistics.input_bytes += 2048
    engine.engine.statistics.sample(2.0)
    fields = engine.info("stats")
    assert fields["instantaneous_ops_per_sec"] == "50"
    assert fields["instantaneous_input_kbps"] == "1.00"


@pytest.mark.parametrize(
    ("size", "text"),
    [(0, "0B"), (1023, "1023B"), (1024, "1.00K"), (1 << 20, "1.00M"), (1_610_612_736, "1.50G")],
)
def test_sizes_for_people(size: int, text: str) -> None:
    assert human_bytes(size) == text


def test_no_section_raises_on_an_engine_that_has_just_started() -> None:
    engine = WholeEngine()
    for title, fields in SECTIONS.items():
        for name, value in fields(engine.engine).items():
            assert "\r" not in str(value), (title, name)
            assert "\n" not in str(value), (title, name)
