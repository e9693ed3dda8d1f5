"""Stream commands: the effects they come to, and that the effects alone give the same state."""

from __future__ import annotations

import random

import pytest

from durable_redis.commands import (
    generic,
    stream_claims,
    stream_groups,
    stream_info,
    stream_reads,
    streams,
    strings,
)
from durable_redis.commands.context import PENDING, KeyWait
from durable_redis.commands.stream_ids import maybe_id
from durable_redis.keyspace.keyspace import Keyspace
from durable_redis.objects.codec import decode_value, encode_body
from durable_redis.objects.entry import kind_of
from durable_redis.objects.stream import Stream
from durable_redis.objects.stream_node import (
    ID_MAX,
    ID_MIN,
    Node,
    integer_bytes,
    next_id,
    previous_id,
    word_bytes,
)
from durable_redis.resp.replies import NULL_ARRAY
from storage.backends.memory import MemoryBackend
from tests.differential.generators import streams as generator
from tests.differential.generators.source import Source
from tests.support.fake_engine import NOW_MS, FakeEngine

MODULES = [streams, stream_reads, stream_groups, stream_claims, stream_info, generic, strings]
NOW = str(NOW_MS)


@pytest.fixture
def engine() -> FakeEngine:
    """``s`` has 1-1 … 4-1, of which 1-1 and 2-1 are pending for ``a`` in group ``g``, since a second."""
    made = FakeEngine(MODULES)
    for at in range(1, 5):
        made.run("XADD", "s", f"{at}-1", "f", at)
    made.run("XGROUP", "CREATE", "s", "g", "0", "ENTRIESREAD", "0")
    made.keyspace.now_ms -= 1000
    made.run("XREADGROUP", "GROUP", "g", "a", "COUNT", 2, "STREAMS", "s", ">")
    made.keyspace.now_ms += 1000
    made.effects.clear()
    return made


@pytest.mark.parametrize(
    ("line", "effects"),
    [
        ("XADD s 5-* f v", ["XADD s 5-0 f v"]),
        ("XADD s 4-* f v", ["XADD s 4-2 f v"]),
        ("xadd new * f v", [f"XADD new {NOW}-0 f v"]),
        ("XADD s NOMKSTREAM maxlen 2 5 f v", ["XADD s 5-0 f v", "XTRIM s MAXLEN = 2"]),
        ("XADD s MAXLEN ~ 2 5-1 f v", ["XADD s 5-1 f v"]),
        ("XADD s MAXLEN 9 5-1 f v", ["XADD s 5-1 f v"]),
        ("XADD s MINID 3 5-1 f v", ["XADD s 5-1 f v", "XTRIM s MINID = 3-0"]),
        ("XTRIM s MAXLEN 1", ["XTRIM s MAXLEN = 1"]),
        ("XTRIM s MAXLEN ~ 0", ["XTRIM s MINID = 4-2"]),
        ("XTRIM s MINID ~ 9", ["XTRIM s MINID = 4-2"]),
        ("XDEL s 1-1 9-9 1-1 3-1", ["XDEL s 1-1 3-1"]),
        ("XSETID s 9", ["XSETID s 9-0 ENTRIESADDED 4"]),
        ("XSETID s 9 MAXDELETEDID 0-0", ["XSETID s 9-0 ENTRIESADDED 4"]),
        ("XSETID s 9 MAXDELETEDID 8", ["XSETID s 9-0 ENTRIESADDED 4 MAXDELETEDID 8-0"]),
        ("XGROUP CREATE s h $", ["XGROUP CREATE s h 4-1 ENTRIESREAD -1"]),
        ("XGROUP CREATE q h 5 mkstream", ["XGROUP CREATE q h 5-0 MKSTREAM ENTRIESREAD -1"]),
        ("XGROUP SETID s g $ ENTRIESREAD 4", ["XGROUP SETID s g 4-1 ENTRIESREAD 4"]),
        ("XGROUP DESTROY s g", ["XGROUP DESTROY s g"]),
        ("XGROUP DELCONSUMER s g a", ["XGROUP DELCONSUMER s g a"]),
        (
            "XGROUP CREATECONSUMER s g b",
            ["XGROUP CREATECONSUMER s g b", f"XCLAIM s g b 0 0-0 TIME {NOW} JUSTID"],
        ),
        ("XACK s g 1-1 1-1 3-1 2-1", ["XACK s g 1-1 2-1"]),
        (
            "XREADGROUP GROUP g b STREAMS s >",
            [
                f"XCLAIM s g b 0 3-1 4-1 TIME {NOW} RETRYCOUNT 1 FORCE JUSTID LASTID 2-1",
                "XGROUP SETID s g 4-1 ENTRIESREAD 4",
            ],
        ),
        (
            "XREADGROUP GROUP g a NOACK STREAMS s >",
            [f"XCLAIM s g a 0 0-0 TIME {NOW} JUSTID", "XGROUP SETID s g 4-1 ENTRIESREAD 4"],
        ),
        (
            "XREADGROUP GROUP g a STREAMS s 0",
            [f"XCLAIM s g a 0 1-1 2-1 TIME {NOW} RETRYCOUNT 2 FORCE JUSTID LASTID 2-1"],
        ),
        ("XREADGROUP GROUP g a STREAMS s 7", [f"XCLAIM s g a 0 0-0 TIME {NOW} JUSTID"]),
        (
            "XCLAIM s g b 0 1-1 2-1 JUSTID",
            [f"XCLAIM s g b 0 1-1 2-1 TIME {NOW} RETRYCOUNT 1 FORCE JUSTID LASTID 2-1"],
        ),
        (
            "XCLAIM s g b 0 1-1 1-1 2-1 IDLE 300 LASTID 3-1",
            [
                "XGROUP SETID s g 3-1 ENTRIESREAD 2",
                f"XCLAIM s g b 0 1-1 TIME {NOW_MS - 300} RETRYCOUNT 3 FORCE JUSTID LASTID 3-1",
                f"XCLAIM s g b 0 2-1 TIME {NOW_MS - 300} RETRYCOUNT 2 FORCE JUSTID LASTID 3-1",
            ],
        ),
        (
            "XAUTOCLAIM s g b 1000 - COUNT 1",
            [f"XCLAIM s g b 0 1-1 TIME {NOW} RETRYCOUNT 2 FORCE JUSTID LASTID 2-1"],
        ),
    ],
)
def test_effects_are_settled(engine: FakeEngine, line: str, effects: list[str]) -> None:
    engine.run(*line.split())
    assert engine.effects == [tuple(effect.encode().split()) for effect in effects]


@pytest.mark.parametrize(
    "line",
    [
        "XADD missing NOMKSTREAM * f v",
        "XTRIM s MAXLEN 4",
        "XTRIM s MINID 1-1",
        "XTRIM s MAXLEN ~ 2 LIMIT 3",
        "XDEL s 9-9",
        "XDEL missing 1-1",
        "XACK s g 3-1",
        "XACK s missing 1-1",
        "XGROUP CREATECONSUMER s g a",
        "XGROUP DELCONSUMER s g b",
        "XGROUP DESTROY s h",
        "XCLAIM s g b 2000 1-1",
        "XCLAIM s g b 0 3-1",
        "XCLAIM s g b 0 9-9 FORCE",
        "XAUTOCLAIM s g b 2000 0",
        "XREAD STREAMS s 0",
        "XPENDING s g - + 10",
        "XINFO STREAM s FULL",
    ],
)
def test_what_changes_nothing_applies_nothing(engine: FakeEngine, line: str) -> None:
    before = encode_body(engine.keyspace.database(0).find(b"s") or b"")
    engine.run(*line.split())
    assert engine.effects == []
    assert encode_body(engine.keyspace.database(0).find(b"s") or b"") == before


def test_entries_that_are_gone_stop_being_pending(engine: FakeEngine) -> None:
    engine.run("XDEL", "s", "1-1")
    reply = engine.run("XAUTOCLAIM", "s", "g", "b", 0, 0)
    assert reply == [b"0-0", [[b"2-1", [b"f", b"2"]]], [b"1-1"]]
    assert engine.effects[0] == (b"XACK", b"s", b"g", b"1-1")


def test_an_idle_consumer_is_noted_once_a_second(engine: FakeEngine) -> None:
    for passed_ms, noted in ((0, 1), (999, 0), (1, 1), (500, 0)):
        engine.keyspace.now_ms += passed_ms
        engine.run("XREADGROUP", "GROUP", "g", "a", "STREAMS", "s", "7")
        assert len(engine.effects) == noted, passed_ms


def test_many_deliveries_are_cut_into_several_effects(engine: FakeEngine) -> None:
    for at in range(5, 2505):
        engine.run("XADD", "s", f"{at}-0", "f", "v")
    engine.run("XREADGROUP", "GROUP", "g", "b", "STREAMS", "s", ">")
    assert [len(effect) for effect in engine.effects if effect[0] == b"XCLAIM"] == [1013, 1013, 515]
    assert engine.run("XPENDING", "s", "g")[0] == 2504
    engine.run("XACK", "s", "g", *(f"{at}-0" for at in range(5, 2505)))
    assert engine.run("XPENDING", "s", "g")[0] == 2 + 2


@pytest.mark.parametrize("seed", range(12))
def test_replaying_the_effects_gives_the_same_state(seed: int) -> None:
    engine = FakeEngine(MODULES)
    engine.keyspace.limits.stream_node_entries = 4
    source = Source(seed)
    clock = random.Random(seed)
    effects: list[tuple[bytes, ...]] = []
    for _ in range(400):
        step = generator.generate(source)
        if step.words[0].decode().upper() not in engine.table or any(b"{" in word for word in step.words):
            continue
        engine.keyspace.now_ms += clock.choice((0, 1, 700, 5000))
        reply = engine.run(*step.words)
        effects += engine.effects
        if isinstance(reply, KeyWait):
            assert engine.effects == []
    second = Keyspace(MemoryBackend(), "0" * 40, 16)
    second.limits.stream_node_entries = 4
    feed = iter([*effects, False])
    second.replay(0, None, lambda: next(feed))
    seen = 0
    for name in set(generator.KEYS):
        first, again = (keyspace.database(0).find(name) for keyspace in (engine.keyspace, second))
        assert (first is None) == (again is None)
        if first is None or again is None:
            continue
        assert encode_body(first) == encode_body(again)
        if isinstance(first, Stream):
            seen += 1
            loaded = decode_value(kind_of(first), 0, bytes(encode_body(first)), second.reader)
            assert isinstance(loaded, Stream)
            assert encode_body(loaded) == encode_body(first)
            assert list(loaded.range()) == list(first.range())
            assert (len(loaded), loaded.payload_bytes) == (len(first), first.payload_bytes)
    assert seen


def test_ranges_and_nodes_agree_with_a_plain_list() -> None:
    rng = random.Random(5)
    keyspace = Keyspace(MemoryBackend(), "0" * 40, 16)
    keyspace.limits.stream_node_entries = 7
    stream = Stream()
    plain: list[tuple[tuple[int, int], list[bytes]]] = []
    for at in range(1, 300):
        words = [b"f", b"%d" % at] if rng.random() < 0.7 else [b"g", b"", b"h", b"x"]
        id = (at // 3 + 1, at % 3)
        stream.add(id, list(words), keyspace.limits)
        plain.append((id, words))
        if rng.random() < 0.3:
            gone = rng.choice(plain)
            assert stream.delete(gone[0])
            assert not stream.delete(gone[0])
            plain.remove(gone)
    for _ in range(300):
        start, end = sorted((rng.randrange(110), rng.randrange(4)) for _ in range(2))
        expected = [entry for entry in plain if start <= entry[0] <= end]
        assert list(stream.range(start, end)) == expected
        assert list(stream.range(start, end, reverse=True)) == expected[::-1]
    assert all(stream.get(id) == words for id, words in plain)
    assert stream.get((500, 0)) is stream.get(ID_MIN) is None
    assert stream.trim_before(plain[50][0]) == 50
    assert stream.trim_to(100) == len(plain) - 150
    assert list(stream.range()) == plain[-100:]
    assert stream.first_id == plain[-100][0]
    assert stream.payload_bytes == sum(len(word) for _, words in plain[-100:] for word in words)


def test_a_node_shares_the_names_of_its_fields() -> None:
    node = Node((1, 0), [b"name"])
    node.add((1, 0), [b"name", b"a"])
    words = [bytes(bytearray(b"name")), b"b"]
    node.add((2, 0), words)
    assert words[0] is node.fields[0]


def test_ids_before_and_behind() -> None:
    for id in (ID_MIN, (0, 5), (1, 0), (7, 2**64 - 1), ID_MAX):
        following = next_id(id)
        assert following is None or (following > id and previous_id(following) == id)
    assert next_id(ID_MAX) is previous_id(ID_MIN) is None


@pytest.mark.parametrize("raw", [b"1-1", b"0001-0001", b"18446744073709551615", b" \t1-+7", b"3--01"])
def test_ids_that_are(raw: bytes) -> None:
    assert maybe_id(raw) is not None


@pytest.mark.parametrize("raw", [b"", b"-", b"+", b"1-", b"-1", b"1_0", b"1-1-1", b"\xb2", b"1" * 21])
def test_ids_that_are_not(raw: bytes) -> None:
    assert maybe_id(raw) is None


def test_sizes_in_a_listpack() -> None:
    assert [integer_bytes(n) for n in (0, 127, 128, -1, 4095, 4096, -32768, 1 << 22, 1 << 30, 1 << 40)] == [
        *(2, 2, 3, 3, 3, 4, 4, 5, 6, 10)
    ]
    sizes = {
        b"": 2,
        b"12": 2,
        b"012": 5,
        b"-5": 3,
        b"a" * 63: 65,
        b"a" * 64: 67,
        b"a" * 125: 128,
        b"a" * 126: 130,
    }
    assert {word: word_bytes(word) for word in sizes} == sizes


def test_waiting_ends_with_what_is_added_only(engine: FakeEngine) -> None:
    wait = engine.run("XREADGROUP", "GROUP", "g", "a", "BLOCK", 0, "STREAMS", "s", ">")
    assert wait != NULL_ARRAY  # there is something already
    wait = engine.run("XREADGROUP", "GROUP", "g", "a", "BLOCK", 0, "STREAMS", "s", ">")
    assert isinstance(wait, KeyWait)
    engine.run("XGROUP", "SETID", "s", "g", 0)
    before = len(engine.effects)
    wait.attempt(b"s")
    assert len(engine.effects) == before
    engine.run("XADD", "s", "9-1", "f", "v")
    reply = wait.attempt(b"s")
    assert [id for id, _ in reply[0][1]] == [b"1-1", b"2-1", b"3-1", b"4-1", b"9-1"]


def test_a_last_id_below_a_deleted_one_is_logged_as_redis_takes_it(engine: FakeEngine) -> None:
    """Redis refuses a MAXDELETEDID above the ID, also one that the stream has already."""
    engine.run("XDEL", "s", "4-1")
    engine.run("XSETID", "s", "3-1")
    assert engine.effects == [(b"XSETID", b"s", b"3-1", b"ENTRIESADDED", b"4")]
    stream = engine.context.stream(b"s")
    assert stream is not None
    assert (stream.last_id, stream.max_deleted_id, stream.entries_added) == ((3, 1), (4, 1), 4)


@pytest.mark.parametrize("replace", ["RENAME other s", "COPY other s REPLACE"])
def test_waiting_ends_with_another_stream_in_place_of_the_first(engine: FakeEngine, replace: str) -> None:
    """Also if as many entries were ever added to it, and, for a group, if its IDs are no greater."""
    reading = engine.run("XREAD", "BLOCK", 0, "STREAMS", "s", "$")
    engine.run("XREADGROUP", "GROUP", "g", "a", "STREAMS", "s", ">")
    delivering = engine.run("XREADGROUP", "GROUP", "g", "a", "BLOCK", 0, "STREAMS", "s", ">")
    for id in ("1-1", "2-1", "3-1", "4-0"):
        engine.run("XADD", "low", id, "f", "v")
    engine.run("XGROUP", "CREATE", "low", "g", "3-1")
    engine.run(*replace.replace("other", "low").split())
    assert [id for id, _ in delivering.attempt(b"s")[0][1]] == [b"4-0"]
    for id in ("1-1", "2-1", "3-1", "9-1"):
        engine.run("XADD", "high", id, "f", "v")
    engine.run(*replace.replace("other", "high").split())
    assert [id for id, _ in reading.attempt(b"s")[0][1]] == [b"9-1"]


@pytest.mark.parametrize(
    "line",
    ["XSETID s 9-9 ENTRIESADDED 7", "XDEL s 4-1", "XTRIM s MAXLEN 2", "XACK s g 1-1", "XGROUP CREATE s h 0"],
)
def test_waiting_for_a_group_goes_on_when_nothing_was_added(engine: FakeEngine, line: str) -> None:
    engine.run("XREADGROUP", "GROUP", "g", "a", "STREAMS", "s", ">")
    wait = engine.run("XREADGROUP", "GROUP", "g", "a", "BLOCK", 0, "STREAMS", "s", ">")
    engine.run("XGROUP", "SETID", "s", "g", 0)
    engine.run(*line.split())
    assert engine.effects
    assert wait.attempt(b"s") is PENDING
    engine.run("XADD", "s", "10-1", "f", "v")
    assert wait.attempt(b"s")[0][1][-1][0] == b"10-1"
