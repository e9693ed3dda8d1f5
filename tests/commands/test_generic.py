"""Key commands: replies and error texts as redis-server 7.0.15 gives them, and the effects behind them."""

from __future__ import annotations

from typing import Any

import pytest

from durable_redis.commands import databases, expiry, generic, iteration, objects, strings
from durable_redis.commands.iteration import parse_cursor
from durable_redis.errors import ReplyError
from tests.support.fake_engine import NOW_MS
from tests.support.fake_server import FakeServer

MODULES = (databases, expiry, generic, iteration, objects, strings)
NOT_AN_INTEGER = "-ERR value is not an integer or out of range"
NOT_INT32 = "-ERR value is out of range, value must between -2147483648 and 2147483647"
DB_OUT_OF_RANGE = "-ERR DB index is out of range"
SYNTAX = "-ERR syntax error"
SAME_OBJECT = "-ERR source and destination objects are the same"
EXCLUSIVE = "-ERR NX and XX, GT or LT options at the same time are not compatible"
TAKES_TIME = (
    "Please note that when switching between policies at runtime LRU and LFU data "
    "will take some time to adjust."
)


@pytest.fixture
def server() -> FakeServer:
    return FakeServer(MODULES)


def check(server: FakeServer, *steps: tuple[str, Any]) -> None:
    """Each line gives its reply."""
    for line, expected in steps:
        assert server.say(line) == expected, line


# -- looking and removing ------------------------------------------------------------------------------------


def test_exists_counts_a_key_as_often_as_it_is_named(server: FakeServer) -> None:
    check(server, ("SET a 1", "+OK"), ("EXISTS a a nokey", 2), ("EXISTS nokey", 0), ("TOUCH a a nokey", 2))
    assert server.effects == []


def test_type(server: FakeServer) -> None:
    check(server, ("SET a 1", "+OK"), ("TYPE a", "+string"), ("TYPE nokey", "+none"))


def test_looking_counts_hits_and_misses_and_changing_does_not(server: FakeServer) -> None:
    check(server, ("SET a 1", "+OK"), ("EXISTS a n", 1), ("TTL n", -2), ("TYPE a", "+string"))
    assert (server.statistics.keyspace_reads, server.context.db.misses) == (4, 2)
    check(server, ("PERSIST a", 0), ("EXPIRE n 1", 0), ("DEL n", 0), ("RENAME a a", "+OK"), ("MOVE n 1", 0))
    assert (server.statistics.keyspace_reads, server.context.db.misses) == (4, 2)


@pytest.mark.parametrize("name", ["DEL", "UNLINK"])
def test_one_effect_names_the_keys_that_were_there_once_each(server: FakeServer, name: str) -> None:
    server.run("MSET", "a", 1, "b", 2)
    assert server.run(name, "nokey", "b", "a", "b") == 2
    assert server.effects == [(b"DEL", b"b", b"a")]
    assert server.run(name, "a", "b") == 0
    assert server.effects == []


def test_an_expired_key_is_not_there_to_be_deleted(server: FakeServer) -> None:
    server.run("SET", "a", 1, "PX", 10)
    server.keyspace.now_ms += 10
    assert server.run("DEL", "a") == 0
    assert server.effects == [(b"DEL", b"a")]  # expiry's own
    assert server.keyspace.expired_keys == 1


# -- renaming, moving, copying -------------------------------------------------------------------------------


def test_rename(server: FakeServer) -> None:
    check(
        server,
        ("RENAME nokey x", "-ERR no such key"),
        ("RENAME nokey nokey", "-ERR no such key"),
        ("RENAMENX nokey x", "-ERR no such key"),
        ("SET a 1 EX 100", "+OK"),
        ("SET b 2", "+OK"),
        ("RENAME a a", "+OK"),
        ("RENAMENX a a", 0),
        ("RENAMENX a b", 0),
    )
    assert server.effects == []
    assert server.say("RENAME a b") == "+OK"
    assert server.effects == [(b"RENAME", b"a", b"b")]
    check(server, ("GET b", b"1"), ("TTL b", 100), ("EXISTS a", 0), ("DBSIZE", 1), ("RENAMENX b c", 1))
    assert server.effects == [(b"RENAME", b"b", b"c")]
    assert server.say("TTL c") == 100


def test_rename_onto_an_expiring_key_takes_its_expiry_away(server: FakeServer) -> None:
    check(server, ("SET a 1", "+OK"), ("SET b 2 EX 9", "+OK"), ("RENAME a b", "+OK"), ("TTL b", -1))
    assert server.context.db.expires == 0


def test_move(server: FakeServer) -> None:
    check(
        server,
        ("SET a 1 EX 100", "+OK"),
        ("MOVE a 0", SAME_OBJECT),
        ("MOVE nokey 0", SAME_OBJECT),
        ("MOVE a x", NOT_AN_INTEGER),
        ("MOVE a 99999999999999999999", NOT_AN_INTEGER),
        ("MOVE a 4294967296", NOT_INT32),
        ("MOVE a 16", DB_OUT_OF_RANGE),
        ("MOVE a -1", DB_OUT_OF_RANGE),
        ("MOVE nokey 3", 0),
        ("MOVE a 2", 1),
    )
    assert server.effects == [(b"MOVE", b"a", b"2")]
    check(server, ("MOVE a 2", 0), ("SET a 2", "+OK"), ("MOVE a 2", 0), ("GET a", b"2"))
    other = server.keyspace.database(2)
    assert (other.size, other.expires) == (1, 1)


def test_copy(server: FakeServer) -> None:
    check(
        server,
        ("SET a 1 EX 100", "+OK"),
        ("COPY a b", 1),
        ("COPY a b", 0),
        ("SET a 2", "+OK"),
        ("COPY a b REPLACE", 1),
    )
    assert server.effects == [(b"COPY", b"a", b"b", b"DB", b"0", b"REPLACE")]
    check(server, ("GET b", b"2"), ("TTL b", -1), ("COPY a c DB 1 db 2 replace REPLACE", 1))
    assert server.effects == [(b"COPY", b"a", b"c", b"DB", b"2", b"REPLACE")]
    assert [server.keyspace.database(number).size for number in range(3)] == [2, 0, 1]
    check(server, ("COPY a a DB 1", 1), ("COPY nokey b replace db 3", 0))


@pytest.mark.parametrize(
    ("words", "error"),
    [
        ("a a", SAME_OBJECT),
        ("a a replace", SAME_OBJECT),
        ("a a DB 0", SAME_OBJECT),
        ("nokey nokey", SAME_OBJECT),
        ("a b DB", SYNTAX),
        ("a b foo", SYNTAX),
        ("a b DB x", NOT_AN_INTEGER),
        ("a b DB 99999999999999999999", NOT_AN_INTEGER),
        ("a b DB 2147483648", NOT_INT32),
        ("a b DB 16", DB_OUT_OF_RANGE),
        ("a b DB -1", DB_OUT_OF_RANGE),
    ],
)
def test_copy_errors(server: FakeServer, words: str, error: str) -> None:
    assert server.say(f"COPY {words}") == error


def test_a_copy_shares_nothing_with_what_it_was_made_from(server: FakeServer) -> None:
    check(server, ("SET a one", "+OK"), ("APPEND a !", 4), ("COPY a b", 1), ("APPEND b ?", 5))
    check(server, ("GET a", b"one!"), ("GET b", b"one!?"))


# -- databases -----------------------------------------------------------------------------------------------


def test_swapdb_exchanges_contents(server: FakeServer) -> None:
    check(server, ("SET a 1", "+OK"), ("SWAPDB 0 3", "+OK"))
    assert server.effects == [(b"SWAPDB", b"0", b"3")]
    check(server, ("DBSIZE", 0), ("SWAPDB 3 0", "+OK"), ("DBSIZE", 1), ("SWAPDB 0 0", "+OK"))
    assert server.effects == []


@pytest.mark.parametrize(
    ("words", "error"),
    [
        ("x 1", "-ERR invalid first DB index"),
        ("x x", "-ERR invalid first DB index"),
        ("16 x", "-ERR invalid second DB index"),
        ("0 x", "-ERR invalid second DB index"),
        ("99999999999999999999 0", "-ERR invalid first DB index"),
        ("2147483648 0", "-ERR invalid first DB index"),
        ("0 2147483648", "-ERR invalid second DB index"),
        ("0 16", DB_OUT_OF_RANGE),
        ("16 0", DB_OUT_OF_RANGE),
        ("-1 0", DB_OUT_OF_RANGE),
        ("0", "-ERR wrong number of arguments for 'swapdb' command"),
    ],
)
def test_swapdb_errors(server: FakeServer, words: str, error: str) -> None:
    assert server.say(f"SWAPDB {words}") == error


def test_flushdb_and_flushall(server: FakeServer) -> None:
    server.run("SET", "a", 1)
    server.keyspace.database(5).put(b"b", b"2")
    check(server, ("FLUSHDB foo", SYNTAX), ("FLUSHDB sync async", SYNTAX), ("FLUSHALL sync foo", SYNTAX))
    check(server, ("DBSIZE", 1), ("FLUSHDB SYNC", "+OK"))
    assert server.effects == [(b"FLUSHDB",)]
    check(server, ("DBSIZE", 0), ("FLUSHDB async", "+OK"))
    assert server.effects == []
    assert server.say("FLUSHALL") == "+OK"
    assert server.effects == [(b"FLUSHALL",)]
    assert server.keyspace.database(5).size == 0
    assert server.say("FLUSHALL ASYNC") == "+OK"
    assert server.effects == []


# -- iteration -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("raw", "cursor"),
    [
        (b"", 0),
        (b"5", 5),
        (b"+5", 5),
        (b"-1", 18446744073709551615),
        (b"\0", 0),
        (b"\0x", 0),
        (b"5\0abc", 5),
        (b"x\0", None),
        (b"5 \0", None),
        (b"18446744073709551616\0", None),
    ],
)
def test_cursors(raw: bytes, cursor: int | None) -> None:
    if cursor is None:
        with pytest.raises(ReplyError, match="invalid cursor"):
            parse_cursor(raw)
    else:
        assert parse_cursor(raw) == cursor


@pytest.mark.parametrize(
    ("words", "error"),
    [
        ("x", "-ERR invalid cursor"),
        ("' 5'", "-ERR invalid cursor"),
        ("5x", "-ERR invalid cursor"),
        ("+", "-ERR invalid cursor"),
        ("1.5", "-ERR invalid cursor"),
        ("18446744073709551616", "-ERR invalid cursor"),
        ("-18446744073709551616", "-ERR invalid cursor"),
        ("x FOO bar", "-ERR invalid cursor"),
        ("0 COUNT", SYNTAX),
        ("0 COUNT 0", SYNTAX),
        ("0 COUNT -1", SYNTAX),
        ("0 COUNT x", NOT_AN_INTEGER),
        ("0 COUNT 9999999999999999999", NOT_AN_INTEGER),
        ("0 FOO", SYNTAX),
        ("0 FOO bar", SYNTAX),
        ("0 COUNT 10 MATCH", SYNTAX),
        ("0 TYPE", SYNTAX),
    ],
)
def test_scan_errors(server: FakeServer, words: str, error: str) -> None:
    assert server.say(f"SCAN {words}") == error


@pytest.mark.parametrize("cursor", ["-1", "18446744073709551615", "-18446744073709551615"])
def test_cursors_beyond_the_end_and_negative_ones_are_taken(server: FakeServer, cursor: str) -> None:
    server.run("SET", "b", 1)
    reply = server.run("SCAN", cursor)
    assert not isinstance(reply, ReplyError)
    assert reply[0] == b"0"


def test_a_cursor_beyond_the_last_place_ends_the_scan(server: FakeServer) -> None:
    server.run("SET", "b", 1)
    assert server.say("SCAN 18446744073709551615") == [b"0", []]
    assert server.say("SCAN -1") == [b"0", []]


@pytest.mark.parametrize("line", ["SCAN 0", "SCAN ''", "SCAN -0", "SCAN 00", "SCAN +0"])
def test_these_all_begin_a_scan(server: FakeServer, line: str) -> None:
    server.run("SET", "b", 1)
    assert server.say(line) == [b"0", [b"b"]]


def test_scan_by_steps_sees_each_key_once(server: FakeServer) -> None:
    names = {b"key:%d" % number for number in range(100)}
    for name in names:
        server.run("SET", name, 1)
    seen: list[bytes] = []
    cursor = b"0"
    steps = 0
    while True:
        cursor, found = server.run("SCAN", cursor, "COUNT", 7)
        assert len(found) <= 8
        seen += found
        steps += 1
        if cursor == b"0":
            break
    assert sorted(seen) == sorted(names)
    assert steps > 10


def test_scan_filters(server: FakeServer) -> None:
    server.run("MSET", "a1", 1, "a2", 1, "b", 1)
    cursor, found = server.run("SCAN", 0, "match", "a*", "COUNT", 100)
    assert (cursor, sorted(found)) == (b"0", [b"a1", b"a2"])
    check(server, ("SCAN 0 TYPE foo", [b"0", []]), ("SCAN 0 TYPE hash", [b"0", []]))
    assert sorted(server.run("SCAN", 0, "TYPE", "STRING", "MATCH", "*")[1]) == [b"a1", b"a2", b"b"]
    assert sorted(server.run("SCAN", 0, "count", 2**63 - 1)[1]) == [b"a1", b"a2", b"b"]


def test_keys_leaves_expired_keys_where_they_are(server: FakeServer) -> None:
    check(server, ("SET a 1 PX 5", "+OK"), ("SET b 1", "+OK"))
    server.keyspace.now_ms += 5
    check(server, ("KEYS *", [b"b"]), ("DBSIZE", 2))


def test_scan_removes_what_has_expired(server: FakeServer) -> None:
    check(server, ("SET a 1 PX 5", "+OK"), ("SET b 1", "+OK"))
    server.keyspace.now_ms += 5
    check(server, ("DBSIZE", 2), ("SCAN 0", [b"0", [b"b"]]), ("DBSIZE", 1))


def test_keys_and_randomkey_leave_out_what_has_expired(server: FakeServer) -> None:
    check(server, ("SET a 1 PX 5", "+OK"), ("SET b 1", "+OK"))
    server.keyspace.now_ms += 5
    check(server, ("KEYS *", [b"b"]), ("RANDOMKEY", b"b"))


def test_keys(server: FakeServer) -> None:
    server.run("MSET", "one", 1, "two", 2, "three", 3)
    assert sorted(server.run("KEYS", "t*")) == [b"three", b"two"]
    assert sorted(server.run("KEYS", "*")) == [b"one", b"three", b"two"]
    check(server, ("KEYS nokey", []), ("KEYS", "-ERR wrong number of arguments for 'keys' command"))


def test_randomkey(server: FakeServer) -> None:
    assert server.say("RANDOMKEY") is None
    server.run("MSET", "a", 1, "b", 2)
    assert {server.run("RANDOMKEY") for _ in range(100)} == {b"a", b"b"}


# -- setting an expiry ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("line", "expires_ms"),
    [
        ("EXPIRE a 10", NOW_MS + 10_000),
        ("PEXPIRE a 10", NOW_MS + 10),
        ("EXPIREAT a 1700000001", 1_700_000_001_000),
        ("PEXPIREAT a 1700000000001", 1_700_000_000_001),
        ("PEXPIREAT a 9223372036854775807", 2**63 - 1),
        ("EXPIREAT a 9223372036854775", 9_223_372_036_854_775_000),
    ],
)
def test_the_effect_carries_an_absolute_time(server: FakeServer, line: str, expires_ms: int) -> None:
    server.run("SET", "a", 1)
    assert server.say(line) == 1
    assert server.effects == [(b"PEXPIREAT", b"a", b"%d" % expires_ms)]
    assert server.say("PEXPIRETIME a") == expires_ms


@pytest.mark.parametrize(
    "line",
    [
        "EXPIRE a 0",
        "EXPIRE a -1",
        "EXPIRE a -9223372036854775",
        "PEXPIRE a -9223372036854775808",
        "EXPIREAT a 0",
        "EXPIREAT a -9223372036854775",
        "PEXPIREAT a 1700000000000",
        "EXPIRE a -1 NX",
        "EXPIRE a -1 LT",
    ],
)
def test_a_time_that_has_passed_deletes(server: FakeServer, line: str) -> None:
    server.run("SET", "a", 1)
    assert server.say(line) == 1
    assert server.effects == [(b"DEL", b"a")]
    assert server.say("EXISTS a") == 0


@pytest.mark.parametrize(
    ("line", "error"),
    [
        ("EXPIRE c 9223372036854775807", "-ERR invalid expire time in 'expire' command"),
        ("EXPIRE c 9223372036854775", "-ERR invalid expire time in 'expire' command"),
        ("EXPIRE c -9223372036854775808", "-ERR invalid expire time in 'expire' command"),
        ("EXPIRE c -9223372036854776", "-ERR invalid expire time in 'expire' command"),
        ("EXPIRE nokey 9223372036854775807", "-ERR invalid expire time in 'expire' command"),
        ("PEXPIRE c 9223372036854775807", "-ERR invalid expire time in 'pexpire' command"),
        ("EXPIREAT c 9223372036854776", "-ERR invalid expire time in 'expireat' command"),
        ("EXPIREAT c -9223372036854776", "-ERR invalid expire time in 'expireat' command"),
        ("EXPIRE c x", NOT_AN_INTEGER),
        ("EXPIRE c 1.5", NOT_AN_INTEGER),
        ("EXPIRE c 10 foo", "-ERR Unsupported option foo"),
        ("EXPIRE c x foo", "-ERR Unsupported option foo"),
        ("EXPIRE c 100 nx xx extra", "-ERR Unsupported option extra"),
        ("EXPIRE c 10 NX XX", EXCLUSIVE),
        ("EXPIRE c x NX GT", EXCLUSIVE),
        ("EXPIRE c 10 NX GT LT", EXCLUSIVE),
        ("EXPIRE c 10 GT LT", "-ERR GT and LT options at the same time are not compatible"),
        ("EXPIRE c", "-ERR wrong number of arguments for 'expire' command"),
    ],
)
def test_expire_errors(server: FakeServer, line: str, error: str) -> None:
    server.run("SET", "c", 1)
    assert server.say(line) == error


def test_expire_conditions(server: FakeServer) -> None:
    check(
        server,
        ("EXPIRE nokey 10 NX NX", 0),
        ("SET c 1", "+OK"),
        ("EXPIRE c 10 GT", 0),
        ("EXPIRE c 10 XX", 0),
        ("EXPIRE c 10 XX GT", 0),
        ("EXPIRE c -1 GT", 0),
        ("EXPIRE c 10 LT", 1),
        ("EXPIRE c 9 GT", 0),
        ("EXPIRE c 10 gt", 0),
        ("EXPIRE c 10 lt", 0),
        ("EXPIRE c 20 LT", 0),
        ("EXPIRE c 20 NX", 0),
        ("EXPIRE c -1 GT", 0),
        ("TTL c", 10),
        ("EXPIRE c 20 xx gt", 1),
        ("EXPIRE c 15 XX LT", 1),
        ("TTL c", 15),
    )


def test_persist(server: FakeServer) -> None:
    check(
        server,
        ("PERSIST nokey", 0),
        ("SET c 1", "+OK"),
        ("PERSIST c", 0),
        ("EXPIRE c 100", 1),
        ("PERSIST c", 1),
    )
    assert server.effects == [(b"PERSIST", b"c")]
    check(server, ("TTL c", -1), ("PERSIST c", 0))
    assert server.effects == []


# -- telling it ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["TTL", "PTTL", "EXPIRETIME", "PEXPIRETIME"])
def test_without_a_key_and_without_an_expiry(server: FakeServer, name: str) -> None:
    check(server, (f"{name} a", -2), ("SET a 1", "+OK"), (f"{name} a", -1))


@pytest.mark.parametrize(
    ("left_ms", "seconds"), [(1, 0), (499, 0), (500, 1), (1499, 1), (1500, 2), (100_000, 100)]
)
def test_seconds_are_rounded_to_the_nearest(server: FakeServer, left_ms: int, seconds: int) -> None:
    server.run("SET", "a", 1, "PX", left_ms)
    check(server, ("TTL a", seconds), ("PTTL a", left_ms), ("PEXPIRETIME a", NOW_MS + left_ms))
    assert server.say("EXPIRETIME a") == NOW_MS // 1000 + seconds


# -- OBJECT --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["ENCODING", "REFCOUNT", "IDLETIME", "FREQ"])
@pytest.mark.parametrize("policy", ["noeviction", "allkeys-lfu"])
def test_object_of_no_key_is_null(name: str, policy: str) -> None:
    assert FakeServer(MODULES, {"maxmemory-policy": policy}).say(f"OBJECT {name} nokey") is None


@pytest.mark.parametrize(
    ("value", "encoding", "references"),
    [
        ("1", b"int", 2147483647),
        ("9999", b"int", 2147483647),
        ("10000", b"int", 1),
        ("-1", b"int", 1),
        ("01", b"embstr", 1),
        ("abc", b"embstr", 1),
        ("a" * 44, b"embstr", 1),
        ("a" * 45, b"raw", 1),
    ],
)
def test_object_encoding_and_refcount(
    server: FakeServer, value: str, encoding: bytes, references: int
) -> None:
    server.run("SET", "a", value)
    check(server, ("OBJECT ENCODING a", encoding), ("object refcount a", references))


@pytest.mark.parametrize(
    ("policy", "maxmemory", "references"),
    [
        ("allkeys-lru", 0, 2147483647),
        ("allkeys-lru", 1, 1),
        ("volatile-lfu", 1, 1),
        ("noeviction", 1, 2147483647),
        ("allkeys-random", 1, 2147483647),
    ],
)
def test_integers_are_not_shared_where_eviction_looks_at_use(
    policy: str, maxmemory: int, references: int
) -> None:
    server = FakeServer(MODULES, {"maxmemory-policy": policy, "maxmemory": maxmemory})
    check(server, ("SET a 5", "+OK"), ("OBJECT REFCOUNT a", references))


def test_object_idletime_and_freq_depend_on_the_policy(server: FakeServer) -> None:
    not_selected = "-ERR An LFU maxmemory policy is not selected, access frequency not tracked. " + TAKES_TIME
    selected = "-ERR An LFU maxmemory policy is selected, idle time not tracked. " + TAKES_TIME
    check(server, ("SET a 1", "+OK"), ("OBJECT FREQ a", not_selected), ("OBJECT IDLETIME a", 0))
    server.config.values["maxmemory-policy"] = "volatile-lfu"
    check(server, ("OBJECT FREQ a", 1), ("OBJECT IDLETIME a", selected))


def test_freq_tells_the_generations_apart() -> None:
    server = FakeServer(MODULES, {"maxmemory-policy": "allkeys-lfu"})
    check(server, ("SET a 1", "+OK"), ("OBJECT FREQ a", 1))
    for shard in server.context.db.shards:
        shard.old, shard.young = shard.young, {}
    check(server, ("OBJECT FREQ a", 0), ("GET a", b"1"), ("OBJECT FREQ a", 1))


def test_object_help_names_every_subcommand(server: FakeServer) -> None:
    reply = server.run("OBJECT", "HELP")
    assert {line.split()[0] for line in reply[1:] if line[0] != " "} == set(
        server.table["OBJECT"].subcommands
    )
    assert server.say("OBJECT HELP x") == "-ERR wrong number of arguments for 'object|help' command"
    assert server.say("OBJECT ENCODING") == "-ERR wrong number of arguments for 'object|encoding' command"
