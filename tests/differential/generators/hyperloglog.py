"""The HyperLogLog commands.  Values are compared byte for byte, by GET and at the end.

Damage is done to keys of its own, which get one element at a time: redis-server leaves what it had changed
before it met the damage.
"""

from __future__ import annotations

from typing import Final

from tests.differential.generators.source import Source, Word
from tests.support.script import Step, step

DAMAGED: Final = (b"bad0", b"bad1")
DENSE: Final = b"HYLL\x00" + bytes(3 + 8 + 12288)
EMPTY: Final = b"HYLL\x01" + bytes(3 + 8) + b"\x7f\xff"
BAD_VALUES: Final = (
    b"",
    b"HYLL",
    b"HYLL\x01" + bytes(11),
    b"hyll\x01" + bytes(11) + b"\x7f\xff",
    b"HYLL\x02" + bytes(11) + b"\x7f\xff",
    b"HYLL\x01" + bytes(11) + b"\x7f\xfe",
    b"HYLL\x01" + bytes(11) + b"\x7f\xff\x00",
    b"HYLL\x01" + bytes(11) + b"\x7f\xff\x84",
    b"HYLL\x01" + bytes(11) + b"\x80\x7f\xff",
    b"HYLL\x00" + bytes(11),
    DENSE + b"\x00",
    b"12345678901234567",
)


def generate(source: Source) -> Step:
    """One HyperLogLog command, or a write that stands in its way."""
    draw = source.random.choices(_GENERATORS, _WEIGHTS)[0]
    words = draw(source)
    if any(word in DAMAGED for word in words):
        return step(*words)
    return source.mangle(words)


def _key(source: Source) -> bytes:
    return source.pick(b"h0", b"h0", b"h0", b"h1", b"h1", b"h2", b"h3", b"{tag}h", b"none", b"k0")


def _elements(source: Source) -> list[Word]:
    match source.random.randrange(8):
        case 0:
            return []
        case 1:
            return [source.value() for _ in source.some(1, 3)]
        case 2:
            begin = source.random.randrange(3000)
            return [b"e%d" % number for number in range(begin, begin + source.pick(30, 300, 1500))]
        case _:
            return [b"e%d" % source.random.randrange(1_000_000) for _ in source.some(1, 40)]


def _pfadd(source: Source) -> list[Word]:
    return ["PFADD", _key(source), *_elements(source)]


def _pfcount(source: Source) -> list[Word]:
    return ["PFCOUNT", *(_key(source) for _ in range(source.pick(1, 1, 1, 2, 3)))]


def _pfmerge(source: Source) -> list[Word]:
    return ["PFMERGE", _key(source), *(_key(source) for _ in source.some(0, 3))]


def _look(source: Source) -> list[Word]:
    key = _key(source)
    return source.pick(
        ["GET", key],
        ["GET", key],
        ["OBJECT", "ENCODING", key],
        ["PFDEBUG", source.case("ENCODING"), key],
        ["PFDEBUG", source.case("DECODE"), key],
        ["PFDEBUG", source.case("GETREG"), source.pick(b"h2", b"h3")],
        ["PFDEBUG", source.pick("TODENSE", "TODENSE", "nope", ""), source.pick(b"h3", b"h3", b"none")],
        ["TTL", key],
    )


def _change(source: Source) -> list[Word]:
    key = _key(source)
    return source.pick(
        ["DEL", key],
        ["EXPIRE", key, 5000],
        ["SET", key, source.pick(EMPTY, EMPTY, DENSE, b"string")],
        ["COPY", key, _key(source), "REPLACE"],
        ["RPUSH", "k0", "element"],
        ["SETRANGE", "h3", 8, source.pick(b"\xff" * 7 + b"\x00", b"\x05" + bytes(7), b"\x00" * 7 + b"\x80")],
    )


def _damage(source: Source) -> list[Word]:
    key = source.random.choice(DAMAGED)
    match source.random.randrange(9):
        case 0 | 1:
            return ["SET", key, source.random.choice(BAD_VALUES)]
        case 2:
            return ["SET", key, EMPTY]
        case 3:
            return ["APPEND", key, source.pick(b"\x00", b"\x80", b"\x7f\xff", b"\xff\xff")]
        case 4:
            return ["PFADD", key, b"e%d" % source.random.randrange(3000)]
        case 5:
            return ["PFCOUNT", key]
        case 6:
            return ["PFCOUNT", key, "h0"]
        case 7:
            return ["PFMERGE", _key(source), key]
        case _:
            return source.pick(["GET", key], ["PFDEBUG", "DECODE", key], ["PFDEBUG", "ENCODING", key])


_GENERATORS = (_pfadd, _pfcount, _pfmerge, _look, _change, _damage)
_WEIGHTS = (12, 6, 4, 8, 3, 5)
