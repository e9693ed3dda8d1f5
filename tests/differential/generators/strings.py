"""The string commands, all 22 with all their options."""

from __future__ import annotations

from tests.differential.generators.source import Source, Word
from tests.support.script import Step


def generate(source: Source) -> Step:
    """One string command."""
    draw = source.random.choices(_GENERATORS, _WEIGHTS)[0]
    return source.mangle(draw(source))


def _set(source: Source) -> list[Word]:
    words: list[Word] = [source.case("SET"), source.key(), source.value()]
    if source.chance(0.4):
        words += source.expiry_option()
    for option, probability in (("NX", 0.15), ("XX", 0.15), ("KEEPTTL", 0.15), ("GET", 0.2)):
        if source.chance(probability):
            words.append(source.case(option))
    if source.chance(0.03):
        words.append(source.pick("BOGUS", "EX", "NX", "10"))
    return words


def _get(source: Source) -> list[Word]:
    return [source.pick("GET", "get", "GETDEL", "STRLEN"), source.key()]


def _getex(source: Source) -> list[Word]:
    words: list[Word] = ["GETEX", source.key()]
    if source.chance(0.7):
        words += source.expiry_option() if source.chance(0.6) else [source.case("PERSIST")]
    if source.chance(0.08):
        words.append(source.pick("PERSIST", "NX", "EX"))
    return words


def _getset(source: Source) -> list[Word]:
    return [source.pick("GETSET", "SETNX", "APPEND"), source.key(), source.value()]


def _with_time(source: Source) -> list[Word]:
    if source.chance(0.5):
        return ["SETEX", source.key(), source.relative_seconds(), source.value()]
    return ["PSETEX", source.key(), source.relative_milliseconds(), source.value()]


def _range(source: Source) -> list[Word]:
    return [source.pick("GETRANGE", "SUBSTR"), source.key(), source.small(), source.small()]


def _setrange(source: Source) -> list[Word]:
    offset = source.pick(*(b"0 1 3 5 20 1000 -1 536870912 536870911999 abc 9223372036854775807".split()))
    return ["SETRANGE", source.key(), offset, source.pick(b"", b"x", b"hello", b"\x00\xff")]


def _count(source: Source) -> list[Word]:
    if source.chance(0.4):
        return [source.pick("INCR", "DECR"), source.key()]
    return [source.pick("INCRBY", "DECRBY"), source.key(), source.integer()]


def _count_float(source: Source) -> list[Word]:
    return ["INCRBYFLOAT", source.key(), source.number()]


def _many(source: Source) -> list[Word]:
    if source.chance(0.5):
        return ["MGET", *(source.key() for _ in source.some(1, 5))]
    words: list[Word] = [source.pick("MSET", "MSETNX")]
    for _ in source.some(1, 4):
        words += [source.key(), source.value()]
    return words


def _lcs(source: Source) -> list[Word]:
    words: list[Word] = ["LCS", source.key(), source.key()]
    for option, probability in (("LEN", 0.2), ("IDX", 0.4), ("WITHMATCHLEN", 0.3)):
        if source.chance(probability):
            words.append(source.case(option))
    if source.chance(0.3):
        words += [source.case("MINMATCHLEN"), source.small(-2, 5)]
    return words


_GENERATORS = (_set, _get, _getex, _getset, _with_time, _range, _setrange, _count, _count_float, _many, _lcs)
_WEIGHTS = (5, 3, 2, 3, 1, 2, 2, 3, 2, 2, 1)
