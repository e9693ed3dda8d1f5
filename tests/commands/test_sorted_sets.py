"""Sorted set commands: what the comparison with redis-server cannot show.

Which effects a command leaves behind, that chance is fair, that nothing is read that is not asked for, and
that a change of many elements is all or nothing.
"""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Iterator

import pytest

from durable_redis.commands import sorted_set_algebra, sorted_set_ranges, sorted_sets, strings
from durable_redis.commands.collection_parts import DRAWS_MAX, EFFECT_ELEMENTS_MAX
from durable_redis.commands.sorted_sets import pop_members
from durable_redis.errors import ReplyError
from durable_redis.objects.sorted_set import SortedSet
from tests.support.fake_engine import FakeEngine

MODULES = (strings, sorted_sets, sorted_set_ranges, sorted_set_algebra)
LARGE = 2 * EFFECT_ELEMENTS_MAX + 1


@pytest.fixture
def engine() -> FakeEngine:
    """``z`` holds a 1, b 2, c 3; chance is seeded."""
    made = FakeEngine(MODULES)
    made.keyspace.rng = random.Random(7)
    made.run("ZADD", "z", 1, "a", 2, "b", 3, "c")
    return made


def fill(engine: FakeEngine, key: str, size: int) -> None:
    """Put that many members with equal steps of score under a key."""
    engine.run("ZADD", key, *(word for number in range(size) for word in (number, f"m{number:05d}")))


# -- effects -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("line", "effects"),
    [
        ("ZADD z 1 a 5 b 1 new", ["ZADD z 5 b 1 new"]),
        ("ZADD z 1 n 2 n 3 n", ["ZADD z 3 n"]),
        ("ZADD z 0x10 a", ["ZADD z 16 a"]),
        ("ZADD z 0.1 a", ["ZADD z 0.10000000000000001 a"]),
        ("ZADD z -Infinity a", ["ZADD z -inf a"]),
        ("ZADD z -0 n", ["ZADD z 0 n"]),
        ("ZADD z INCR 5 a", ["ZADD z 6 a"]),
        ("ZINCRBY z 0.5 a", ["ZADD z 1.5 a"]),
        ("ZREM z nope a a", ["ZREM z a"]),
        ("ZPOPMIN z", ["ZREM z a"]),
        ("ZPOPMAX z 2", ["ZREM z c b"]),
        ("ZPOPMIN z 99", ["ZREM z a b c"]),
        ("ZMPOP 2 missing z MAX COUNT 2", ["ZREM z c b"]),
        ("ZREMRANGEBYSCORE z 1 (3", ["ZREM z a b"]),
        ("ZREMRANGEBYRANK z -1 -1", ["ZREM z c"]),
        ("ZREMRANGEBYRANK z 0 -1", ["DEL z"]),
        ("ZRANGESTORE d z 0 1", ["ZADD d 1 a 2 b"]),
        ("ZRANGESTORE z z 0 1 REV", ["DEL z", "ZADD z 3 c 2 b"]),
        ("ZRANGESTORE z z 7 8", ["DEL z"]),
        ("ZUNIONSTORE d 1 z WEIGHTS -1", ["ZADD d -3 c -2 b -1 a"]),
        ("ZINTERSTORE z 2 z z", ["DEL z", "ZADD z 2 a 4 b 6 c"]),
        ("ZDIFFSTORE z 2 z z", ["DEL z"]),
        ("ZADD z 1 a", []),
        ("ZADD z XX 1 nope", []),
        ("ZADD z NX 9 a", []),
        ("ZADD z GT 0 a", []),
        ("ZADD z GT INCR 0 a", []),
        ("ZINCRBY z 0 a", []),
        ("ZREM z nope", []),
        ("ZPOPMIN z 0", []),
        ("ZPOPMIN missing", []),
        ("ZREMRANGEBYSCORE z 5 6", []),
        ("ZREMRANGEBYRANK z 3 9", []),
        ("ZRANGESTORE missing z 7 8", []),
        ("ZUNIONSTORE missing 1 missing", []),
    ],
)
def test_effects_are_canonical_and_only_what_changes(
    engine: FakeEngine, line: str, effects: list[str]
) -> None:
    assert not isinstance(engine.run(*line.split()), ReplyError)
    assert [b" ".join(effect).decode() for effect in engine.effects] == effects


def test_many_elements_become_several_effects(engine: FakeEngine) -> None:
    fill(engine, "big", LARGE)
    assert [(effect[0], len(effect)) for effect in engine.effects] == [
        *[(b"ZADD", 2 + 2 * EFFECT_ELEMENTS_MAX)] * 2,
        (b"ZADD", 4),
    ]
    assert engine.run("ZREMRANGEBYRANK", "big", 1, -1) == LARGE - 1
    assert [(effect[0], len(effect)) for effect in engine.effects] == [(b"ZREM", 2 + EFFECT_ELEMENTS_MAX)] * 2
    assert engine.run("ZRANGE", "big", 0, -1) == [b"m00000"]


def test_taking_all_of_many_deletes_the_key(engine: FakeEngine) -> None:
    fill(engine, "big", LARGE)
    popped = engine.run("ZPOPMAX", "big", LARGE)
    assert (len(popped), popped[0]) == (2 * LARGE, b"m02000")
    assert engine.effects[-1] == (b"DEL", b"big")
    assert b"ZREM" not in {effect[0] for effect in engine.effects}
    assert engine.run("ZCARD", "big") == 0


class FullEngine(FakeEngine):
    """An engine whose log has no room for anything large."""

    full = False

    def reserve(self, payload_bytes: int) -> None:
        if self.full and payload_bytes > EFFECT_ELEMENTS_MAX:
            raise ReplyError("MISCONF no room")


def test_without_room_for_all_effects_there_is_none() -> None:
    engine = FullEngine(MODULES)
    fill(engine, "big", LARGE)
    fill(engine, "d", 3)
    engine.full = True
    words = [word for number in range(LARGE) for word in (1, f"n{number}")]
    for line in (
        ["ZADD", "d", *words],
        ["ZUNIONSTORE", "d", 1, "big"],
        ["ZRANGESTORE", "d", "big", 0, -1],
        ["ZREMRANGEBYRANK", "big", 1, -1],
        ["ZPOPMIN", "big", LARGE - 1],
    ):
        assert engine.error(*line) == "MISCONF no room"
    assert engine.run("ZCARD", "d") == 3
    assert engine.run("ZCARD", "big") == LARGE


def test_popping_is_there_for_others_to_use(engine: FakeEngine) -> None:
    assert pop_members(engine.context, b"z", 2, highest=True) == [(3.0, b"c"), (2.0, b"b")]
    assert pop_members(engine.context, b"z", 2, highest=False) == [(1.0, b"a")]
    assert pop_members(engine.context, b"z", 2, highest=False) == []
    engine.run("SET", "s", "text")
    with pytest.raises(ReplyError, match="WRONGTYPE"):
        pop_members(engine.context, b"s", 1, highest=False)


# -- chance --------------------------------------------------------------------------------------------------


def test_each_member_is_drawn_about_as_often(engine: FakeEngine) -> None:
    rounds = 3000
    one = Counter(engine.run("ZRANDMEMBER", "z") for _ in range(rounds))
    many = Counter(engine.run("ZRANDMEMBER", "z", -rounds))
    two = Counter(member for _ in range(rounds) for member in engine.run("ZRANDMEMBER", "z", 2))
    for drawn, expected in ((one, rounds / 3), (many, rounds / 3), (two, rounds * 2 / 3)):
        assert drawn.keys() == {b"a", b"b", b"c"}
        assert all(abs(count - expected) < 0.15 * expected for count in drawn.values()), drawn


def test_a_positive_count_never_repeats_a_member(engine: FakeEngine) -> None:
    fill(engine, "big", 50)
    for count in (1, 25, 49, 50, 51):
        drawn = engine.run("ZRANDMEMBER", "big", count)
        assert len(drawn) == len(set(drawn)) == min(count, 50)


def test_drawn_members_come_with_their_scores(engine: FakeEngine) -> None:
    drawn = engine.run("ZRANDMEMBER", "z", -20, "WITHSCORES")
    assert len(drawn) == 40
    assert set(zip(drawn[::2], drawn[1::2], strict=True)) <= {(b"a", 1.0), (b"b", 2.0), (b"c", 3.0)}


def test_draws_with_repetition_have_a_limit(engine: FakeEngine) -> None:
    assert engine.error("ZRANDMEMBER", "z", -DRAWS_MAX - 1) == "ERR value is out of range"
    assert len(engine.run("ZRANDMEMBER", "z", -1000)) == 1000


# -- what is read --------------------------------------------------------------------------------------------


class Watched(SortedSet):
    """A sorted set that counts the elements it has given away."""

    given = 0

    def slice(self, start: int, stop: int, *, reverse: bool = False) -> Iterator[tuple[float, bytes]]:
        for element in super().slice(start, stop, reverse=reverse):
            self.given += 1
            yield element


@pytest.mark.parametrize(
    ("line", "given_max"),
    [
        ("ZRANGE w 0 1", 2),
        ("ZRANGE w 0 1 REV", 2),
        ("ZRANGE w -inf inf BYSCORE LIMIT 100 3", 3),
        ("ZREVRANGEBYSCORE w inf -inf LIMIT 100 3", 3),
        ("ZRANGE w 5 6 BYSCORE LIMIT 0 -1", 2),
        ("ZCOUNT w -inf inf", 0),
        ("ZRANK w m00400", 0),
        ("ZPOPMIN w", 1),
        ("ZREMRANGEBYRANK w 0 -1", 0),
        ("ZINTER 2 w z", 0),
        ("ZINTERCARD 2 w w LIMIT 2", 2),
        ("ZDIFF 2 z w", 0),
        ("ZRANDMEMBER w 3", 0),
    ],
)
def test_nothing_is_read_that_is_not_asked_for(engine: FakeEngine, line: str, given_max: int) -> None:
    watched = Watched()
    for number in range(500):
        watched.set(b"m%05d" % number, float(number), engine.keyspace.limits)
    engine.put(b"w", watched)
    assert not isinstance(engine.run(*line.split()), ReplyError)
    assert watched.given <= given_max
