"""List commands and SORT: the effects they come to, which no client sees, and what needs many elements."""

from __future__ import annotations

import random

import pytest

from durable_redis.commands import list_pops, lists, sort
from durable_redis.commands.list_pops import LEFT, RIGHT, move, multi_pop
from durable_redis.commands.lists import EFFECT_ELEMENTS_MAX
from durable_redis.resp.replies import NULL_ARRAY
from tests.support.fake_engine import FakeEngine

LATER = b"1800000000000"


@pytest.fixture
def engine() -> FakeEngine:
    """The list ``l`` is a b c d e, ``one`` is x, ``s`` the set 1 2 3, ``z`` a sorted set, ``t`` a string."""
    made = FakeEngine([lists, list_pops, sort])
    made.context.apply(b"RPUSH", b"l", b"a", b"b", b"c", b"d", b"e")
    made.context.apply(b"RPUSH", b"one", b"x")
    made.context.apply(b"SADD", b"s", b"2", b"3", b"1")
    made.context.apply(b"ZADD", b"z", b"3", b"a", b"2", b"b", b"1", b"c")
    made.context.apply(b"SET", b"t", b"text")
    made.effects.clear()
    return made


def content(engine: FakeEngine, key: str) -> list[bytes]:
    reply = engine.run("LRANGE", key, 0, -1)
    assert type(reply) is list
    return reply


@pytest.mark.parametrize(
    ("line", "effect"),
    [
        ("LPUSH l x y", "LPUSH l x y"),
        ("rpushx l x y", "RPUSH l x y"),
        ("LPUSHX l x", "LPUSH l x"),
        ("LSET l -1 x", "LSET l 4 x"),
        ("LSET l 0 x", "LSET l 0 x"),
        ("LINSERT l before c x", "LINSERT l BEFORE c x"),
        ("LINSERT l After c x", "LINSERT l AFTER c x"),
        ("LPOP l", "LPOP l"),
        ("LPOP l 1", "LPOP l"),
        ("LPOP l 2", "LPOP l 2"),
        ("RPOP l 9223372036854775807", "RPOP l 5"),
        ("LMPOP 2 missing l left COUNT 100", "LPOP l 5"),
        ("LMPOP 1 l Right", "RPOP l"),
        ("LMOVE l one left right", "LMOVE l one LEFT RIGHT"),
        ("LMOVE l l LEFT RIGHT", "LMOVE l l LEFT RIGHT"),
        ("RPOPLPUSH l new", "LMOVE l new RIGHT LEFT"),
        ("LREM l -2 c", "LREM l -2 c"),
        ("LTRIM l -4 100", "LTRIM l 1 4"),
        ("LTRIM l -100 -2", "LTRIM l 0 3"),
        ("LTRIM l 5 10", "LTRIM l 1 0"),
        ("LTRIM l 3 2", "LTRIM l 1 0"),
        ("LTRIM l 0 -6", "LTRIM l 1 0"),
    ],
)
def test_effects_are_settled(engine: FakeEngine, line: str, effect: str) -> None:
    engine.run(*line.split())
    assert engine.effects == [tuple(effect.encode().split())]


@pytest.mark.parametrize(
    "line",
    [
        "LPUSHX missing x",
        "RPUSHX missing x",
        "LINSERT l BEFORE missing x",
        "LINSERT missing BEFORE c x",
        "LPOP missing",
        "LPOP l 0",
        "RPOP missing 3",
        "LMPOP 1 missing LEFT",
        "LMOVE missing l LEFT LEFT",
        "LMOVE l l LEFT LEFT",
        "LMOVE one one LEFT RIGHT",
        "RPOPLPUSH one one",
        "LREM l 0 missing",
        "LREM missing 0 a",
        "LTRIM l 0 -1",
        "LTRIM l -5 4",
        "LTRIM missing 0 1",
        "LRANGE l 0 -1",
        "SORT s",
        "SORT_RO s",
        "SORT missing STORE new",
    ],
)
def test_what_changes_nothing_applies_nothing(engine: FakeEngine, line: str) -> None:
    engine.run(*line.split())
    assert engine.effects == []


def test_moving_an_element_onto_itself_answers_it(engine: FakeEngine) -> None:
    assert engine.run("LMOVE", "l", "l", "LEFT", "LEFT") == b"a"
    assert engine.run("LMOVE", "l", "l", "RIGHT", "RIGHT") == b"e"
    assert engine.run("RPOPLPUSH", "one", "one") == b"x"


@pytest.mark.parametrize("name", ["LPUSH", "RPUSH"])
def test_a_long_push_is_several_effects(engine: FakeEngine, name: str) -> None:
    elements = [b"%d" % number for number in range(2 * EFFECT_ELEMENTS_MAX + 1)]
    assert engine.run(name, "new", *elements) == len(elements)
    assert [len(effect) - 2 for effect in engine.effects] == [EFFECT_ELEMENTS_MAX, EFFECT_ELEMENTS_MAX, 1]
    assert content(engine, "new") == (elements if name == "RPUSH" else elements[::-1])
    assert engine.run(name, "other", *elements[:EFFECT_ELEMENTS_MAX]) == EFFECT_ELEMENTS_MAX
    assert len(engine.effects) == 1


def test_the_parts_for_blocking_commands(engine: FakeEngine) -> None:
    ctx = engine.context
    assert multi_pop(ctx, [b"missing"], LEFT, 1) is None
    assert multi_pop(ctx, [b"missing", b"l", b"t"], RIGHT, 2) == [b"l", [b"e", b"d"]]
    assert move(ctx, b"missing", b"t", LEFT, LEFT) is None
    assert move(ctx, b"one", b"l", LEFT, LEFT) == b"x"
    assert content(engine, "l") == [b"x", b"a", b"b", b"c"]
    assert engine.run("LMPOP", 1, "missing", "LEFT") is NULL_ARRAY


# -- SORT ----------------------------------------------------------------------------------------------------


def test_store_replaces_what_was_there(engine: FakeEngine) -> None:
    engine.context.apply(b"PEXPIREAT", b"t", LATER)
    assert engine.run("SORT", "s", "DESC", "STORE", "t") == 3
    assert engine.effects == [(b"DEL", b"t"), (b"RPUSH", b"t", b"3", b"2", b"1")]
    assert engine.run("SORT", "s", "GET", "none*", "GET", "#", "STORE", "new") == 6
    assert engine.effects == [(b"RPUSH", b"new", b"", b"1", b"", b"2", b"", b"3")]
    assert engine.run("SORT", "s", "LIMIT", 3, 1, "STORE", "t") == 0
    assert engine.effects == [(b"DEL", b"t")]


def test_a_long_result_is_stored_in_several_effects(engine: FakeEngine) -> None:
    size = 2 * EFFECT_ELEMENTS_MAX + 1
    elements = [b"%d" % number for number in range(size)]
    random.Random(1).shuffle(elements)
    engine.run("RPUSH", "long", *elements)
    assert engine.run("SORT", "long", "STORE", "t") == size
    assert [effect[0] for effect in engine.effects] == [b"DEL", b"RPUSH", b"RPUSH", b"RPUSH"]
    assert content(engine, "t") == sorted(elements, key=int)
    assert engine.run("SORT", "long", "DESC", "STORE", "long") == size
    assert content(engine, "long") == sorted(elements, key=int, reverse=True)
    assert engine.run("SORT", "long", "LIMIT", 10, 3) == [b"10", b"11", b"12"]


def test_sets_and_sorted_sets(engine: FakeEngine) -> None:
    assert engine.run("SORT", "s") == [b"1", b"2", b"3"]
    assert engine.run("SORT", "s", "BY", "nosort", "STORE", "new") == 3
    assert content(engine, "new") == [b"1", b"2", b"3"]
    assert sorted(engine.run("SORT", "s", "BY", "nosort", "DESC")) == [b"1", b"2", b"3"]
    assert len(engine.run("SORT", "s", "BY", "nosort", "LIMIT", 1, 5)) == 2
    assert engine.run("SORT", "z", "ALPHA", "DESC") == [b"c", b"b", b"a"]
    assert engine.run("SORT", "z", "BY", "nosort") == [b"c", b"b", b"a"]
    assert engine.run("SORT", "z", "BY", "nosort", "DESC", "LIMIT", 0, 2) == [b"a", b"b"]
    assert engine.run("SORT", "z", "BY", "nosort", "DESC", "LIMIT", 2, 2) == [b"c"]


def test_fields_of_hashes(engine: FakeEngine) -> None:
    for number, weight in ((b"1", b"30"), (b"2", b"20"), (b"3", b"10")):
        engine.context.apply(b"HSET", b"h" + number + b"x", b"f", weight)
    assert engine.run("SORT", "s", "BY", "h*x->f") == [b"3", b"2", b"1"]
    assert engine.run("SORT", "s", "GET", "h*x->f", "GET", "h*x") == [b"30", None, b"20", None, b"10", None]
    assert engine.run("SORT", "s", "GET", "t*->f", "GET", "h*x->none") == [None] * 6


def test_lookups_count_as_reads(engine: FakeEngine) -> None:
    reads = engine.statistics.keyspace_reads
    misses = engine.context.db.misses
    engine.run("SORT", "s", "BY", "w*", "GET", "g*", "GET", "#")
    assert engine.statistics.keyspace_reads - reads == 7
    assert engine.context.db.misses - misses == 6


def test_a_value_that_was_changed_in_place_is_copied(engine: FakeEngine) -> None:
    engine.context.apply(b"APPEND", b"w1", b"5")
    engine.context.apply(b"APPEND", b"w1", b"0")
    reply = engine.run("SORT", "s", "BY", "w*", "GET", "w*")
    assert reply == [None, None, b"50"]
    assert all(type(value) is bytes for value in reply if value is not None)
