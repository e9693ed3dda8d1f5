"""String commands: replies, error texts and effects, word for word; LCS also against the textbook's table."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from durable_redis.commands import lcs, strings
from durable_redis.commands.lcs import lcs_length, lcs_matches
from durable_redis.objects.entry import expires_of
from tests.support.fake_engine import NOW_MS, FakeEngine

WRONG_TYPE = "WRONGTYPE Operation against a key holding the wrong kind of value"
NOT_AN_INTEGER = "ERR value is not an integer or out of range"
NOT_A_FLOAT = "ERR value is not a valid float"
SYNTAX = "ERR syntax error"
TOO_LONG = "ERR string exceeds maximum allowed size (proto-max-bulk-len)"
OVERFLOW = "ERR increment or decrement would overflow"
INT64_MAX = (1 << 63) - 1
INT64_MIN = -(1 << 63)
LATER = b"%d" % (NOW_MS + 10_000)


@pytest.fixture
def engine() -> FakeEngine:
    """The string commands; ``l`` is a list, ``s`` "hello", ``t`` "hello" for ten seconds, ``n`` is 10."""
    made = FakeEngine([strings, lcs])
    made.context.apply(b"RPUSH", b"l", b"element")
    made.run("SET", "s", "hello")
    made.run("SET", "t", "hello", "PX", 10_000)
    made.run("SET", "n", "10")
    made.effects.clear()
    return made


def expiry(engine: FakeEngine, key: bytes) -> int:
    value = engine.context.peek(key)
    assert value is not None
    return expires_of(value)


def test_every_string_command_is_declared() -> None:
    names = (
        "APPEND DECR DECRBY GET GETDEL GETEX GETRANGE GETSET INCR INCRBY INCRBYFLOAT LCS "
        "MGET MSET MSETNX PSETEX SET SETEX SETNX SETRANGE STRLEN SUBSTR"
    )
    assert " ".join(sorted(FakeEngine([strings, lcs]).table)) == names


@pytest.mark.parametrize(
    ("line", "text"),
    [
        ("GET l", WRONG_TYPE),
        ("GETSET l v", WRONG_TYPE),
        ("GETDEL l", WRONG_TYPE),
        ("STRLEN l", WRONG_TYPE),
        ("APPEND l x", WRONG_TYPE),
        ("INCR l", WRONG_TYPE),
        ("DECR l", WRONG_TYPE),
        ("INCRBYFLOAT l 1", WRONG_TYPE),
        ("INCRBYFLOAT l x", WRONG_TYPE),
        ("SETRANGE l 536870912 x", WRONG_TYPE),
        ("GETRANGE l 0 1", WRONG_TYPE),
        ("SUBSTR l 0 1", WRONG_TYPE),
        ("SET l v GET", WRONG_TYPE),
        ("SET l v NX GET", WRONG_TYPE),
        ("GETEX l EX abc", WRONG_TYPE),
        # Arguments before types, where Redis looks at them first.
        ("INCRBY l abc", NOT_AN_INTEGER),
        ("DECRBY l abc", NOT_AN_INTEGER),
        ("GETRANGE l 0 b", NOT_AN_INTEGER),
        ("GETRANGE no 9223372036854775808 0", NOT_AN_INTEGER),
        ("SETRANGE l abc x", NOT_AN_INTEGER),
        ("SETRANGE l -1 x", "ERR offset is out of range"),
        ("DECRBY l -9223372036854775808", "ERR decrement would overflow"),
        ("SET l v GET EX abc", NOT_AN_INTEGER),
        ("GETEX l EX 10 PX 10", SYNTAX),
        # SET's options.
        ("SET k v EX", SYNTAX),
        ("SET k v FOO", SYNTAX),
        ("SET k v PERSIST", SYNTAX),
        ("SET k v NX XX", SYNTAX),
        ("SET k v XX NX", SYNTAX),
        ("SET k v EX 10 PX 10", SYNTAX),
        ("SET k v EX 10 KEEPTTL", SYNTAX),
        ("SET k v EX 0", "ERR invalid expire time in 'set' command"),
        ("SET k v EX -1", "ERR invalid expire time in 'set' command"),
        ("SET k v EX 9223372036854775807", "ERR invalid expire time in 'set' command"),
        ("SET k v EX 9223372036854775", "ERR invalid expire time in 'set' command"),
        ("SET k v PX 9223372036854775807", "ERR invalid expire time in 'set' command"),
        ("SET k v EXAT 9223372036854776", "ERR invalid expire time in 'set' command"),
        ("SET k v PXAT 0", "ERR invalid expire time in 'set' command"),
        ("SET k v EX 1.5", NOT_AN_INTEGER),
        ("SETEX k 0 v", "ERR invalid expire time in 'setex' command"),
        ("SETEX k abc v", NOT_AN_INTEGER),
        ("PSETEX k -5 v", "ERR invalid expire time in 'psetex' command"),
        ("PSETEX k 9223372036854775807 v", "ERR invalid expire time in 'psetex' command"),
        # GETEX's.
        ("GETEX s EX", SYNTAX),
        ("GETEX s NX", SYNTAX),
        ("GETEX s GET", SYNTAX),
        ("GETEX s KEEPTTL", SYNTAX),
        ("GETEX s EX 10 PERSIST", SYNTAX),
        ("GETEX s EX abc", NOT_AN_INTEGER),
        ("GETEX s EX 0", "ERR invalid expire time in 'getex' command"),
        # Arity.
        ("GET", "ERR wrong number of arguments for 'get' command"),
        ("MSET a", "ERR wrong number of arguments for 'mset' command"),
        ("MSET a 1 b", "ERR wrong number of arguments for 'mset' command"),
        ("MSETNX a 1 b", "ERR wrong number of arguments for 'msetnx' command"),
        # Numbers.
        ("INCR s", NOT_AN_INTEGER),
        ("INCRBY n 1.0", NOT_AN_INTEGER),
        ("INCRBYFLOAT s 1", NOT_A_FLOAT),
        ("INCRBYFLOAT n abc", NOT_A_FLOAT),
        ("INCRBYFLOAT n nan", NOT_A_FLOAT),
        ("INCRBYFLOAT n inf", "ERR increment would produce NaN or Infinity"),
        ("INCRBYFLOAT n -inf", "ERR increment would produce NaN or Infinity"),
        # Size.
        ("SETRANGE no 536870912 x", TOO_LONG),
        ("SETRANGE s 536870908 hello", TOO_LONG),
        ("SETRANGE s 9223372036854775807 x", TOO_LONG),
        # LCS.
        ("LCS l s FOO", "ERR The specified keys must contain string values"),
        ("LCS s l", "ERR The specified keys must contain string values"),
        ("LCS s t FOO", SYNTAX),
        ("LCS s t MINMATCHLEN", SYNTAX),
        ("LCS s t MINMATCHLEN a FOO", NOT_AN_INTEGER),
        ("LCS s t LEN IDX", "ERR If you want both the length and indexes, please just use IDX."),
    ],
)
def test_error(engine: FakeEngine, line: str, text: str) -> None:
    assert engine.error(*line.split()) == text


@pytest.mark.parametrize(
    ("line", "reply", "effects"),
    [
        ("SET k v", "OK", [b"SET k v"]),
        ("SET l v", "OK", [b"SET l v"]),
        ("SET k v EX 10", "OK", [b"SET k v PXAT " + LATER]),
        ("set k v px 10000", "OK", [b"SET k v PXAT " + LATER]),
        ("SET k v PXAT 9223372036854775807", "OK", [b"SET k v PXAT 9223372036854775807"]),
        ("SET k v EXAT 9223372036854775", "OK", [b"SET k v PXAT 9223372036854775000"]),
        ("SET k v EX 5 EX 10", "OK", [b"SET k v PXAT " + LATER]),
        ("SET k v PXAT 1", "OK", [b"SET k v PXAT 1"]),
        ("SET s v PXAT 1", "OK", [b"SET s v PXAT 1"]),
        ("SET s v EXAT 1 GET", b"hello", [b"SET s v PXAT 1000"]),
        ("SET t v KEEPTTL", "OK", [b"SET t v PXAT " + LATER]),
        ("SET k v NX", "OK", [b"SET k v"]),
        ("SET s v NX", None, []),
        ("SET l v NX", None, []),
        ("SET k v XX", None, []),
        ("SET s v XX", "OK", [b"SET s v"]),
        ("SET s v GET", b"hello", [b"SET s v"]),
        ("SET k v GET", None, [b"SET k v"]),
        ("SET k v NX GET", None, [b"SET k v"]),
        ("SET s v NX GET", b"hello", []),
        ("SET k v XX GET", None, []),
        ("SETEX k 10 v", "OK", [b"SET k v PXAT " + LATER]),
        ("PSETEX l 10000 v", "OK", [b"SET l v PXAT " + LATER]),
        ("SETNX k v", 1, [b"SET k v"]),
        ("SETNX l v", 0, []),
        ("GETSET t v", b"hello", [b"SET t v"]),
        ("GETSET k v", None, [b"SET k v"]),
        ("GETDEL s", b"hello", [b"DEL s"]),
        ("GETDEL k", None, []),
        ("GETEX t", b"hello", []),
        ("GETEX k EX abc", None, []),
        ("GETEX s EX 10", b"hello", [b"PEXPIREAT s " + LATER]),
        ("GETEX s PXAT 1", b"hello", [b"DEL s"]),
        ("GETEX s PERSIST", b"hello", []),
        ("GETEX t PERSIST", b"hello", [b"PERSIST t"]),
        ("MGET s l k n", [b"hello", None, None, b"10"], []),
        ("MSET s 1 k 2 k 3", "OK", [b"MSET s 1 k 2 k 3"]),
        ("MSETNX k 1 k2 2", 1, [b"MSET k 1 k2 2"]),
        ("MSETNX k 1 l 2", 0, []),
        ("INCR n", 11, [b"INCR n"]),
        ("INCR k", 1, [b"INCR k"]),
        ("DECR n", 9, [b"DECR n"]),
        ("INCRBY n -15", -5, [b"INCRBY n -15"]),
        ("DECRBY n 15", -5, [b"DECRBY n 15"]),
        ("INCRBYFLOAT n 0.1", b"10.1", [b"SET n 10.1 KEEPTTL"]),
        ("INCRBYFLOAT k 3.0e3", b"3000", [b"SET k 3000 KEEPTTL"]),
        ("STRLEN s", 5, []),
        ("STRLEN k", 0, []),
        ("APPEND s !", 6, [b"APPEND s !"]),
        ("APPEND k v", 1, [b"APPEND k v"]),
        ("SETRANGE s 1 ipp", 5, [b"SETRANGE s 1 ipp"]),
        ("SETRANGE k 3 x", 4, [b"SETRANGE k 3 x"]),
        ("GETRANGE s 1 3", b"ell", []),
        ("GETRANGE s 1 -2", b"ell", []),
        ("GETRANGE s -100 100", b"hello", []),
        ("GETRANGE s -100 -50", b"h", []),
        ("GETRANGE s -1 -2", b"", []),
        ("GETRANGE s 3 1", b"", []),
        ("GETRANGE s 5 9", b"", []),
        ("GETRANGE k 0 -1", b"", []),
        ("SUBSTR s 0 0", b"h", []),
    ],
)
def test_reply_and_effects(engine: FakeEngine, line: str, reply: Any, effects: list[bytes]) -> None:
    assert engine.run(*line.split()) == reply
    assert [b" ".join(effect) for effect in engine.effects] == effects


def test_set_takes_away_the_expiry_and_keepttl_keeps_it(engine: FakeEngine) -> None:
    engine.run("SET", "t", "1", "KEEPTTL")
    assert expiry(engine, b"t") == NOW_MS + 10_000
    engine.run("INCRBYFLOAT", "t", "0.5")
    engine.run("APPEND", "t", "x")
    engine.run("SETRANGE", "t", "0", "y")
    assert engine.run("GET", "t") == b"y.5x"
    assert expiry(engine, b"t") == NOW_MS + 10_000
    engine.run("SET", "t", "1")
    assert expiry(engine, b"t") == 0


def test_what_has_expired_is_gone_before_a_command_looks(engine: FakeEngine) -> None:
    engine.keyspace.now_ms += 10_000
    assert engine.run("SET", "t", "v", "KEEPTTL") == "OK"
    assert engine.effects == [(b"DEL", b"t"), (b"SET", b"t", b"v")]
    assert expiry(engine, b"t") == 0
    engine.run("SET", "t", "5", "PX", "1")
    engine.keyspace.now_ms += 1
    assert engine.run("INCR", "t") == 1


def test_empty_values(engine: FakeEngine) -> None:
    assert engine.run("SETRANGE", "k", "9", "") == 0
    assert engine.run("SETRANGE", "s", "536870912", "") == 5
    assert engine.effects == []
    assert engine.run("GET", "k") is None
    assert engine.run("APPEND", "k", "") == 0
    assert engine.run("GET", "k") == b""
    assert engine.error("SET", "k", "v", "EX", "") == NOT_AN_INTEGER
    assert engine.error("INCR", "k") == NOT_AN_INTEGER
    assert engine.error("INCRBYFLOAT", "k", "1") == NOT_A_FLOAT
    assert engine.run("GETRANGE", "k", "0", "-1") == b""


def test_replies_do_not_change_with_the_value(engine: FakeEngine) -> None:
    engine.run("APPEND", "s", "!")
    replies = [engine.run("GET", "s"), engine.run("GETRANGE", "s", 0, -1), *engine.run("MGET", "s")]
    replies += [engine.run("GETEX", "s"), engine.run("SET", "s", "v", "GET", "NX")]
    engine.run("SETRANGE", "s", "0", "J")
    assert replies == [b"hello!"] * 5
    assert {type(reply) for reply in replies} == {bytes}


def test_numbers_stay_in_64_bits(engine: FakeEngine) -> None:
    engine.run("SET", "n", INT64_MAX - 1)
    assert engine.run("INCR", "n") == INT64_MAX
    assert engine.error("INCR", "n") == OVERFLOW
    assert engine.error("INCRBY", "n", "1") == OVERFLOW
    assert engine.error("DECRBY", "n", "-1") == OVERFLOW
    assert engine.run("DECRBY", "n", INT64_MAX) == 0
    assert engine.run("DECRBY", "n", INT64_MAX) == -INT64_MAX
    assert engine.run("DECR", "n") == INT64_MIN
    assert engine.error("DECR", "n") == OVERFLOW
    assert engine.run("GET", "n") == b"%d" % INT64_MIN


@pytest.mark.parametrize(
    "raw", [b"010", b"-0", b"+1", b" 1", b"1 ", b"", b"1.0", b"9223372036854775808", b"1" * 30]
)
def test_only_the_canonical_form_of_an_integer_counts(engine: FakeEngine, raw: bytes) -> None:
    engine.run("SET", "k", raw)
    assert engine.error("INCR", "k") == NOT_AN_INTEGER
    assert engine.error("INCRBY", "n", raw) == NOT_AN_INTEGER


@pytest.mark.parametrize(
    ("old", "delta", "total"),
    [
        (b"10.5", b"0.1", b"10.6"),
        (b"5.0e3", b"2.0e2", b"5200"),
        (b"0x10", b"1", b"17"),
        (b"1000", b"1e-30", b"1000"),
        (b"0", b"-1e-20", b"0"),
        (b"-0", b"0", b"0"),
        (b"3", b"-1.5", b"1.5"),
    ],
)
def test_float_sums(engine: FakeEngine, old: bytes, delta: bytes, total: bytes) -> None:
    engine.run("SET", "k", old)
    assert engine.run("INCRBYFLOAT", "k", delta) == total
    assert engine.run("GET", "k") == total


def test_an_infinite_value_cannot_be_added_to(engine: FakeEngine) -> None:
    engine.run("SET", "k", "inf")
    assert engine.error("INCRBYFLOAT", "k", "1") == "ERR increment would produce NaN or Infinity"
    assert engine.error("INCRBYFLOAT", "k", "x") == NOT_A_FLOAT


def test_the_limit_on_length_is_an_option() -> None:
    engine = FakeEngine([strings], {"proto-max-bulk-len": 8})
    assert engine.run("SETRANGE", "k", "7", "x") == 8
    assert engine.error("SETRANGE", "k", "8", "x") == TOO_LONG
    assert engine.error("APPEND", "k", "x") == TOO_LONG
    assert engine.run("APPEND", "k", "") == 8


# -- LCS -----------------------------------------------------------------------------------------------------


@pytest.fixture
def texts() -> FakeEngine:
    """LCS over ``a`` = ohmytext and ``b`` = mynewtext."""
    made = FakeEngine([strings, lcs])
    made.run("MSET", "a", "ohmytext", "b", "mynewtext")
    return made


@pytest.mark.parametrize(
    ("options", "reply"),
    [
        ("", b"mytext"),
        ("LEN", 6),
        ("len withmatchlen minmatchlen 3", 6),
        ("IDX", {b"matches": [[[4, 7], [5, 8]], [[2, 3], [0, 1]]], b"len": 6}),
        ("IDX WITHMATCHLEN", {b"matches": [[[4, 7], [5, 8], 4], [[2, 3], [0, 1], 2]], b"len": 6}),
        ("IDX MINMATCHLEN 3", {b"matches": [[[4, 7], [5, 8]]], b"len": 6}),
        ("IDX MINMATCHLEN 9", {b"matches": [], b"len": 6}),
        ("IDX MINMATCHLEN -1", {b"matches": [[[4, 7], [5, 8]], [[2, 3], [0, 1]]], b"len": 6}),
    ],
)
def test_lcs(texts: FakeEngine, options: str, reply: Any) -> None:
    assert texts.run("LCS", "a", "b", *options.split()) == reply


def test_lcs_of_a_missing_key(texts: FakeEngine) -> None:
    assert texts.run("LCS", "a", "no") == b""
    assert texts.run("LCS", "no", "b", "LEN") == 0
    assert texts.run("LCS", "no", "no", "IDX") == {b"matches": [], b"len": 0}


def test_lcs_refuses_more_than_redis_would_hold(texts: FakeEngine) -> None:
    texts.run("MSET", "a", b"a" * 11_585, "b", b"b" * 11_584)
    text = "ERR Insufficient memory, transient memory for LCS exceeds proto-max-bulk-len"
    assert str(texts.run("LCS", "a", "b", "LEN")) == text
    texts.run("SET", "b", b"b" * 11_583)
    assert texts.run("LCS", "a", "b", "LEN") == 0


def naive_lcs(first: bytes, second: bytes) -> tuple[int, list[tuple[int, int]]]:
    """The textbook's table, and Redis's way back through it: pairs of places, the last one first."""
    table = [[0] * (len(second) + 1) for _ in range(len(first) + 1)]
    for i, left in enumerate(first, 1):
        for j, right in enumerate(second, 1):
            if left == right:
                table[i][j] = table[i - 1][j - 1] + 1
            else:
                table[i][j] = max(table[i - 1][j], table[i][j - 1])
    pairs = []
    i, j = len(first), len(second)
    while i and j:
        if first[i - 1] == second[j - 1]:
            i, j = i - 1, j - 1
            pairs.append((i, j))
        elif table[i - 1][j] > table[i][j - 1]:
            i -= 1
        else:
            j -= 1
    return table[-1][-1], pairs


words = st.text("abc", max_size=40).map(str.encode) | st.binary(max_size=20)


@settings(max_examples=300, deadline=None)
@given(words, words)
def test_lcs_is_the_textbooks(first: bytes, second: bytes) -> None:
    length, pairs = naive_lcs(first, second)
    assert lcs_length(first, second) == length
    matches = lcs_matches(first, second)
    found = [(m.first + at, m.second + at) for m in matches for at in reversed(range(m.length))]
    assert found == pairs
    for later, earlier in pairwise(matches):
        ends = (earlier.first + earlier.length, earlier.second + earlier.length)
        assert ends != (later.first, later.second), "two stretches that touch in both strings are one"


@settings(max_examples=100, deadline=None)
@given(st.binary(max_size=30), st.integers(-40, 40), st.integers(-40, 40))
def test_getrange_is_a_slice(data: bytes, start: int, end: int) -> None:
    engine = FakeEngine([strings])
    engine.run("SET", "k", data)
    size = len(data)
    first = start if start >= 0 else max(size + start, 0)
    last = end if end >= 0 else max(size + end, 0)
    wanted = b"" if start < 0 and end < 0 and start > end else data[first : last + 1]
    assert engine.run("GETRANGE", "k", start, end) == wanted
