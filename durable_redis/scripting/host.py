"""What the Lua libraries leave to us: bits, bytes of numbers, SHA-1, random numbers.

Lua 5.1 has neither integers nor bit operations.  Functions here take and return strings and numbers only, and
do not raise whatever they are given by our own Lua sources.
"""

from __future__ import annotations

import hashlib
import struct
from collections.abc import Callable
from typing import Any, Final

_MASK64: Final = (1 << 64) - 1
_MAGIC: Final = 6755399441055744.0  # 2 ** 52 + 2 ** 51: adding it leaves an integer in the low bits


class Random:
    """The generator behind ``math.random``: the 48 bits of ``drand48``, of which 31 are shown."""

    def __init__(self) -> None:
        self._state = 0x1234ABCD330E

    def next(self) -> float:
        """A number with 0 <= number < 1."""
        self._state = (self._state * 0x5DEECE66D + 0xB) & 0xFFFFFFFFFFFF
        return (self._state >> 17) % 0x7FFFFFFF / 0x7FFFFFFF

    def seed(self, seed: float) -> None:
        """Begin anew."""
        self._state = (int(seed) & 0xFFFFFFFF) << 16 | 0x330E


def sha1_hex(text: bytes) -> bytes:
    """The SHA-1 of a text in hexadecimal."""
    return hashlib.sha1(text, usedforsecurity=False).hexdigest().encode()


def int_bytes(number: float, size: float, big: bool) -> bytes:
    """An integer in two's complement with a number of bytes; above 64 bits there are zeros, as in C."""
    raw = (_truncated(number) & _MASK64).to_bytes(8, "little")
    raw = (raw + bytes(32))[: int(size)]
    return raw[::-1] if big else raw


def _truncated(number: float) -> int:
    if number != number or number in (float("inf"), float("-inf")):
        return -(1 << 63)
    return int(number)


def bytes_int(raw: bytes, big: bool, signed: bool) -> float:
    """The integer in two's complement, of its 64 low bits, as Lua's number."""
    number = int.from_bytes(raw, "big" if big else "little") & _MASK64
    if not signed:
        return float(number)
    bits = 8 * len(raw) - 1
    sign = _MASK64 & (_MASK64 << bits % 64) if bits >= 0 else 0
    if number & sign:
        number |= sign
    return float(number - (1 << 64) if number >> 63 else number)


def float_bytes(number: float, size: float) -> bytes:
    """A double in 4 or 8 bytes, little-endian."""
    if size == 8:
        return struct.pack("<d", number)
    return _float32(number)


def _float32(number: float) -> bytes:
    try:
        return struct.pack("<f", number)
    except OverflowError:
        return struct.pack("<f", float("inf") if number > 0 else float("-inf"))


def bytes_float(raw: bytes) -> float:
    """What :func:`float_bytes` has written."""
    return float(struct.unpack("<d" if len(raw) == 8 else "<f", raw)[0])


def pack_double(number: float) -> bytes:
    """A double in MessagePack: in 4 bytes if that loses nothing."""
    short = _float32(number)
    if struct.unpack("<f", short)[0] == number:
        return b"\xca" + short[::-1]
    return b"\xcb" + struct.pack(">d", number)


def low_bits(number: float) -> int:
    """The low 32 bits of a number with more than 51, as bit operations see them."""
    return int.from_bytes(struct.pack("<d", number + _MAGIC)[:4], "little")


def arithmetic() -> dict[str, Callable[..., Any]]:
    """The functions by the names that the Lua sources call them by."""
    return {
        "band": lambda a, b: int(a) & int(b),
        "bor": lambda a, b: int(a) | int(b),
        "bxor": lambda a, b: int(a) ^ int(b),
        "low_bits": low_bits,
        "int_bytes": int_bytes,
        "bytes_int": bytes_int,
        "float_bytes": float_bytes,
        "bytes_float": bytes_float,
        "pack_double": pack_double,
        "unpack_double": lambda raw: bytes_float(raw[::-1]),
        "unpack_float": lambda raw: bytes_float(raw[::-1]),
    }
