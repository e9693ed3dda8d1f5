"""The bitmap commands, all seven."""

from __future__ import annotations

from tests.differential.generators.source import Source, Word
from tests.support.script import Step

_TYPES = [
    "u1",
    "u2",
    "u4",
    "u5",
    "u7",
    "u8",
    "u16",
    "u31",
    "u32",
    "u33",
    "u62",
    "u63",
    "i1",
    "i2",
    "i4",
    "i5",
    "i8",
    "i16",
    "i32",
    "i33",
    "i63",
    "i64",
]
_BAD_TYPES = ["u0", "u64", "u65", "i0", "i65", "x8", "u", "i", "8", "u-1", "u08", "i+4", "I8", "U4"]


def generate(source: Source) -> Step:
    """One bitmap command, or a write that gives them something to read."""
    draw = source.random.choices(_GENERATORS, _WEIGHTS)[0]
    return source.mangle(draw(source))


def _fill(source: Source) -> list[Word]:
    return ["SET", source.key(), source.value()]


def _offset(source: Source) -> Word:
    if source.chance(0.1):
        return source.pick(*b"-1 4294967296 abc 9223372036854775807 99999999999999999999 1.5 +1".split(), b"")
    return source.random.choice((0, 1, 2, 7, 8, 9, 15, 16, 63, 64, 100, 1000, 4099))


def _bit(source: Source) -> list[Word]:
    if source.chance(0.4):
        return ["GETBIT", source.key(), source.pick(_offset(source), 4294967295)]
    return [
        "SETBIT",
        source.key(),
        _offset(source),
        source.pick(*b"0 1 0 1 0 1 2 -1 a".split(), b""),
    ]


def _bitcount(source: Source) -> list[Word]:
    words: list[Word] = ["BITCOUNT", source.key()]
    if source.chance(0.8):
        words += [source.small(-80, 80), source.small(-80, 80)]
    if source.chance(0.5):
        words.append(source.pick("BIT", "BYTE", "byte", "bit", "BITS"))
    return words


def _bitpos(source: Source) -> list[Word]:
    words: list[Word] = ["BITPOS", source.key(), source.pick(*b"0 1 0 1 0 1 2 x".split())]
    for _ in source.some(0, 2):
        words.append(source.small(-80, 80))
    if source.chance(0.4):
        words.append(source.pick("BIT", "BYTE", "bit", "bytes"))
    return words


def _bitop(source: Source) -> list[Word]:
    operation = source.pick("AND", "OR", "XOR", "NOT", "and", "NAND")
    return ["BITOP", operation, source.key(), *(source.key() for _ in source.some(1, 4))]


def _field_type(source: Source) -> Word:
    return source.random.choice(_BAD_TYPES if source.chance(0.06) else _TYPES)


def _field_offset(source: Source) -> Word:
    if source.chance(0.06):
        return source.pick(b"#-1", b"-1", b"abc", b"#", b"4294967296", b"#9223372036854775807", b"##1", b"")
    return source.pick(b"", b"#") + b"%d" % source.random.randrange(120)


def _field_value(source: Source) -> Word:
    return source.pick(source.integer(0.05), source.integer(0.0), b"%d" % source.random.randint(-300, 300))


def _bitfield(source: Source) -> list[Word]:
    words: list[Word] = ["BITFIELD", source.key()]
    for _ in source.some(0, 5):
        match source.random.randrange(4):
            case 0:
                words += [source.case("GET"), _field_type(source), _field_offset(source)]
            case 1:
                words += [
                    source.case("SET"),
                    _field_type(source),
                    _field_offset(source),
                    _field_value(source),
                ]
            case 2:
                words += [
                    source.case("INCRBY"),
                    _field_type(source),
                    _field_offset(source),
                    _field_value(source),
                ]
            case _:
                words += [source.case("OVERFLOW"), source.pick("WRAP", "SAT", "FAIL", "sat", "fail", "NONE")]
    return words


def _bitfield_ro(source: Source) -> list[Word]:
    words: list[Word] = ["BITFIELD_RO", source.key()]
    for _ in source.some(0, 3):
        words += ["GET", _field_type(source), _field_offset(source)]
    if source.chance(0.1):
        words += ["SET", "u8", 0, 1]
    return words


_GENERATORS = (_fill, _bit, _bitcount, _bitpos, _bitop, _bitfield, _bitfield_ro)
_WEIGHTS = (2, 4, 3, 4, 3, 6, 1)
