"""Numbers: the edges, and the same digits as redis-server over many random inputs."""

from __future__ import annotations

import math
import random
import struct
from typing import Any

import hiredis
import pytest

from durable_redis.resp.numbers import (
    LongDouble,
    add_long_double,
    add_long_doubles,
    format_double,
    format_long_double,
    parse_float,
    parse_integer,
    parse_long_double,
)

INTEGERS = [b"0", b"1", b"-1", b"10", b"123456789012345678", b"1234567890123456789", b"-999999999999999999"]
INTEGERS += [b"9223372036854775807", b"-9223372036854775808"]
NOT_INTEGERS = [
    b"",
    b"-",
    b"+1",
    b"01",
    b"-0",
    b"-01",
    b"00",
    b" 1",
    b"1 ",
    b"1_0",
    b"0x1",
    b"1.0",
    b"\xd9\xa1",
]
NOT_INTEGERS += [
    b"9223372036854775808",
    b"-9223372036854775809",
    b"99999999999999999999",
    b"1" * 5000,
    b"--1",
]
NOT_INTEGERS += [b"012345678901234567890", b"0123456789012345678", b"1\0", b"1\n", b"-1a"]

FLOATS = [
    b"3",
    b"3.0",
    b"+1",
    b".5",
    b"5.",
    b"-4.5",
    b"1e5",
    b"1E+5",
    b"1e-5",
    b"inf",
    b"-INF",
    b"+Infinity",
    b"0",
]
FLOATS += [
    b"-0",
    b"0e999999",
    b"-0.0e-999999",
    b"0x10",
    b"0X1P-2",
    b"0x.8",
    b"-0x1.8p+3",
    b"0x0p99999",
    b"5e-324",
]
FLOATS += [
    b"1.7976931348623157e308",
    b"9007199254740993",
    b"0x1.fffffffffffff8p0",
    b"1" * 300,
    b"0." + b"1" * 6000,
]
NOT_FLOATS = [
    b"",
    b" 1",
    b"1 ",
    b"\t1",
    b"1\n",
    b"\x0b1",
    b"1_0",
    b"++1",
    b"1e",
    b"1e+",
    b".",
    b".e1",
    b"nan",
    b"-NaN",
]
NOT_FLOATS += [
    b"nan(1)",
    b"0x",
    b"0x.p1",
    b"0x1p",
    b"infi",
    b"infinit",
    b"1d",
    b"1\0",
    b"1e400",
    b"-1e400",
    b"1e-400",
]
NOT_FLOATS += [b"0x1p1024", b"0x1p-1080", b"1" * 400, b"\xff", b"0x1_0", b"1,5", b"0 x1", b"0x 1"]

LONG_DOUBLES = [
    b"1e400",
    b"-1e400",
    b"1e-400",
    b"1e4932",
    b"1.189731495357231765e4932",
    b"-1e-4950",
    b"2e-4951",
]
LONG_DOUBLES += [
    b"0" * 5118 + b"1",
    b"0." + b"1" * 5117,
    b"1" * 4900,
    b"0xffffffffffffffffff",
    b"0x1.fffffffffffffffffp1",
]
LONG_DOUBLES += [
    b"0x1p16383",
    b"0x1p-16445",
    b"0x1.1p-16446",
    b"0e99999999999999999999",
    b"0x0p-" + b"9" * 5000,
]
LONG_DOUBLES += [
    b"5e-18",
    b"15e-18",
    b"25e-18",
    b"-5e-18",
    b"-1e-30",
    b"123456.789",
    b"1234567890123456789.5",
]
LONG_DOUBLES += [
    b"18446744073709551615",
    b"18446744073709551617",
    b"36893488147419103233",
    b"0.1",
    b"0.3",
    b"3.0e3",
]
# Halfway between two numbers of 17 decimals: ties go to even.
LONG_DOUBLES += [b"0x%xp-18" % odd for odd in (1, 3, 5, 7, 0x80000001)]
NOT_LONG_DOUBLES = [b"1.19e4932", b"1e5000", b"1e-4951", b"0x1p16384", b"0x1p-16446", b"1e" + b"9" * 5000]
NOT_LONG_DOUBLES += [b"0" * 5119 + b"1", b"0." + b"1" * 5118, b"1e-99999999999999999999"]


@pytest.mark.parametrize("raw", INTEGERS)
def test_integers(raw: bytes) -> None:
    assert parse_integer(raw) == int(raw)


@pytest.mark.parametrize("raw", NOT_INTEGERS, ids=lambda raw: repr(raw)[:30])
def test_not_integers(raw: bytes) -> None:
    assert parse_integer(raw) is None


@pytest.mark.parametrize("raw", NOT_FLOATS, ids=lambda raw: repr(raw)[:30])
def test_not_floats(raw: bytes) -> None:
    assert parse_float(raw) is None


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (3.0, b"3"),
        (0.1, b"0.10000000000000001"),
        (1e16, b"10000000000000000"),
        (1e17, b"1e+17"),
        (-0.0, b"-0"),
        (math.inf, b"inf"),
        (-math.inf, b"-inf"),
        (5e-324, b"4.9406564584124654e-324"),
        (math.nan, b"nan"),
        (math.copysign(math.nan, -1.0), b"-nan"),
    ],
)
def test_format_double(value: float, text: bytes) -> None:
    assert format_double(value) == text


def test_long_double_sums() -> None:
    assert add_long_double(b"10.50", b"0.1") == b"10.6"
    assert add_long_double(b"5.0e3", b"-200") == b"4800"
    assert add_long_double(b"1", b"-1") == b"0"
    assert add_long_double(b"x", b"1") is None
    assert add_long_double(b"1", b"") is None
    for a, b in [(b"inf", b"1"), (b"1", b"-inf"), (b"inf", b"-inf"), (b"1.1e4932", b"1.1e4932")]:
        with pytest.raises(OverflowError):
            add_long_double(a, b)
    one, infinite = LongDouble(1, 0), parse_long_double(b"-Infinity")
    assert infinite is not None
    assert (one.is_finite, infinite.is_finite) == (True, False)
    assert add_long_doubles(one, infinite) is None
    assert format_long_double(LongDouble(-1, -1)) == b"-0.5"


# --- against redis-server --------------------------------------------------------------------------


def replies(answer: bytes) -> list[object]:
    """The replies in ``answer``; errors as their text."""
    reader = hiredis.Reader()
    reader.feed(answer)
    found: list[object] = []
    while (reply := reader.gets()) is not False:
        found.append(str(reply) if isinstance(reply, hiredis.ReplyError) else reply)
    return found


def random_number(source: random.Random) -> bytes:
    """A number in one of the notations, mostly valid, with digits near what a long double can hold."""
    sign = source.choice([b"", b"", b"-", b"+"])
    whole = b"%d" % source.getrandbits(source.choice([1, 8, 30, 53, 63, 64, 65, 80, 200]))
    fraction = b"".join(
        b"%d" % source.randrange(10) for _ in range(source.choice([1, 2, 3, 10, 17, 18, 19, 25, 40]))
    )
    kind = source.randrange(7)
    if kind == 0:
        return sign + whole
    if kind == 1:
        return sign + b"0." + b"0" * source.randrange(20) + fraction
    if kind == 2:
        return sign + whole + b"." + fraction
    if kind == 3:
        return sign + whole + b"." + fraction + b"e%d" % source.randint(-60, 60)
    if kind == 4:
        return (
            sign
            + whole
            + b"e%d" % source.choice([-4960, -4951, -4940, -330, -320, -300, 290, 308, 4900, 4931, 4940])
        )
    if kind == 5:
        return sign + b"0x%x.%xp%d" % (
            source.getrandbits(70),
            source.getrandbits(30),
            source.randint(-90, 90),
        )
    return b"%.17f" % (struct.unpack("d", source.randbytes(8))[0] % 1e9)


def incremented(a: bytes, b: bytes) -> object:
    """What INCRBYFLOAT answers according to us."""
    try:
        total = add_long_double(a, b)
    except OverflowError:
        return "ERR increment would produce NaN or Infinity"
    return "ERR value is not a valid float" if total is None else total


def check_sums(raw_oracle: Any, pairs: list[tuple[bytes, bytes]]) -> None:
    commands = [command for a, b in pairs for command in ((b"SET", b"n", a), (b"INCRBYFLOAT", b"n", b))]
    answers = replies(raw_oracle.pipeline(commands))
    assert len(answers) == len(commands)
    for (a, b), answer in zip(pairs, answers[1::2], strict=True):
        assert incremented(a, b) == answer, (a, b)


def test_long_doubles_at_the_edges(raw_oracle: Any) -> None:
    edges = [number for number in FLOATS + NOT_FLOATS + LONG_DOUBLES + NOT_LONG_DOUBLES if len(number) < 100]
    check_sums(raw_oracle, [(a, b) for a in edges for b in [b"0", b"-0", b"0.1", b"-1e4931", a]])
    check_sums(raw_oracle, [(b"0", b) for b in LONG_DOUBLES + NOT_LONG_DOUBLES + FLOATS])


def test_random_long_doubles(raw_oracle: Any) -> None:
    source = random.Random(20)
    check_sums(raw_oracle, [(random_number(source), random_number(source)) for _ in range(3000)])


def test_sums_that_cancel(raw_oracle: Any) -> None:
    source = random.Random(21)
    pairs = []
    for _ in range(500):
        number = random_number(source).lstrip(b"+-")
        pairs.append((number, b"-" + number[:-1] + b"%d" % source.randrange(10)))
    check_sums(raw_oracle, pairs)


def check_doubles(raw_oracle: Any, numbers: list[bytes]) -> None:
    commands = [
        command
        for raw in numbers
        for command in ((b"DEL", b"z"), (b"ZADD", b"z", raw, b"m"), (b"ZSCORE", b"z", b"m"))
    ]
    answers = replies(raw_oracle.pipeline(commands))
    assert len(answers) == len(commands)
    for raw, answer in zip(numbers, answers[2::3], strict=True):
        value = parse_float(raw)
        assert (None if value is None else format_double(value)) == answer, raw


def test_doubles_at_the_edges(raw_oracle: Any) -> None:
    check_doubles(raw_oracle, FLOATS + NOT_FLOATS + LONG_DOUBLES + NOT_LONG_DOUBLES)


def test_random_doubles(raw_oracle: Any) -> None:
    source = random.Random(22)
    bits = [float.hex(struct.unpack("d", source.randbytes(8))[0]).encode() for _ in range(1000)]
    shown = [repr(struct.unpack("d", source.randbytes(8))[0]).encode() for _ in range(1000)]
    check_doubles(raw_oracle, bits + shown + [random_number(source) for _ in range(1000)])


def test_redis_takes_the_same_integers(raw_oracle: Any) -> None:
    source = random.Random(23)
    numbers = INTEGERS + NOT_INTEGERS
    numbers += [b"%d" % source.randint(-(2**64), 2**64) for _ in range(300)]
    numbers += ["".join(source.choices("-01 9", k=source.randrange(22))).encode() for _ in range(1000)]
    commands = [command for raw in numbers for command in ((b"SET", b"n", b"0"), (b"INCRBY", b"n", raw))]
    for raw, answer in zip(numbers, replies(raw_oracle.pipeline(commands))[1::2], strict=True):
        value = parse_integer(raw)
        expected = "ERR value is not an integer or out of range" if value is None else value
        assert expected == answer, raw
