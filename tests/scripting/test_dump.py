"""Dumps of functions: what is written is read again, and no bytes from outside do any harm."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from durable_redis.scripting.dump import (
    ContentError,
    DumpError,
    _checksum,
    dump_libraries,
    lzf_unpacked,
    read_libraries,
)

ORACLES = bytes.fromhex("f5c3404740a71f") + (
    b"#!lua name=lib\nredis.register_fu\nnction('f',\xe0\x00\x0c\x0f) return 1 end) \xe0X\x00\x01  "
    b"\n\x005'(n\x15\xc2\xe7["
)


def test_a_dump_of_redis_is_read() -> None:
    (source,) = read_libraries(ORACLES)
    assert source == b"#!lua name=lib\nredis.register_function('f',function() return 1 end)" + b" " * 100


@given(st.lists(st.binary(max_size=300)))
def test_what_is_dumped_is_read(sources: list[bytes]) -> None:
    assert read_libraries(dump_libraries(sources)) == sources


@pytest.mark.parametrize("size", [0, 63, 64, 16383, 16384, 70000])
def test_lengths(size: int) -> None:
    assert read_libraries(dump_libraries([b"x" * size, b"y"])) == [b"x" * size, b"y"]


@given(st.integers(0, len(ORACLES) - 1), st.integers(1, 255))
def test_a_changed_byte_is_noticed(at: int, change: int) -> None:
    damaged = ORACLES[:at] + bytes((ORACLES[at] ^ change,)) + ORACLES[at + 1 :]
    with pytest.raises(DumpError):
        read_libraries(damaged)


@given(st.binary(max_size=200))
def test_any_content_behind_a_right_checksum_is_read_or_refused(content: bytes) -> None:
    body = b"\xf5" + content + b"\n\x00"
    try:
        read_libraries(body + _checksum(body))
    except (ContentError, DumpError):
        pass


@given(st.binary(max_size=100), st.integers(0, 2000))
def test_any_packed_bytes_are_unpacked_or_refused(data: bytes, size: int) -> None:
    try:
        assert len(lzf_unpacked(data, size)) == size
    except ContentError:
        pass


def test_a_newer_version_is_refused() -> None:
    body = b"\x0b\x00"
    with pytest.raises(DumpError):
        read_libraries(body + _checksum(body))
