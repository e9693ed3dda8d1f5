"""The hash commands with all their options."""

from __future__ import annotations

from tests.differential.generators.source import Source, Word
from tests.support.script import Step

FIELDS = (b"f", b"g", b"h", b"", b"1", b"n" * 65, b"\x00\xff")


def generate(source: Source) -> Step:
    """One hash command."""
    draw = source.random.choices(_GENERATORS, _WEIGHTS)[0]
    return source.mangle(draw(source))


def _field(source: Source) -> bytes:
    return source.random.choice(FIELDS) if source.chance(0.85) else source.value()


def _set(source: Source) -> list[Word]:
    words: list[Word] = [source.pick("HSET", "HSET", "HMSET", "hset"), source.key()]
    for _ in source.some(1, 5):
        words += [_field(source), source.value()]
    if source.chance(0.03):
        words.pop()
    return words


def _one(source: Source) -> list[Word]:
    return source.choose(
        lambda: ["HSETNX", source.key(), _field(source), source.value()],
        lambda: ["HGET", source.key(), _field(source)],
        lambda: ["HEXISTS", source.key(), _field(source)],
        lambda: ["HSTRLEN", source.key(), _field(source)],
    )


def _count(source: Source) -> list[Word]:
    if source.chance(0.5):
        return ["HINCRBY", source.key(), _field(source), source.integer()]
    return ["HINCRBYFLOAT", source.key(), _field(source), source.number()]


def _delete(source: Source) -> list[Word]:
    return [source.pick("HDEL", "HMGET"), source.key(), *(_field(source) for _ in source.some(1, 4))]


def _all(source: Source) -> list[Word]:
    return [source.pick("HGETALL", "HKEYS", "HVALS", "HLEN", "TYPE"), source.key()]


def _random(source: Source) -> list[Word]:
    words: list[Word] = ["HRANDFIELD", source.key()]
    if source.chance(0.7):
        words.append(source.pick(0, 1, 3, 100, -2, -9, "x", "-9223372036854775808"))
        if source.chance(0.5):
            words.append(source.case(source.pick("WITHVALUES", "WITHVALUES", "FOO")))
    return words


def _scan(source: Source) -> list[Word]:
    words: list[Word] = ["HSCAN", source.key(), source.pick(0, 0, 0, "x")]
    if source.chance(0.4):
        words += [source.case("MATCH"), source.pick("*", "f*", "?", "[fg]")]
    words += [source.case("COUNT"), source.pick(1000, 1000, 1000, 0, "x")]
    return words


def _other(source: Source) -> list[Word]:
    return source.choose(
        lambda: ["DEL", source.key()],
        lambda: ["SET", source.key(), source.value()],
        lambda: ["RENAME", source.key(), source.key()],
        lambda: ["COPY", source.key(), source.key(), "REPLACE"],
        lambda: ["OBJECT", "ENCODING", source.key()],
        lambda: ["PEXPIREAT", source.key(), 4_102_444_800_000],
    )


_GENERATORS = (_set, _one, _count, _delete, _all, _random, _scan, _other)
_WEIGHTS = (24, 20, 12, 14, 12, 5, 5, 8)
