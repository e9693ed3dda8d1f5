"""The set commands with all their options, but for choices that the two servers would make differently."""

from __future__ import annotations

from tests.differential.generators.source import Source, Word
from tests.support.script import Step

MEMBERS = (b"a", b"b", b"c", b"", b"1", b"2", b"-7", b"10", b"9223372036854775807", b"01", b"\x00\xff")


def generate(source: Source) -> Step:
    """One set command."""
    draw = source.random.choices(_GENERATORS, _WEIGHTS)[0]
    made = source.mangle(draw(source))
    if len(made.words) == 2 and made.words[0].upper() == b"SPOP":
        return source.mangle(["SCARD", source.key()])  # the two would choose differently
    return made


def _member(source: Source) -> bytes:
    return source.random.choice(MEMBERS) if source.chance(0.85) else source.value()


def _change(source: Source) -> list[Word]:
    name = source.pick("SADD", "SADD", "SADD", "SREM", "SMISMEMBER", "sadd")
    return [name, source.key(), *(_member(source) for _ in source.some(1, 6))]


def _one(source: Source) -> list[Word]:
    return source.choose(
        lambda: ["SISMEMBER", source.key(), _member(source)],
        lambda: ["SMOVE", source.key(), source.key(), _member(source)],
        lambda: ["SCARD", source.key()],
        lambda: ["SMEMBERS", source.key()],
    )


def _algebra(source: Source) -> list[Word]:
    name = source.pick("SINTER", "SUNION", "SDIFF", "SINTERSTORE", "SUNIONSTORE", "SDIFFSTORE")
    return [name, *(source.key() for _ in source.some(1, 4))]


def _count(source: Source) -> list[Word]:
    keys = [source.key() for _ in source.some(1, 3)]
    words: list[Word] = ["SINTERCARD", len(keys) if source.chance(0.9) else source.small(-1, 4), *keys]
    if source.chance(0.4):
        words += [source.case("LIMIT"), source.pick(0, 1, 2, 9, -1, "x")]
    return words


def _random(source: Source) -> list[Word]:
    if source.chance(0.5):
        return ["SPOP", source.key(), source.pick(1000, 1000, 0, -1, "x")]
    words: list[Word] = ["SRANDMEMBER", source.key()]
    if source.chance(0.7):
        words.append(source.pick(0, 1, 3, 100, -2, -9, "x"))
    return words


def _scan(source: Source) -> list[Word]:
    words: list[Word] = ["SSCAN", source.key(), source.pick(0, 0, 0, "x")]
    if source.chance(0.4):
        words += [source.case("MATCH"), source.pick("*", "1*", "?", "[ab]")]
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


_GENERATORS = (_change, _one, _algebra, _count, _random, _scan, _other)
_WEIGHTS = (34, 18, 20, 6, 6, 5, 9)
