"""The fast handlers give what the ordinary commands give, or they decline and do nothing."""

from __future__ import annotations

import pytest

from durable_redis.engine.fast import payload_of_writes
from durable_redis.engine.fast_collections import COLLECTION_HANDLERS, DECLINED, READ, WROTE
from tests.support.client import decode
from tests.support.whole_engine import WholeEngine

KEYS = (
    b"plain",
    b"number",
    b"big",
    b"negative",
    b"padded",
    b"huge",
    b"ttl",
    b"gone",
    b"raw",
    b"{tag}k",
    b"old",
    b"cold",
    b"none",
)
COMMANDS = (
    [(b"GET", key) for key in KEYS]
    + [(b"SET", key, b"new") for key in KEYS]
    + [(b"INCR", key) for key in KEYS]
    + [
        (b"PING",),
        (b"PING", b"x"),
        (b"GET",),
        (b"SET", b"plain", b"v", b"EX", b"10"),
        (b"SET", b"plain"),
        (b"INCR", b"a", b"b"),
    ]
)


def prepared(protocol: int) -> WholeEngine:
    whole = WholeEngine({}, protocol)
    whole.engine.refresh(whole.client)
    whole.call("SET", "cold", "7")
    whole.make_cold()
    whole.call("SET", "plain", "text")
    whole.call("SET", "number", "41")
    whole.call("SET", "big", "9223372036854775807")
    whole.call("SET", "negative", "-5")
    whole.call("SET", "padded", "007")
    whole.call("SET", "huge", "x" * 70_000)
    whole.call("SET", "ttl", "1", "PX", "5000")
    whole.call("SET", "gone", "1", "PX", "10")
    whole.call("APPEND", "raw", "12")
    whole.call("APPEND", "raw", "3")
    whole.call("SET", "{tag}k", "9")
    whole.call("SET", "old", "3")
    for shard in whole.engine.keyspace.database(0).shards:
        if b"old" in shard.young:
            shard.old, shard.young = shard.young, shard.old
    whole.clock.ms += 100
    whole.engine.begin_batch()
    return whole


def summary(whole: WholeEngine) -> dict[str, object]:
    found: dict[str, object] = {"size": whole.call("DBSIZE")}
    for key in KEYS:
        found[key.decode()] = (
            whole.call("GET", key),
            whole.call("PTTL", key),
            whole.call("OBJECT", "ENCODING", key),
        )
    return found


@pytest.mark.parametrize("protocol", [2, 3])
@pytest.mark.parametrize("argv", COMMANDS, ids=lambda argv: b" ".join(argv).decode())
def test_fast_equals_ordinary(argv: tuple[bytes, ...], protocol: int) -> None:
    ordinary, fast = prepared(protocol), prepared(protocol)
    expected = ordinary.call(*argv)
    handler = fast.client.fast[argv[0]]
    out: list[bytes] = []
    before = fast.engine.log.position
    done = handler(fast.client.db, list(argv), out)
    assert fast.engine.log.position == before, "a fast handler leaves the log to its caller"
    if done == DECLINED:
        assert not out
        assert fast.call(*argv) == expected
    else:
        reply, end = decode(b"".join(out), 0)
        assert end == len(b"".join(out))
        assert reply == expected
    assert summary(fast) == summary(ordinary)


def test_the_plain_cases_are_fast() -> None:
    """The hot path is for these; if they were declined nothing would be wrong but the speed."""
    whole = prepared(2)
    for argv in ((b"GET", b"plain"), (b"SET", b"plain", b"v"), (b"INCR", b"number"), (b"PING",)):
        assert whole.client.fast[argv[0]](whole.client.db, list(argv), []) != DECLINED


@pytest.mark.parametrize("word", [5, None, [b"k"], 1.5, True])
def test_what_is_not_bytes_is_refused(word: object) -> None:
    whole = prepared(2)
    for argv in ([b"GET", word], [b"SET", word, b"v"], [b"INCR", word]):
        with pytest.raises(TypeError):
            whole.client.fast[argv[0]](whole.client.db, argv, [])  # type: ignore[arg-type, index]
    assert whole.client.fast[b"SET"](whole.client.db, [b"SET", b"k", word], []) == DECLINED  # type: ignore[list-item]


def test_special_clients_have_no_fast_path() -> None:
    whole = prepared(2)
    whole.call("CLIENT", "REPLY", "OFF")
    assert not whole.client.fast
    whole.call("CLIENT", "REPLY", "ON")
    assert whole.client.fast
    whole.engine.pause.begin(whole.clock.ms + 1000, writes_only=True)
    assert b"SET" not in whole.client.fast
    assert b"GET" in whole.client.fast
    whole.engine.pause.end()
    assert b"SET" in whole.client.fast


@pytest.mark.parametrize("argv", [(b"SET", b"new", b"v"), (b"INCR", b"new"), (b"GET", b"new")])
def test_new_keys_are_fast_while_everything_is_in_memory(argv: tuple[bytes, ...]) -> None:
    ordinary, fast = WholeEngine({}), WholeEngine({})
    for whole in (ordinary, fast):
        whole.engine.refresh(whole.client)
        whole.call("SET", "other", "1")
    expected = ordinary.call(*argv)
    out: list[bytes] = []
    assert fast.client.fast[argv[0]](fast.client.db, list(argv), out) != DECLINED
    assert decode(b"".join(out), 0)[0] == expected
    for words in (("GET", "new"), ("DBSIZE",), ("OBJECT", "ENCODING", "new")):
        assert fast.call(*words) == ordinary.call(*words)


# -- collections ---------------------------------------------------------------------------------------------

NAMES = ("plain", "ttl", "gone", "cold", "frozen", "one", "full", "big", "{tag}", "string", "none")
OPERATIONS = [
    words
    for name in NAMES
    for words in (
        f"LPUSH l:{name} v",
        f"RPUSH l:{name} v",
        f"LPOP l:{name}",
        f"RPOP l:{name}",
        f"HSET h:{name} f v",
        f"HSET h:{name} new v",
        f"HSET h:{name} new {'v' * 70}",
        f"HGET h:{name} f",
        f"HGET h:{name} new",
        f"SADD s:{name} 1",
        f"SADD s:{name} new",
        f"ZADD z:{name} 1 m1",
        f"ZADD z:{name} 7 m1",
        f"ZADD z:{name} 007 new",
        f"ZADD z:{name} 1.5 new",
        f"ZADD z:{name} -1 m1",
        f"ZADD z:{name} 99999999999999999999 m1",
        f"HGET s:{name} f",
        f"SADD h:{name} f",
    )
]


def make(whole: WholeEngine, name: str, count: int) -> None:
    for number in range(count):
        whole.call("RPUSH", f"l:{name}", f"e{number}")
        whole.call("HSET", f"h:{name}", "f" if number == 0 else f"f{number}", f"v{number}")
        whole.call("SADD", f"s:{name}", number + 1)
        whole.call("ZADD", f"z:{name}", number % 3, f"m{number}")


def with_collections() -> WholeEngine:
    whole = WholeEngine({"collection-compact-entries": 8})
    whole.engine.refresh(whole.client)
    make(whole, "cold", 3)
    whole.make_cold()
    make(whole, "frozen", 3)
    whole.checkpoint()
    for name, count in (
        ("plain", 3),
        ("ttl", 3),
        ("gone", 3),
        ("one", 1),
        ("full", 8),
        ("big", 12),
        ("{tag}", 3),
    ):
        make(whole, name, count)
    for kind in "lhsz":
        whole.call("PEXPIRE", f"{kind}:ttl", 5000)
        whole.call("PEXPIRE", f"{kind}:gone", 10)
        whole.call("SET", f"{kind}:string", "v")
    whole.clock.ms += 100
    whole.engine.begin_batch()
    return whole


def state(whole: WholeEngine) -> list[object]:
    keys = [f"{kind}:{name}" for kind in "lhsz" for name in NAMES]
    encodings = [whole.call("OBJECT", "ENCODING", key) for key in keys]  # what has expired leaves
    return [whole.call("DBSIZE"), whole.call("DEBUG", "DIGEST"), *encodings]


@pytest.mark.parametrize("text", OPERATIONS)
def test_fast_collections_equal_ordinary(text: str) -> None:
    """Also in what a crash leaves: the logged bytes do the same when they are replayed."""
    argv = [word.encode() for word in text.split()]
    ordinary, fast = with_collections(), with_collections()
    expected = ordinary.call(*argv)
    handler = fast.client.fast[argv[0]]
    out: list[bytes] = []
    done = handler(fast.client.db, list(argv), out)
    if done == DECLINED:
        assert not out
        assert fast.call(*argv) == expected
    else:
        reply, end = decode(b"".join(out), 0)
        assert (reply, end) == (expected, len(b"".join(out)))
        if done == WROTE:
            fast.engine.log.append(0, payload_of_writes([argv]))
        fast.engine.commit()
    before = state(fast)
    assert before == state(ordinary)
    fast.restart()
    fast.engine.begin_batch()
    assert state(fast)[:2] == before[:2]


def test_plain_collections_are_fast() -> None:
    whole = with_collections()
    for name in ("plain", "big"):
        for text in (
            f"LPUSH l:{name} v",
            f"RPOP l:{name}",
            f"HSET h:{name} f v",
            f"SADD s:{name} new",
            f"ZADD z:{name} 7 new",
        ):
            argv = [word.encode() for word in text.split()]
            assert whole.client.fast[argv[0]](whole.client.db, argv, []) == WROTE, text
        assert whole.client.fast[b"HGET"](whole.client.db, [b"HGET", f"h:{name}".encode(), b"f"], []) == READ


@pytest.mark.parametrize("word", [5, None, [b"k"], 1.5, True])
@pytest.mark.parametrize("name", COLLECTION_HANDLERS)
def test_elements_that_are_not_bytes_are_refused(name: str, word: object) -> None:
    whole = with_collections()
    before = state(whole)
    key = f"{ {'L': 'l', 'R': 'l', 'H': 'h', 'S': 's', 'Z': 'z'}[name[0]] }:plain".encode()
    for argv in ([name, word], [name, key, word], [name, key, word, b"v"], [name, key, b"1", word]):
        try:
            assert whole.client.fast[name.encode()](whole.client.db, argv, []) == DECLINED  # type: ignore[arg-type]
        except TypeError:
            pass
    assert state(whole) == before
