"""The request parser: every case in every cut, limits, garbage, and redis-server's view of the same bytes."""

from __future__ import annotations

import tracemalloc
from itertools import pairwise
from typing import Any

import hiredis
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from durable_redis.errors import ProtocolError
from durable_redis.resp.encoder import encode_bytes
from durable_redis.resp.parser import RequestParser, split_words

MULTIBULK = "ERR Protocol error: invalid multibulk length"
BULK = "ERR Protocol error: invalid bulk length"
QUOTES = "ERR Protocol error: unbalanced quotes in request"
INLINE_TOO_BIG = "ERR Protocol error: too big inline request"
COUNT_TOO_BIG = "ERR Protocol error: too big mbulk count string"
LENGTH_TOO_BIG = "ERR Protocol error: too big bulk count string"
PING = b"PING\r\n"
PONG = [b"PING"]

# What each input gives: the commands, then the error's text or None.  redis-server is asked the same below.
CASES: list[tuple[bytes, list[list[bytes]], str | None]] = [
    (b"", [], None),
    (b"*1\r\n$4\r\nPING\r\n", [PONG], None),
    (b"*2\r\n$4\r\nECHO\r\n$0\r\n\r\n" * 2, [[b"ECHO", b""]] * 2, None),
    (b"*1\r\n$6\r\n\r\n\0\xff*1\r\n" + PING, [[b"\r\n\0\xff*1"], PONG], None),
    (b"*2\r\n$4\r\nECHO\r\n$5000\r\n" + b"x" * 5000 + b"\r\n" + PING, [[b"ECHO", b"x" * 5000], PONG], None),
    (b"*0\r\n" + PING, [PONG], None),
    (b"*-1\r\n" + PING, [PONG], None),
    (b"*-9223372036854775808\r\n" + PING, [PONG], None),
    (b"\r\n" + PING, [PONG], None),
    (b"\n\n \t\r\n" + PING, [PONG], None),
    (b"*\r\n", [], MULTIBULK),
    (b"*a\r\n", [], MULTIBULK),
    (b"*01\r\n", [], MULTIBULK),
    (b"*+1\r\n", [], MULTIBULK),
    (b"*-0\r\n", [], MULTIBULK),
    (b"* 1\r\n", [], MULTIBULK),
    (b"*1 \r\n", [], MULTIBULK),
    (b"*2147483648\r\n", [], MULTIBULK),
    (b"*9223372036854775808\r\n", [], MULTIBULK),
    (PING + b"*x\r\n" + PING, [PONG], MULTIBULK),
    (b"*1\r\nX4\r\n", [], "ERR Protocol error: expected '$', got 'X'"),
    (b"*1\r\n\r\n", [], "ERR Protocol error: expected '$', got ' '"),
    (b"*1\r\n\n\r\n", [], "ERR Protocol error: expected '$', got ' '"),
    (b"*1\r\n\xff4\r\n", [], "ERR Protocol error: expected '$', got '\xff'"),
    (b"*2\r\n$4\r\nPING\r\n*1\r\n", [], "ERR Protocol error: expected '$', got '*'"),
    (b"*1\r\n$\r\n", [], BULK),
    (b"*1\r\n$-1\r\n", [], BULK),
    (b"*1\r\n$04\r\n", [], BULK),
    (b"*1\r\n$536870912\r\n", [], None),
    (b"*1\r\n$536870913\r\n", [], BULK),
    (b"*1\rX$4\rYPINGzz" + PING, [PONG, PONG], None),
    (b"*1\n$4\nPING\n", [], None),
    (b"*1\0\r\n" + PING, [], None),
    (b"*1\r\n$4\0\r\nPING\r\n", [], None),
    (b"*1\r\n\0\r\n" + PING, [], None),
    (b"PI\0NG\r\n" + PING, [], None),
    (b"ECHO a\rb\r\n", [[b"ECHO", b"a", b"b"]], None),
    (b"ECHO ab\r\r\n", [[b"ECHO", b"ab"]], None),
    (b"ECHO\t a \x0b\x0c\n", [[b"ECHO", b"a"]], None),
    (b"ECHO a\x0bb\n", [[b"ECHO", b"a\x0bb"]], None),
    (b"ECHO \x85\xa0\x1c\n", [[b"ECHO", b"\x85\xa0\x1c"]], None),
    (b'ECHO "a\\x41\\n\\r\\t\\b\\a\\q\\"\\\\"\r\n', [[b"ECHO", b'aA\n\r\t\x08\x07q"\\']], None),
    (b'ECHO "\\xzz\\x4"\r\n', [[b"ECHO", b"xzzx4"]], None),
    (b"ECHO 'a\\'b\\n\"'\r\n", [[b"ECHO", b"a'b\\n\""]], None),
    (b"ECHO \"\" ''\r\n", [[b"ECHO", b"", b""]], None),
    (b'ECHO a"b c"\r\n', [[b"ECHO", b"ab c"]], None),
    (b"ECHO a'b c'\r\n", [[b"ECHO", b"ab c"]], None),
    (b'ECHO "a"b\r\n', [], QUOTES),
    (b"ECHO 'a'b\r\n", [], QUOTES),
    (b'ECHO a"b"c\n', [], QUOTES),
    (b'ECHO "a\r\n', [], QUOTES),
    (b"ECHO 'a\r\n", [], QUOTES),
    (b'ECHO "a\\\n', [], QUOTES),
    (b"ECHO 'a\\'\n", [], QUOTES),
    (b'ECHO "a\\', [], None),
    (b"PING \r", [], None),
    (b"A" * 65536, [], None),
    (b"A" * 65537, [], INLINE_TOO_BIG),
    (b"*" + b"1" * 65535, [], None),
    (b"*" + b"1" * 65536, [], COUNT_TOO_BIG),
    (b"*1\0\r\n" + b"1" * 65532, [], COUNT_TOO_BIG),
    (b"*1\r\n$" + b"1" * 65535, [], None),
    (b"*1\r\n$" + b"1" * 65536, [], LENGTH_TOO_BIG),
    (b"*1\r\n\0\r\n" + b"1" * 65534, [], LENGTH_TOO_BIG),
]
SMALL_CASES = [case for case in CASES if len(case[0]) < 10_000]


def parse(pieces: list[bytes], parser: RequestParser | None = None) -> tuple[list[list[bytes]], str | None]:
    """All commands in a stream that arrives in ``pieces``, and the error that ended it."""
    parser = parser or RequestParser()
    commands: list[list[bytes]] = []
    for piece in pieces:
        parser.feed(piece)
        try:
            while (argv := parser.next_command()) is not None:
                commands.append(argv)
        except ProtocolError as error:
            return commands, str(error)
    return commands, None


def one_by_one(data: bytes) -> list[bytes]:
    return [data[i : i + 1] for i in range(len(data))]


def ids(case: object) -> str:
    return repr(case)[:40]


@pytest.mark.parametrize("case", CASES, ids=ids)
def test_whole(case: tuple[bytes, list[list[bytes]], str | None]) -> None:
    data, commands, error = case
    assert parse([data]) == (commands, error)


@pytest.mark.parametrize("case", CASES, ids=ids)
def test_byte_by_byte(case: tuple[bytes, list[list[bytes]], str | None]) -> None:
    data, commands, error = case
    assert parse(one_by_one(data)) == (commands, error)


@pytest.mark.parametrize("case", [case for case in SMALL_CASES if case[0][-1:] == b"\n" and case[1]], ids=ids)
def test_trailing_bytes(case: tuple[bytes, list[list[bytes]], str | None]) -> None:
    data, commands, error = case
    last = [] if error else [[b"ECHO", b"hi"]]
    assert parse([data + b"*2\r\n$4\r\nECHO\r\n$2\r\nhi\r\n*1"]) == (commands + last, error)


@settings(max_examples=200, deadline=None)
@given(st.lists(st.sampled_from(SMALL_CASES), max_size=4), st.lists(st.integers(0, 6000), max_size=6))
def test_any_cut_gives_the_same(
    cases: list[tuple[bytes, list[list[bytes]], str | None]], cuts: list[int]
) -> None:
    data = b"".join(case[0] for case in cases)
    edges = sorted({min(cut, len(data)) for cut in cuts} | {0, len(data)})
    pieces = [data[a:b] for a, b in pairwise(edges)]
    assert parse(pieces) == parse([data])


PROTOCOL_BYTES = st.text("*$1230-+\r\n\0 \"'\\xaP", max_size=60).map(lambda text: text.encode("latin-1"))


@settings(max_examples=500, deadline=None)
@given(st.binary(max_size=60) | PROTOCOL_BYTES)
def test_garbage_gives_commands_or_a_protocol_error(data: bytes) -> None:
    commands, error = parse([data])
    assert all(argv and all(type(word) is bytes for word in argv) for argv in commands)
    assert error is None or error.startswith("ERR Protocol error: ")
    assert parse(one_by_one(data)) == (commands, error)


def test_an_error_is_final() -> None:
    parser = RequestParser()
    assert parse([b"*x\r\n"], parser) == ([], MULTIBULK)
    assert parse([PING], parser) == ([], MULTIBULK)
    assert parser.pending_bytes == 0


def test_changing_limits() -> None:
    parser = RequestParser(bulk_bytes_max=3, elements_max=2)
    assert parse([b"*2\r\n$3\r\nabc\r\n$1\r\nx\r\n"], parser) == ([[b"abc", b"x"]], None)
    parser.bulk_bytes_max = 2
    assert parse([b"*1\r\n$3\r\n"], parser) == ([], BULK)
    assert parse([b"*3\r\n"], RequestParser(elements_max=2)) == ([], MULTIBULK)
    assert parse([b"*1048576\r\n"]) == ([], None)
    assert parse([b"*1048577\r\n"]) == ([], MULTIBULK)


@pytest.mark.parametrize(
    ("data", "error"),
    [
        (b"*10\r\n", None),
        (b"*11\r\n", "ERR Protocol error: unauthenticated multibulk length"),
        (b"*-1\r\n", None),
        (b"*2147483648\r\n", MULTIBULK),
        (b"*1\r\n$16384\r\n", None),
        (b"*1\r\n$16385\r\n", "ERR Protocol error: unauthenticated bulk length"),
        (b"*1\r\n$536870913\r\n", BULK),
    ],
)
def test_small_limits_before_authentication(data: bytes, error: str | None) -> None:
    assert parse([data], RequestParser(authenticated=False)) == ([], error)


def test_limits_grow_with_authentication_in_one_piece() -> None:
    parser = RequestParser(authenticated=False)
    parser.feed(b"AUTH x\r\n*1\r\n$16385\r\n" + b"y" * 16385 + b"\r\n")
    assert parser.next_command() == [b"AUTH", b"x"]
    parser.authenticated = True
    assert parser.next_command() == [b"y" * 16385]


@pytest.mark.parametrize("step", [1000, 10_000, 200_000])
def test_query_buffer_limit_closes_without_words(step: int) -> None:
    def outcome(length: int) -> tuple[list[list[bytes]], str | None]:
        data = b"*2\r\n$4\r\nECHO\r\n$%d\r\n%b\r\n" % (length, b"x" * length)
        pieces = [data[i : i + step] for i in range(0, len(data), step)]
        return parse(pieces, RequestParser(query_buffer_max=100_000))

    assert outcome(99_998) == ([[b"ECHO", b"x" * 99_998]], None)
    assert outcome(99_999) == ([], "")


def test_query_buffer_limit_counts_one_argument_at_a_time() -> None:
    data = b"*4\r\n" + b"$90000\r\n%b\r\n" % (b"x" * 90_000) * 4
    commands, error = parse([data], RequestParser(query_buffer_max=100_000))
    assert ([len(word) for word in commands[0]], error) == ([90_000] * 4, None)


def test_pending_bytes_and_boundaries() -> None:
    parser = RequestParser()
    assert parser.at_boundary
    parser.feed(b"*2\r\n$4\r\nEC")
    assert parser.pending_bytes == 10
    assert parser.next_command() is None
    assert (parser.mid_command, parser.at_boundary, parser.pending_bytes) == (True, False, 2)
    parser.feed(b"HO\r\n$5")
    assert parser.next_command() is None
    assert parser.pending_bytes == 4 + 2
    parser.feed(b"\r\nhello\r\n*3")
    assert parser.next_command() == [b"ECHO", b"hello"]
    assert (parser.mid_command, parser.at_boundary, parser.pending_bytes) == (False, False, 2)
    assert parser.next_command() is None
    assert (parser.mid_command, parser.at_boundary) == (False, False)
    assert parser.take_rest() == b"*3"
    assert parser.at_boundary
    parser.feed(PING)
    assert parser.next_command() == PONG
    assert parser.at_boundary


def test_take_rest_forgets_a_line_without_end() -> None:
    parser = RequestParser()
    assert parse([b"PI\0NG\r\n"], parser) == ([], None)
    assert parser.take_rest() == b"PI\0NG\r\n"
    assert parse([PING], parser) == ([PONG], None)


def test_take_rest_within_a_command_is_a_mistake() -> None:
    parser = RequestParser()
    assert parse([b"*1\r\n$4"], parser) == ([], None)
    with pytest.raises(AssertionError):
        parser.take_rest()


def test_a_large_argument_in_pieces_is_held_once() -> None:
    size = 8 << 20
    piece = bytes(1 << 16)
    parser = RequestParser()
    tracemalloc.start()
    try:
        parser.feed(b"*2\r\n$3\r\nSET\r\n$%d\r\n" % size)
        for _ in range(size >> 16):
            parser.feed(piece)
            assert parser.next_command() is None
        assert parser.pending_bytes == 3 + size
        parser.feed(b"\r\n" + PING)
        command = parser.next_command()
        held_bytes = tracemalloc.get_traced_memory()[0]
    finally:
        tracemalloc.stop()
    assert command == [b"SET", bytes(size)]
    assert held_bytes < 1.2 * size
    assert parser.pending_bytes == len(PING)
    assert parser.next_command() == PONG


@given(st.lists(st.binary(min_size=1, max_size=8)))
def test_split_words_reads_quoted_words(words: list[bytes]) -> None:
    line = b" ".join(b'"' + b"".join(b"\\x%02x" % byte for byte in word) + b'"' for word in words)
    assert split_words(line) == words


# --- against redis-server --------------------------------------------------------------------------

ECHO_ARGUMENTS = [b"EVAL", b"return ARGV", b"0"]


def agrees(answer: bytes, data: bytes) -> bool:
    """Whether redis-server's bytes fit what the parser makes of ``data``."""
    commands, error = parse([data])
    tail = b"-" + error.encode("latin-1") + b"\r\n" if error else b""
    assert answer.endswith(tail), (data, answer, error)
    reader = hiredis.Reader()
    reader.feed(answer[: len(answer) - len(tail)])
    for argv in commands:
        reply = reader.gets()
        if argv[:3] == ECHO_ARGUMENTS:
            assert reply == argv[3:], (data, argv, reply)
        elif argv == PONG:
            assert reply == b"PONG", (data, reply)
        else:
            assert isinstance(reply, (bytes, hiredis.ReplyError, list)), (data, argv, reply)
            assert b"Protocol error" not in str(reply).encode("utf-8", "replace")
    assert reader.gets() is False, (data, answer)
    return True


@pytest.mark.parametrize("case", CASES, ids=ids)
def test_redis_answers_so(raw_oracle: Any, case: tuple[bytes, list[list[bytes]], str | None]) -> None:
    assert agrees(raw_oracle.exchange(case[0]), case[0])


INLINE_PREFIX = b'EVAL "return ARGV" 0 '
INLINE_WORDS = st.text(" \t\r\x0b\x0c\"'\\nxa4\x80", max_size=20).map(lambda text: text.encode("latin-1"))
FRAGMENTS = st.one_of(
    INLINE_WORDS.map(lambda words: INLINE_PREFIX + words + b"\n"),
    st.lists(st.binary(max_size=20), max_size=4).map(lambda words: encode_bytes(ECHO_ARGUMENTS + words, 2)),
    PROTOCOL_BYTES,
    st.sampled_from([case[0] for case in SMALL_CASES]),
)


@settings(max_examples=300, deadline=None)
@given(fragments=st.lists(FRAGMENTS, min_size=1, max_size=4))
def test_redis_reads_the_same_commands(raw_oracle: Any, fragments: list[bytes]) -> None:
    data = b"".join(fragments)
    assert agrees(raw_oracle.exchange(data), data)
