"""The encoder: the bytes of every reply type, a second opinion from hiredis, and DEBUG PROTOCOL's samples."""

from __future__ import annotations

import enum
import math
from typing import Any

import hiredis
import pytest
from hypothesis import given
from hypothesis import strategies as st

from durable_redis.errors import ProtocolError, ReplyError
from durable_redis.resp.encoder import BULK_HEADERS, bulk_header, encode, encode_bytes
from durable_redis.resp.replies import (
    NO_REPLY,
    NULL_ARRAY,
    OK,
    BigNumber,
    Encoded,
    Push,
    SetReply,
    Verbatim,
)


class Colour(enum.IntEnum):
    RED = 7


CASES: list[tuple[Any, bytes, bytes]] = [
    (None, b"$-1\r\n", b"_\r\n"),
    (NULL_ARRAY, b"*-1\r\n", b"_\r\n"),
    (NO_REPLY, b"", b""),
    (OK, b"+OK\r\n", b"+OK\r\n"),
    ("a\r\nb\xff", b"+a  b\xff\r\n", b"+a  b\xff\r\n"),
    ("\u20ac", b"+\xe2\x82\xac\r\n", b"+\xe2\x82\xac\r\n"),
    (b"", b"$0\r\n\r\n", b"$0\r\n\r\n"),
    (b"a\r\nb", b"$4\r\na\r\nb\r\n", b"$4\r\na\r\nb\r\n"),
    (bytearray(b"ab"), b"$2\r\nab\r\n", b"$2\r\nab\r\n"),
    (b"x" * 16385, b"$16385\r\n" + b"x" * 16385 + b"\r\n", b"$16385\r\n" + b"x" * 16385 + b"\r\n"),
    (True, b":1\r\n", b"#t\r\n"),
    (False, b":0\r\n", b"#f\r\n"),
    (0, b":0\r\n", b":0\r\n"),
    (9999, b":9999\r\n", b":9999\r\n"),
    (10000, b":10000\r\n", b":10000\r\n"),
    (-1, b":-1\r\n", b":-1\r\n"),
    (-(2**63), b":-9223372036854775808\r\n", b":-9223372036854775808\r\n"),
    (Colour.RED, b":7\r\n", b":7\r\n"),
    (3.0, b"$1\r\n3\r\n", b",3\r\n"),
    (0.1, b"$19\r\n0.10000000000000001\r\n", b",0.10000000000000001\r\n"),
    (-math.inf, b"$4\r\n-inf\r\n", b",-inf\r\n"),
    (math.nan, b"$3\r\nnan\r\n", b",nan\r\n"),
    (BigNumber(-(10**30)), b"$32\r\n-1%b\r\n" % (b"0" * 30), b"(-1%b\r\n" % (b"0" * 30)),
    (Verbatim(b"hi"), b"$2\r\nhi\r\n", b"=6\r\ntxt:hi\r\n"),
    (Verbatim(b"# hi", b"mkd"), b"$4\r\n# hi\r\n", b"=8\r\nmkd:# hi\r\n"),
    ([], b"*0\r\n", b"*0\r\n"),
    ((1, b"a"), b"*2\r\n:1\r\n$1\r\na\r\n", b"*2\r\n:1\r\n$1\r\na\r\n"),
    (
        [None, [OK, None], NULL_ARRAY],
        b"*3\r\n$-1\r\n*2\r\n+OK\r\n$-1\r\n*-1\r\n",
        b"*3\r\n_\r\n*2\r\n+OK\r\n_\r\n_\r\n",
    ),
    ([0] * 1025, b"*1025\r\n" + b":0\r\n" * 1025, b"*1025\r\n" + b":0\r\n" * 1025),
    ({b"a": True}, b"*2\r\n$1\r\na\r\n:1\r\n", b"%1\r\n$1\r\na\r\n#t\r\n"),
    ({}, b"*0\r\n", b"%0\r\n"),
    (SetReply([b"a"]), b"*1\r\n$1\r\na\r\n", b"~1\r\n$1\r\na\r\n"),
    (Push([b"a", None]), b"*2\r\n$1\r\na\r\n$-1\r\n", b">2\r\n$1\r\na\r\n_\r\n"),
    (Encoded(b"+raw\r\n"), b"+raw\r\n", b"+raw\r\n"),
    (ReplyError("ERR no"), b"-ERR no\r\n", b"-ERR no\r\n"),
    (ReplyError("ERR a\r\nb\xff\r\n"), b"-ERR a  b\xff\r\n", b"-ERR a  b\xff\r\n"),
    (ProtocolError("ERR Protocol error: x"), b"-ERR Protocol error: x\r\n", b"-ERR Protocol error: x\r\n"),
    ([ReplyError("ERR a"), 1], b"*2\r\n-ERR a\r\n:1\r\n", b"*2\r\n-ERR a\r\n:1\r\n"),
]


@pytest.mark.parametrize("case", CASES, ids=lambda case: repr(case[0])[:30])
def test_bytes_of_each_type(case: tuple[Any, bytes, bytes]) -> None:
    reply, resp2, resp3 = case
    assert encode_bytes(reply, 2) == resp2
    assert encode_bytes(reply, 3) == resp3


def test_every_type_within_an_array() -> None:
    for protocol in (2, 3):
        together = encode_bytes([case[0] for case in CASES], protocol)
        assert together == b"*%d\r\n" % len(CASES) + b"".join(case[protocol - 1] for case in CASES)


def test_what_is_no_reply_is_refused() -> None:
    for value in (object(), {1, 2}, memoryview(b"a")):
        with pytest.raises(TypeError):
            encode_bytes(value, 3)


def test_large_values_are_not_copied() -> None:
    value = b"x" * 100_000
    out: list[bytes] = [b"+before\r\n"]
    encode([value], 2, out)
    assert out[0] == b"+before\r\n"
    assert any(piece is value for piece in out)


def test_a_bytearray_may_change_after_encoding() -> None:
    value = bytearray(b"before")
    out: list[bytes] = []
    encode(value, 2, out)
    value[:] = b"after!"
    assert b"".join(out) == b"$6\r\nbefore\r\n"


def test_bulk_headers() -> None:
    assert len(BULK_HEADERS) == 16385
    for length in (0, 1, 16384, 16385, 10**9):
        assert bulk_header(length) == b"$%d\r\n" % length


SCALARS: st.SearchStrategy[Any] = (
    st.none() | st.booleans() | st.integers(-(2**63), 2**63 - 1) | st.binary(max_size=40)
)
SCALARS |= st.floats(allow_nan=False)
REPLIES = st.recursive(
    SCALARS,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.binary(max_size=5), inner, max_size=4),
    max_leaves=20,
)


def as_resp2(reply: Any) -> Any:
    """What a RESP2 client is left with."""
    if isinstance(reply, bool):
        return int(reply)
    if isinstance(reply, float):
        return b"%.17g" % reply
    if isinstance(reply, list):
        return [as_resp2(item) for item in reply]
    if isinstance(reply, dict):
        return [part for key, value in reply.items() for part in (key, as_resp2(value))]
    return reply


def decode(data: bytes) -> Any:
    reader = hiredis.Reader()
    reader.feed(data)
    value = reader.gets()
    assert not reader.has_data()
    return value


@given(REPLIES)
def test_hiredis_reads_what_was_meant(reply: Any) -> None:
    assert decode(encode_bytes(reply, 3)) == reply
    assert decode(encode_bytes(reply, 2)) == as_resp2(reply)


# --- against redis-server --------------------------------------------------------------------------

SAMPLES: list[tuple[bytes, Any]] = [
    (b"string", b"Hello World"),
    (b"integer", 12345),
    (b"double", 3.141),
    (b"null", None),
    (b"array", [0, 1, 2]),
    (b"set", SetReply([0, 1, 2])),
    (b"map", {0: False, 1: True, 2: False}),
    (b"verbatim", Verbatim(b"This is a verbatim\nstring")),
    (b"true", True),
    (b"false", False),
    (b"bignum", BigNumber(1234567999999999999999999999999999999)),
]


@pytest.mark.parametrize(("name", "value"), SAMPLES)
def test_samples_of_redis(raw_oracle: Any, name: bytes, value: Any) -> None:
    assert raw_oracle.pipeline([(b"DEBUG", b"PROTOCOL", name)]) == encode_bytes(value, 2)
    answer = raw_oracle.pipeline([(b"HELLO", b"3"), (b"DEBUG", b"PROTOCOL", name)])
    assert answer.endswith(b"$7\r\nmodules\r\n*0\r\n" + encode_bytes(value, 3))


def test_push_sample_of_redis(raw_oracle: Any) -> None:
    answer = raw_oracle.pipeline([(b"HELLO", b"3"), (b"DEBUG", b"PROTOCOL", b"push")])
    assert encode_bytes(Push([b"server-cpu-usage", 42]), 3) in answer


@pytest.mark.parametrize(
    ("script", "value"),
    [
        (b"return {double=-0.0}", -0.0),
        (b"return {double=0.1}", 0.1),
        (b"return {double=1e17}", 1e17),
        (b"return {double=1/0}", math.inf),
        (b"return {double=-(0/0)}", math.nan),
        (b"return {double=0/0}", math.copysign(math.nan, -1.0)),
        (b"return {map={}}", {}),
        (b"return {err='ERR a\\r\\nb\\r\\n'}", ReplyError("ERR a\r\nb\r\n")),
        (b"return {ok='a\\nb'}", "a\nb"),
    ],
)
def test_script_values_of_redis(raw_oracle: Any, script: bytes, value: Any) -> None:
    call = (b"EVAL", b"redis.setresp(3) " + script, b"0")
    assert raw_oracle.pipeline([call]) == encode_bytes(value, 2)
    assert raw_oracle.pipeline([(b"HELLO", b"3"), call]).endswith(b"*0\r\n" + encode_bytes(value, 3))


def test_null_array_of_redis(raw_oracle: Any) -> None:
    call = (b"BLPOP", b"no-such-list", b"0.001")
    assert raw_oracle.pipeline([(b"MULTI",), call, (b"EXEC",)]).endswith(
        b"*1\r\n" + encode_bytes(NULL_ARRAY, 2)
    )
    answer = raw_oracle.pipeline([(b"HELLO", b"3"), (b"MULTI",), call, (b"EXEC",)])
    assert answer.endswith(b"*1\r\n" + encode_bytes(NULL_ARRAY, 3))
