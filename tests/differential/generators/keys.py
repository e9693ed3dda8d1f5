"""The commands on keys as such: existence, names, databases, iteration, and what OBJECT says."""

from __future__ import annotations

from tests.differential.generators.source import Source, Word
from tests.support.script import Step, step

_PATTERNS = (
    b"*",
    b"k*",
    b"k?",
    b"k[0-2]",
    b"k[^0-2]",
    b"key:*",
    b"",
    b"nothing",
    b"*\\*b*",
    b"[",
    b"k[",
    b"\xff*",
    b"?",
)


def generate(source: Source) -> Step:
    """One command on keys."""
    if source.chance(0.12):
        return step(*_scan_options(source), directive="@scan")
    draw = source.random.choices(_GENERATORS, _WEIGHTS)[0]
    return source.mangle(draw(source))


def _fill(source: Source) -> list[Word]:
    return ["SET", source.key(), source.value(), *(source.expiry_option() if source.chance(0.3) else [])]


def _several(source: Source) -> list[Word]:
    name = source.pick("DEL", "UNLINK", "EXISTS", "TOUCH", "EXISTS", "TOUCH")
    return [name, *(source.key() for _ in source.some(1, 4))]


def _one(source: Source) -> list[Word]:
    return [source.pick("TYPE", "TTL", "PTTL", "EXPIRETIME", "PEXPIRETIME", "PERSIST", "type"), source.key()]


def _rename(source: Source) -> list[Word]:
    return [source.pick("RENAME", "RENAMENX"), source.key(), source.key()]


def _copy(source: Source) -> list[Word]:
    words: list[Word] = ["COPY", source.key(), source.key()]
    if source.chance(0.5):
        words += [source.case("DB"), source.database()]
    if source.chance(0.5):
        words.append(source.case("REPLACE"))
    return words


def _database(source: Source) -> list[Word]:
    return source.choose(
        lambda: ["SELECT", source.database()],
        lambda: ["SWAPDB", source.database(), source.database()],
        lambda: ["MOVE", source.key(), source.database()],
        lambda: ["MOVE", source.key(), source.database()],
    )


def _flush(source: Source) -> list[Word]:
    words: list[Word] = [source.pick("FLUSHDB", "FLUSHDB", "FLUSHALL")]
    if source.chance(0.5):
        words.append(source.pick("ASYNC", "SYNC", "async", "LATER"))
    return words


def _whole(source: Source) -> list[Word]:
    return source.choose(
        lambda: ["DBSIZE"],
        lambda: ["RANDOMKEY"],
        lambda: ["KEYS", source.random.choice(_PATTERNS)],
    )


def _object(source: Source) -> list[Word]:
    return [
        "OBJECT",
        source.pick("ENCODING", "REFCOUNT", "IDLETIME", "FREQ", "encoding", "BOGUS"),
        source.key(),
    ]


def _scan(source: Source) -> list[Word]:
    return ["SCAN", source.pick(b"abc", b"-1", b"", b"0x1", b"99999999999999999999"), *_scan_options(source)]


def _scan_options(source: Source) -> list[Word]:
    words: list[Word] = []
    if source.chance(0.4):
        words += [source.case("MATCH"), source.random.choice(_PATTERNS)]
    if source.chance(0.4):
        words += [source.case("COUNT"), source.pick(*b"1 2 10 1000 0 -1 abc".split())]
    if source.chance(0.3):
        words += [source.case("TYPE"), source.pick("string", "hash", "STRING", "nothing")]
    if source.chance(0.05):
        words.append("MATCH")
    return words


_GENERATORS = (_fill, _several, _one, _rename, _copy, _database, _flush, _whole, _object, _scan)
_WEIGHTS = (8, 4, 4, 3, 3, 3, 0.4, 2, 2, 0.5)
