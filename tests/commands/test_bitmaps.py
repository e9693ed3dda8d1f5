"""Bitmap commands: replies, error texts and effects, word for word; the work on bits against plain models."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from durable_redis.commands import bitfield, bitmaps, strings
from durable_redis.commands.bits import CHUNK_BYTES, combine, count_bits, find_bit
from tests.support.fake_engine import FakeEngine

WRONG_TYPE = "WRONGTYPE Operation against a key holding the wrong kind of value"
NOT_AN_INTEGER = "ERR value is not an integer or out of range"
SYNTAX = "ERR syntax error"
BAD_OFFSET = "ERR bit offset is not an integer or out of range"
BAD_BIT = "ERR bit is not an integer or out of range"
BAD_TYPE = "ERR Invalid bitfield type. Use something like i16 u8. Note that u64 is not supported but i64 is."
READ_ONLY = "ERR BITFIELD_RO only supports the GET subcommand"


@pytest.fixture
def engine() -> FakeEngine:
    """The bitmap commands; ``l`` is a list, ``s`` "foobar", ``o`` three bytes of ones, ``e`` is empty."""
    made = FakeEngine([strings, bitmaps, bitfield])
    made.context.apply(b"RPUSH", b"l", b"element")
    made.run("MSET", "s", "foobar", "o", b"\xff\xff\xff", "e", "")
    made.effects.clear()
    return made


@pytest.mark.parametrize(
    ("line", "text"),
    [
        ("BITCOUNT l a b", WRONG_TYPE),
        ("BITCOUNT s 1", SYNTAX),
        ("BITCOUNT s a b", NOT_AN_INTEGER),
        ("BITCOUNT s 1 b foo", NOT_AN_INTEGER),
        ("BITCOUNT s 1 2 foo", SYNTAX),
        ("BITCOUNT s 1 2 BIT 4", SYNTAX),
        ("BITPOS l 2", "ERR The bit argument must be 1 or 0."),
        ("BITPOS no a", NOT_AN_INTEGER),
        ("BITPOS l 0 a", WRONG_TYPE),
        ("BITPOS s 0 a 2 BITT", NOT_AN_INTEGER),
        ("BITPOS s 0 1 a BITT", SYNTAX),
        ("BITPOS s 0 1 2 BIT 5", SYNTAX),
        ("BITPOS s 0 1 a", NOT_AN_INTEGER),
        ("SETBIT l a 3", BAD_OFFSET),
        ("SETBIT l -1 1", BAD_OFFSET),
        ("SETBIT no 4294967296 1", BAD_OFFSET),
        ("SETBIT l 1 2", BAD_BIT),
        ("SETBIT l 1 01", BAD_BIT),
        ("SETBIT l 1 1", WRONG_TYPE),
        ("GETBIT l a", BAD_OFFSET),
        ("GETBIT no 4294967296", BAD_OFFSET),
        ("GETBIT l 0", WRONG_TYPE),
        ("BITOP FOO d l", SYNTAX),
        ("BITOP NOT d l l", "ERR BITOP NOT must be called with a single source key."),
        ("BITOP AND d s l", WRONG_TYPE),
        ("BITOP AND d", "ERR wrong number of arguments for 'bitop' command"),
        ("BITFIELD l", WRONG_TYPE),
        ("BITFIELD l GET u8 0", WRONG_TYPE),
        ("BITFIELD l INCRBY u8 0 1", WRONG_TYPE),
        ("BITFIELD l GET u8 0 FOO", SYNTAX),
        ("BITFIELD s GET u8", SYNTAX),
        ("BITFIELD s SET u8 0", SYNTAX),
        ("BITFIELD s OVERFLOW", SYNTAX),
        ("BITFIELD s OVERFLOW FOO", "ERR Invalid OVERFLOW type specified"),
        ("BITFIELD s GET u64 0", BAD_TYPE),
        ("BITFIELD s GET i65 0", BAD_TYPE),
        ("BITFIELD s GET i0 0", BAD_TYPE),
        ("BITFIELD s GET x8 0", BAD_TYPE),
        ("BITFIELD s GET U8 0", BAD_TYPE),
        ("BITFIELD s GET u08 0", BAD_TYPE),
        ("BITFIELD s GET u a", BAD_TYPE),
        ("BITFIELD s SET u8 a b", BAD_OFFSET),
        ("BITFIELD s SET u8 -1 1", BAD_OFFSET),
        ("BITFIELD s SET u8 # 1", BAD_OFFSET),
        ("BITFIELD s SET u8 #-1 1", BAD_OFFSET),
        ("BITFIELD s SET u8 #536870912 1", BAD_OFFSET),
        ("BITFIELD s GET u8 4294967296", BAD_OFFSET),
        ("BITFIELD s SET u8 0 9223372036854775808", NOT_AN_INTEGER),
        ("BITFIELD_RO l SET u8 0 a", NOT_AN_INTEGER),
        ("BITFIELD_RO l SET u8 0 1", READ_ONLY),
        ("BITFIELD_RO s GET u8 0 INCRBY u8 0 1", READ_ONLY),
        ("BITFIELD_RO l GET u8 0", WRONG_TYPE),
    ],
)
def test_error(engine: FakeEngine, line: str, text: str) -> None:
    assert engine.error(*line.split()) == text


@pytest.mark.parametrize(
    ("line", "reply", "effects"),
    [
        ("SETBIT k 10 1", 0, [b"SETBIT k 10 1"]),
        ("SETBIT k 10 0", 0, [b"SETBIT k 10 0"]),
        ("SETBIT s 1 1", 1, []),
        ("SETBIT s 0 0", 0, []),
        ("SETBIT s 1 0", 1, [b"SETBIT s 1 0"]),
        ("SETBIT s 48 0", 0, [b"SETBIT s 48 0"]),
        ("GETBIT s 1", 1, []),
        ("GETBIT s 4294967295", 0, []),
        ("GETBIT k 0", 0, []),
        ("BITCOUNT s", 26, []),
        ("BITCOUNT s 0 0", 4, []),
        ("BITCOUNT s 1 1 BYTE", 6, []),
        ("BITCOUNT s 5 30 bit", 17, []),
        ("BITCOUNT s -2 -1", 7, []),
        ("BITCOUNT s -1 -2", 0, []),
        ("BITCOUNT s -100 -50", 4, []),
        ("BITCOUNT s 4 2", 0, []),
        ("BITCOUNT e -5 -8", 0, []),
        ("BITCOUNT e", 0, []),
        ("BITCOUNT k a b", 0, []),
        ("BITCOUNT k 1 2 foo", 0, []),
        ("BITPOS s 1", 1, []),
        ("BITPOS s 0", 0, []),
        ("BITPOS o 0", 24, []),
        ("BITPOS o 0 1", 24, []),
        ("BITPOS o 0 0 -1", -1, []),
        ("BITPOS o 0 9", -1, []),
        ("BITPOS o 1 1", 8, []),
        ("BITPOS o 1 -5 -4 BIT", 19, []),
        ("BITPOS s 1 9 12 BIT", 9, []),
        ("BITPOS e 0", -1, []),
        ("BITPOS e 1", -1, []),
        ("BITPOS k 1 a", -1, []),
        ("BITPOS k 0 1 2 foo", 0, []),
        ("BITOP and d s k", 6, [b"SET d " + bytes(6)]),
        ("BITOP OR d s o", 6, [b"SET d \xff\xff\xffbar"]),
        ("BITOP XOR d s s", 6, [b"SET d " + bytes(6)]),
        ("BITOP NOT l o", 3, [b"SET l " + bytes(3)]),
        ("BITOP AND d k k2", 0, []),
        ("BITOP AND l k", 0, [b"DEL l"]),
        ("BITOP NOT s e", 0, [b"DEL s"]),
        ("BITFIELD k", [], []),
        ("BITFIELD k OVERFLOW FAIL", [], []),
        ("BITFIELD k GET i64 0", [0], []),
        ("BITFIELD s GET u8 0 GET u4 #1 GET i7 44", [102, 6, 16], []),
        ("BITFIELD_RO s OVERFLOW FAIL GET i8 #5", [114], []),
        ("BITFIELD s SET u8 #1 65", [111], [b"SETRANGE s 1 A"]),
        ("BITFIELD s SET u8 #1 111", [111], []),
        ("BITFIELD s SET u16 4 65535", [26358], [b"SETRANGE s 0 o\xff\xff"]),
        ("BITFIELD o INCRBY u8 0 2 INCRBY u8 0 1", [1, 2], [b"SETRANGE o 0 \x01", b"SETRANGE o 0 \x02"]),
        ("BITFIELD o OVERFLOW SAT INCRBY u8 0 2", [255], []),
        ("BITFIELD o OVERFLOW FAIL INCRBY u8 0 2", [None], []),
        ("BITFIELD k OVERFLOW FAIL INCRBY u2 100 5", [None], [b"SETRANGE k 12 \0"]),
        ("BITFIELD k SET u8 0 0", [0], [b"SETRANGE k 0 \0"]),
        ("BITFIELD k SET u4 0 -1 GET u4 0", [0, 15], [b"SETRANGE k 0 \xf0"]),
        ("BITFIELD k OVERFLOW SAT SET i4 0 100 GET i4 0", [0, 7], [b"SETRANGE k 0 \x70"]),
        ("BITFIELD k SET i4 0 8 GET i4 0", [0, -8], [b"SETRANGE k 0 \x80"]),
    ],
)
def test_reply_and_effects(engine: FakeEngine, line: str, reply: Any, effects: list[bytes]) -> None:
    assert engine.run(*line.split()) == reply
    assert [b" ".join(effect) for effect in engine.effects] == effects


def test_overflow_holds_for_what_follows_it(engine: FakeEngine) -> None:
    line = (
        "BITFIELD k OVERFLOW SAT SET u2 100 5 INCRBY i8 0 -300 OVERFLOW WRAP SET i4 0 100 GET u2 100 GET i8 0"
    )
    assert engine.run(*line.split()) == [0, -128, -8, 3, 64]
    assert engine.run("STRLEN", "k") == 13


def test_the_widest_fields(engine: FakeEngine) -> None:
    top = (1 << 63) - 1
    assert engine.run("BITFIELD", "k", "SET", "u63", 0, -1, "GET", "u63", 0) == [0, top]
    assert engine.run("BITFIELD", "k", "SET", "i64", 3, top, "INCRBY", "i64", 3, 1) == [-16, -top - 1]
    assert engine.run("BITFIELD", "k", "OVERFLOW", "SAT", "INCRBY", "i64", 3, -1) == [-top - 1]


def test_changed_strings_keep_their_expiry(engine: FakeEngine) -> None:
    engine.run("SET", "t", "a", "PX", "1000")
    engine.run("SETBIT", "t", "7", "0")
    engine.run("BITFIELD", "t", "SET", "u8", "8", "98")
    assert engine.run("GET", "t") == b"`b"
    engine.keyspace.now_ms += 1000
    assert engine.run("GETBIT", "t", "1") == 0


def test_the_limit_on_length_is_an_option() -> None:
    engine = FakeEngine([strings, bitmaps, bitfield], {"proto-max-bulk-len": 2})
    assert engine.run("SETBIT", "k", "15", "1") == 0
    assert engine.error("SETBIT", "k", "16", "1") == BAD_OFFSET
    # Redis measures where a field begins, so its end may lie behind the limit.
    assert engine.run("BITFIELD", "k", "SET", "u8", "15", "0") == [128]
    assert engine.run("STRLEN", "k") == 3


def test_large_strings_are_worked_on_in_chunks() -> None:
    size = 2 * CHUNK_BYTES + 5
    data = bytearray(size)
    data[CHUNK_BYTES + 3] = 0x10
    data[-1] = 1
    assert count_bits(data, 0, size * 8 - 1) == 2
    assert find_bit(data, 1, 0, size * 8 - 1) == (CHUNK_BYTES + 3) * 8 + 3
    assert find_bit(data, 1, (CHUNK_BYTES + 3) * 8 + 4, size * 8 - 1) == size * 8 - 1
    assert find_bit(data, 1, (CHUNK_BYTES + 3) * 8 + 4, size * 8 - 2) == -1
    inverted = combine(b"NOT", [data])
    assert find_bit(inverted, 0, 1, size * 8 - 1) == (CHUNK_BYTES + 3) * 8 + 3
    assert combine(b"AND", [data, inverted]) == bytes(size)
    assert combine(b"XOR", [data, inverted, b"\xff"]) == b"\0" + b"\xff" * (size - 1)
    assert combine(b"OR", [data, b"\x80"]) == b"\x80" + bytes(data[1:])


# -- against models ------------------------------------------------------------------------------------------

datas = st.binary(max_size=12) | st.integers(0, 12).map(bytes) | st.integers(0, 12).map(lambda n: b"\xff" * n)


def as_digits(data: bytes) -> str:
    return "".join(f"{byte:08b}" for byte in data)


def chosen(digits: str, size: int, start: int, end: int, unit: str) -> tuple[int, str]:
    """Where a range begins, and its digits, by the letter of the documentation."""
    scale = 1 if unit == "BIT" else 8
    total = size * 8 // scale
    first = max(start + total, 0) if start < 0 else start
    last = min(max(end + total, 0) if end < 0 else end, total - 1)
    return first * scale, digits[first * scale : (last + 1) * scale]


@settings(max_examples=300, deadline=None)
@given(
    datas, st.integers(-110, 110), st.integers(-110, 110), st.sampled_from(["BIT", "BYTE"]), st.integers(0, 1)
)
def test_counting_and_finding_are_those_of_a_string_of_digits(
    data: bytes, start: int, end: int, unit: str, bit: int
) -> None:
    engine = FakeEngine([strings, bitmaps])
    engine.run("SET", "k", data)
    begin, digits = chosen(as_digits(data), len(data), start, end, unit)
    backwards = start < 0 and end < 0 and start > end
    assert engine.run("BITCOUNT", "k", start, end, unit) == (0 if backwards else digits.count("1"))
    found = digits.find(str(bit))
    assert engine.run("BITPOS", "k", bit, start, end, unit) == (begin + found if found >= 0 else -1)


@settings(max_examples=200, deadline=None)
@given(st.sampled_from(["AND", "OR", "XOR"]), st.lists(datas, min_size=1, max_size=4))
def test_combining_is_byte_by_byte(operation: str, sources: list[bytes]) -> None:
    size = max(map(len, sources))
    padded = [source.ljust(size, b"\0") for source in sources]
    wanted = bytearray(padded[0])
    for source in padded[1:]:
        for at, byte in enumerate(source):
            match operation:
                case "AND":
                    wanted[at] &= byte
                case "OR":
                    wanted[at] |= byte
                case _:
                    wanted[at] ^= byte
    assert combine(operation.encode(), sources) == wanted


class FieldModel:
    """A row of 256 bits as one integer, and BITFIELD's rules in plain arithmetic."""

    def __init__(self) -> None:
        self.digits = ["0"] * 256

    def run(self, name: str, signed: bool, bits: int, offset: int, operand: int, overflow: str) -> int | None:
        stored = int("".join(self.digits[offset : offset + bits]), 2)
        old = stored - (1 << bits) if signed and stored >= 1 << (bits - 1) else stored
        if name == "GET":
            return old
        low = -(1 << (bits - 1)) if signed else 0
        high = low + (1 << bits) - 1
        new = old + operand if name == "INCRBY" else operand
        if name == "SET" and not signed and new < 0:
            new += 1 << 64
        if not low <= new <= high:
            match overflow:
                case "FAIL":
                    return None
                case "SAT":
                    new = high if new > high else low
                case _:
                    new = (new - low) % (1 << bits) + low
        self.digits[offset : offset + bits] = list(f"{new % (1 << bits):0{bits}b}")
        return new if name == "INCRBY" else old


operands = st.integers(-300, 300) | st.integers(-(1 << 63), (1 << 63) - 1)
field_operations = st.tuples(
    st.sampled_from(["GET", "SET", "INCRBY"]),
    st.booleans(),
    st.integers(1, 63),
    st.integers(0, 190),
    operands,
    st.sampled_from(["WRAP", "SAT", "FAIL"]),
)


@settings(max_examples=200, deadline=None)
@given(st.lists(field_operations, min_size=1, max_size=8), st.booleans())
def test_bitfield_is_the_models(
    operations: list[tuple[str, bool, int, int, int, str]], together: bool
) -> None:
    engine = FakeEngine([strings, bitmaps, bitfield])
    model = FieldModel()
    wanted = [model.run(*operation) for operation in operations]
    lines: list[list[str | int]] = []
    for name, signed, bits, offset, operand, overflow in operations:
        words: list[str | int] = ["OVERFLOW", overflow, name, f"{'i' if signed else 'u'}{bits}", offset]
        lines.append(words if name == "GET" else [*words, operand])
    if together:
        assert engine.run("BITFIELD", "k", *(word for line in lines for word in line)) == wanted
    else:
        assert [engine.run("BITFIELD", "k", *line)[0] for line in lines] == wanted
    content = as_digits(engine.run("GET", "k") or b"")
    assert content.ljust(256, "0") == "".join(model.digits)
    ends = [offset + bits for name, _, bits, offset, _, _ in operations if name != "GET"]
    assert len(content) == (max(ends, default=0) + 7) // 8 * 8
