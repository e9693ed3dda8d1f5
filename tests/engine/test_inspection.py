"""Looking at commands costs the hot path nothing until somebody asks for what it does."""

from __future__ import annotations

import pytest

from tests.support.whole_engine import WholeEngine


def hot(engine: WholeEngine) -> bool:
    """Whether the hot path takes commands."""
    tables = engine.engine.fast.tables.values()
    states = {bool(table) for table in tables}
    assert len(states) == 1
    return states.pop()


@pytest.mark.parametrize(
    ("options", "open_"),
    [
        ({}, True),
        ({"slowlog-log-slower-than": 0}, False),
        ({"slowlog-log-slower-than": 99}, False),
        ({"slowlog-log-slower-than": 100}, True),
        ({"slowlog-log-slower-than": -1}, True),
        ({"slowlog-log-slower-than": 0, "slowlog-max-len": 0}, True),
        ({"latency-monitor-threshold": 1}, True),
    ],
)
def test_thresholds_that_the_hot_path_could_pass_close_it(options: dict[str, int], open_: bool) -> None:
    assert hot(WholeEngine(options)) is open_


def test_a_monitor_closes_it_until_it_leaves() -> None:
    engine = WholeEngine()
    monitor = engine.engine.connect("127.0.0.1:2000", "127.0.0.1:6379", 10)
    engine.engine.execute(monitor, [b"MONITOR"])
    assert not hot(engine)
    engine.engine.disconnect(monitor)
    assert hot(engine)


def test_reset_ends_monitoring() -> None:
    engine = WholeEngine()
    engine.call("MONITOR")
    assert not hot(engine)
    engine.call("RESET")
    assert hot(engine)
    assert engine.engine.inspection.monitors.clients == {}


def test_lines_wait_behind_the_replies_of_a_transaction() -> None:
    engine = WholeEngine()
    engine.call("MONITOR")
    for word in (b"MULTI", b"PING"):
        engine.engine.execute(engine.client, [word])
    engine.client.out.clear()
    engine.engine.execute(engine.client, [b"EXEC"])
    data = b"".join(engine.client.out)
    assert data.startswith(b"*1\r\n+PONG\r\n+")
    assert data.count(b'"PING"') == data.count(b'"EXEC"') == 1


def test_where_a_client_at_a_unix_socket_comes_from() -> None:
    engine = WholeEngine()
    engine.client.address, engine.client.is_unix = "/run/redis.sock:0", True
    assert engine.client.source == "unix:/run/redis.sock"


def test_what_a_script_calls_has_no_address() -> None:
    """Scripts use these two calls (``show`` before the script, ``timed`` for each command of it)."""
    engine = WholeEngine({"slowlog-log-slower-than": 0})
    inspection = engine.engine.inspection
    monitor = engine.engine.connect("127.0.0.1:2000", "127.0.0.1:6379", 10)
    engine.engine.execute(monitor, [b"MONITOR"])
    monitor.out.clear()
    command = engine.engine.commands["SET"]
    inspection.timed(engine.client, command, [b"set", b"k", b"v"], 0.0, "lua")
    assert b"".join(monitor.out).endswith(b' [0 lua] "set" "k" "v"\r\n')
    entry = inspection.slow_log.entries[0]
    assert (entry.address, entry.client_name) == ("?:0", b"")


def test_background_work_and_syncs_are_events() -> None:
    engine = WholeEngine({"latency-monitor-threshold": 1})
    inspection = engine.engine.inspection
    inspection.latency.threshold_ms = 0
    engine.engine.background.note("checkpoint", 5.0)
    assert inspection.latency.events == {}
    inspection.latency.threshold_ms = 1
    engine.engine.background.note("checkpoint", 5.0)
    engine.engine.durability.note("wal-sync", 7.9)
    inspection.turned(0.0125, engine.engine.statistics)
    found = {kind: event.worst_ms for kind, event in inspection.latency.events.items()}
    assert found == {"checkpoint": 5, "wal-sync": 7, "loop": 12}


def test_only_turns_are_measured_that_somebody_wants_to_hear_of() -> None:
    engine = WholeEngine({"latency-monitor-threshold": 10})
    statistics = engine.engine.statistics
    inspection = engine.engine.inspection
    inspection.turned(0.5, statistics)
    assert statistics.turn_seconds_notable == 0.01
    assert statistics.turn_pause_seconds_max == 0.5
    inspection.turned(0.02, statistics)
    assert statistics.turn_pause_seconds_max == 0.5
    inspection.latency.threshold_ms = 0
    inspection.turned(0.7, statistics)
    assert statistics.turn_seconds_notable == 0.7
