"""DEBUG: who may, what it answers, and digests that equal redis-server's for the same data."""

from __future__ import annotations

import random
import shutil
from pathlib import Path
from typing import Any

import pytest

from durable_redis.resp.encoder import encode_bytes
from tests.support.client import ErrorReply, Incomplete, Status
from tests.support.oracle_commands import Oracle
from tests.support.servers import OracleServer
from tests.support.whole_engine import START_MS, WholeEngine

FAR_MS = 4_102_444_800_000

SAME_ERRORS = """
DEBUG
DEBUG NOSUCH
DEBUG JMAP
DEBUG HELP x
DEBUG SLEEP
DEBUG SET-ACTIVE-EXPIRE
DEBUG OBJECT
DEBUG OBJECT nosuch
DEBUG OBJECT nosuch fast
DEBUG DIGEST x
DEBUG RELOAD NOSUCH
DEBUG RELOAD NOSAVE NOSUCH
DEBUG ERROR
DEBUG PROTOCOL
DEBUG PROTOCOL nosuch
DEBUG PROTOCOL push
DEBUG PROTOCOL array x
""".strip().splitlines()

SAME_REPLIES = """
DEBUG DIGEST
DEBUG DIGEST-VALUE
DEBUG DIGEST-VALUE nosuch nosuch
DEBUG SLEEP 0
DEBUG SLEEP x
DEBUG SLEEP -1
DEBUG SET-ACTIVE-EXPIRE 1
DEBUG PROTOCOL string
DEBUG PROTOCOL integer
DEBUG PROTOCOL double
DEBUG PROTOCOL null
DEBUG PROTOCOL array
DEBUG PROTOCOL set
DEBUG PROTOCOL map
DEBUG PROTOCOL attrib
DEBUG PROTOCOL verbatim
DEBUG PROTOCOL true
DEBUG PROTOCOL false
DEBUG PROTOCOL bignum
""".strip().splitlines()


def plain(reply: Any) -> Any:
    """A reply in the oracle's values: statuses are text."""
    if isinstance(reply, Status):
        return reply.decode()
    return [plain(part) for part in reply] if isinstance(reply, list) else reply


@pytest.mark.parametrize("line", SAME_ERRORS)
def test_errors_are_redis_servers(line: str, oracle_resp2: Oracle) -> None:
    ours = WholeEngine().call(*line.split())
    assert isinstance(ours, ErrorReply)
    assert ours.text == str(oracle_resp2.call(*line.split()))


@pytest.mark.parametrize("line", SAME_REPLIES)
def test_replies_are_redis_servers(line: str, oracle_resp2: Oracle) -> None:
    oracle_resp2.call("FLUSHALL")
    assert plain(WholeEngine().call(*line.split())) == oracle_resp2.call(*line.split())


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        (b"double", b",3.141\r\n"),
        (b"set", b"~3\r\n:0\r\n:1\r\n:2\r\n"),
        (b"map", b"%3\r\n:0\r\n#f\r\n:1\r\n#t\r\n:2\r\n#f\r\n"),
        (b"bignum", b"(1234567999999999999999999999999999999\r\n"),
        (b"verbatim", b"=29\r\ntxt:This is a verbatim\nstring\r\n"),
        (
            b"attrib",
            b"|1\r\n$14\r\nkey-popularity\r\n*2\r\n$7\r\nkey:123\r\n:90\r\n"
            b"$39\r\nSome real reply following the attribute\r\n",
        ),
        (
            b"push",
            b">2\r\n$16\r\nserver-cpu-usage\r\n:42\r\n$40\r\nSome real reply following the push reply\r\n",
        ),
    ],
)
def test_examples_in_resp3(name: bytes, expected: bytes) -> None:
    """As redis-server 7.0.15 sends them."""
    engine = WholeEngine(protocol=3)
    handler = engine.engine.commands["DEBUG"].handler
    assert handler is not None
    assert encode_bytes(handler(engine.client.context, [b"DEBUG", b"PROTOCOL", name]), 3) == expected


# -- who may -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("option", "address", "is_unix", "allowed"),
    [
        ("yes", "10.0.0.1:5", False, True),
        ("no", "127.0.0.1:5", False, False),
        ("no", "/run/x.sock:0", True, False),
        ("local", "127.0.0.1:5", False, True),
        ("local", "[::1]:5", False, True),
        ("local", "/run/x.sock:0", True, True),
        ("local", "10.0.0.1:5", False, False),
        ("local", "", False, False),
    ],
)
def test_the_option_decides_who_may(option: str, address: str, is_unix: bool, allowed: bool) -> None:
    engine = WholeEngine({"enable-debug-command": option})
    engine.client.address, engine.client.is_unix = address, is_unix
    reply = engine.call("DEBUG", "DIGEST")
    assert isinstance(reply, Status) is allowed
    if not allowed:
        assert reply.text.startswith(
            "ERR DEBUG command not allowed. If the enable-debug-command option is set"
        )


@pytest.mark.skipif(shutil.which("redis-server") is None, reason="redis-server is not installed")
def test_the_refusal_is_redis_servers(tmp_path: Path) -> None:
    ours = WholeEngine({"enable-debug-command": "no"}).call("DEBUG", "DIGEST")
    oracle = OracleServer(tmp_path / "oracle", {"enable-debug-command": "no"})
    with oracle, oracle.client() as client:
        assert repr(client.call("DEBUG", "DIGEST")) == repr(ours)


# -- digests -------------------------------------------------------------------------------------------------


def random_data(generator: random.Random) -> list[tuple[int, list[bytes]]]:
    """Commands that write strings of all kinds into some databases."""
    found = []
    for number in range(60):
        key = b"key:%d" % number if number % 3 else generator.randbytes(generator.randrange(1, 20))
        value = generator.choice(
            [
                b"%d" % generator.randrange(-(10**12), 10**12),
                generator.randbytes(generator.randrange(100)),
                b"x" * generator.randrange(10_000),
                b"",
            ]
        )
        words = [b"SET", key, value]
        if generator.random() < 0.4:
            words += [b"PXAT", b"%d" % (FAR_MS + generator.randrange(10_000))]
        found.append((generator.choice([0, 0, 1, 5, 15]), words))
    return found


@pytest.mark.parametrize("cold", [False, True])
@pytest.mark.parametrize("seed", range(5))
def test_digests_equal_redis_servers(seed: int, cold: bool, oracle_resp2: Oracle) -> None:
    engine = WholeEngine()
    oracle_resp2.call("FLUSHALL")
    data = random_data(random.Random(seed))
    for db, words in data:
        for target in (engine, oracle_resp2):
            target.call("SELECT", str(db))
            target.call(*words)
    if cold:
        engine.make_cold()
        engine.call("SET", "a new one", "1")
        oracle_resp2.call("SET", "a new one", "1")
    keys = [words[1] for _, words in data]
    theirs = oracle_resp2.call("DEBUG", "DIGEST")
    assert plain(engine.call("DEBUG", "DIGEST")) == theirs != "0" * 40
    values = plain(engine.call("DEBUG", "DIGEST-VALUE", *keys))
    assert values == oracle_resp2.call("DEBUG", "DIGEST-VALUE", *keys)
    oracle_resp2.call("SELECT", "0")


def test_a_digest_does_not_fill_the_cache() -> None:
    engine = WholeEngine()
    engine.call("MSET", "a", 1, "b", 2)
    engine.make_cold()
    assert engine.call("DEBUG", "DIGEST") != Status(b"0" * 40)
    assert engine.engine.keyspace.database(0).peek_cached(b"a") is None


# -- the rest ------------------------------------------------------------------------------------------------


def test_reload_rereads_everything_and_changes_nothing() -> None:
    engine = WholeEngine()
    engine.call("MSET", "a", "x", "b", "y")
    engine.call("PEXPIREAT", "b", FAR_MS)
    engine.call("APPEND", "a", "z")
    digest = engine.call("DEBUG", "DIGEST")
    assert engine.call("DEBUG", "RELOAD") is Incomplete
    engine.work()
    assert engine.take_reply() == Status(b"OK")
    db = engine.engine.keyspace.database(0)
    assert db.peek_cached(b"a") is None
    assert engine.call("MGET", "a", "b") == [b"xz", b"y"]
    assert engine.call("PEXPIRETIME", "b") == FAR_MS
    assert engine.call("DBSIZE") == 2
    assert engine.call("DEBUG", "DIGEST") == digest
    assert db.cold_reads >= 2


def test_reload_keeps_what_was_written_while_it_ran() -> None:
    engine = WholeEngine()
    engine.call("SET", "a", "old")
    assert engine.call("DEBUG", "RELOAD") is Incomplete
    background = engine.engine.background
    background.run(1.0)
    job = background.jobs.popleft()
    job.done(job.run())  # type: ignore[misc]
    background.run(1.0)  # frozen
    engine.call("SET", "a", "new")
    engine.call("SET", "b", "new")
    engine.work()
    assert engine.take_reply() == Status(b"OK")
    assert engine.call("MGET", "a", "b") == [b"new", b"new"]


@pytest.mark.parametrize("option", ["NOSAVE", "MERGE", "noflush"])
def test_reload_never_goes_back(option: str) -> None:
    engine = WholeEngine()
    engine.call("SET", "a", "x")
    assert isinstance(engine.call("DEBUG", "RELOAD", option), ErrorReply)
    assert engine.call("GET", "a") == b"x"


@pytest.mark.parametrize(
    ("word", "active"), [("0", False), ("x", False), ("1", True), ("-1", True), (" 2x", True)]
)
def test_active_expiry_can_be_switched(word: str, active: bool) -> None:
    engine = WholeEngine()
    engine.call("SET", "a", "x", "PXAT", START_MS + 100)
    assert engine.call("DEBUG", "SET-ACTIVE-EXPIRE", word) == Status(b"OK")
    engine.clock.ms += 1000
    engine.engine.begin_batch()
    engine.engine.maintenance.cron()
    engine.work()
    assert engine.engine.keyspace.expired_keys == int(active)
    assert engine.call("GET", "a") is None
    assert engine.engine.keyspace.expired_keys == 1


@pytest.mark.parametrize(("value", "encoding"), [("12", "int"), ("ab", "embstr"), ("x" * 45, "raw")])
def test_object_shows_the_encoding(value: str, encoding: str) -> None:
    engine = WholeEngine()
    engine.call("SET", "a", value)
    line = engine.call("DEBUG", "OBJECT", "a").decode()
    assert line.startswith("Value at:0x")
    assert line.endswith(
        f" refcount:1 encoding:{encoding} serializedlength:{len(value)} lru:0 lru_seconds_idle:0"
    )


def test_error_answers_what_was_asked_for() -> None:
    engine = WholeEngine()
    assert engine.call("DEBUG", "ERROR", "MINE it is") == ErrorReply(b"MINE it is")


def test_log_writes_a_line(caplog: pytest.LogCaptureFixture) -> None:
    assert WholeEngine().call("DEBUG", "LOG", "here I am") == Status(b"OK")
    assert "here I am" in caplog.text


def test_help_names_every_subcommand() -> None:
    lines = [line.decode() for line in WholeEngine().call("DEBUG", "HELP")]
    named = {line.split()[0].lower() for line in lines[1:] if not line.startswith(" ")}
    assert named == {
        "digest",
        "digest-value",
        "error",
        "help",
        "log",
        "object",
        "protocol",
        "reload",
        "set-active-expire",
        "sleep",
    }
