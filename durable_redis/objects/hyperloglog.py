"""HyperLogLogs: strings that estimate how many different elements were added.

::

    value     = "HYLL" encoding unused{3} cached registers
    encoding  = 0 dense | 1 sparse
    cached    = the last estimate, 8 bytes little-endian; the highest bit says that it is outdated
    dense     = 16384 registers of 6 bits, the first one in the lowest bits of the first byte
    sparse    = see hyperloglog_sparse.py

An element's hash chooses a register and proposes a value for it; the register keeps the highest.  Here
registers are also ``bytes`` with one register each: then all of them are packed, merged and counted with
a few operations on the whole.  The estimate has to be the same double as Redis's, so the order of
operations matters.

Pure functions; nothing that is given is changed.  Sources:
http://antirez.com/news/75 for the encodings, https://arxiv.org/abs/1702.01284 (Ertl) for the estimate,
https://github.com/aappleby/smhasher for MurmurHash64A.
"""

from __future__ import annotations

from collections.abc import Iterable
from math import inf, sqrt
from typing import Final

MAGIC: Final = b"HYLL"
DENSE, SPARSE = 0, 1
HEADER_BYTES: Final = 16
ENCODING_AT: Final = 4
CACHE_AT: Final = 8
OUTDATED_AT: Final = 15
OUTDATED: Final = 0x80
REGISTER_BITS: Final = 14
REGISTERS: Final = 1 << REGISTER_BITS
DENSE_BYTES: Final = HEADER_BYTES + REGISTERS * 6 // 8
VALUE_MAX: Final = 64 - REGISTER_BITS + 1  # that a hash can propose

_MASK: Final = (1 << 64) - 1
_FACTOR: Final = 0xC6A4A7935BD1E995
_SEED: Final = 0xADC83B19
_SENTINEL: Final = 1 << (VALUE_MAX - 1)
_ALPHA: Final = 0.721347520444481703680  # 1 / (2 ln 2)
_HIGH_BITS: Final = int.from_bytes(b"\x80" * REGISTERS, "little")

Data = bytes | bytearray


# -- header --------------------------------------------------------------------------------------------------


def is_hyperloglog(data: Data) -> bool:
    """Whether a string has the header, and the size if it is dense."""
    if len(data) < HEADER_BYTES or data[:ENCODING_AT] != MAGIC or data[ENCODING_AT] > SPARSE:
        return False
    return data[ENCODING_AT] == SPARSE or len(data) == DENSE_BYTES


def cached_estimate(data: Data) -> int | None:
    """The estimate in the header; None if it is outdated."""
    if data[OUTDATED_AT] & OUTDATED:
        return None
    return int.from_bytes(data[CACHE_AT:HEADER_BYTES], "little")


def outdated(header: Data, encoding: int) -> bytes:
    """A header like this one, of a value with this encoding whose estimate is outdated."""
    unused_and_cached = bytes(header[ENCODING_AT + 1 : OUTDATED_AT])
    return b"%b%c%b%c" % (MAGIC, encoding, unused_and_cached, header[OUTDATED_AT] | OUTDATED)


# -- elements ------------------------------------------------------------------------------------------------


def hash64(data: bytes) -> int:
    """MurmurHash64A."""
    size = len(data)
    value = _SEED ^ (size * _FACTOR & _MASK)
    whole = size & ~7
    for at in range(0, whole, 8):
        word = int.from_bytes(data[at : at + 8], "little") * _FACTOR & _MASK
        word = (word ^ word >> 47) * _FACTOR & _MASK
        value = (value ^ word) * _FACTOR & _MASK
    if whole < size:
        value = (value ^ int.from_bytes(data[whole:], "little")) * _FACTOR & _MASK
    value = (value ^ value >> 47) * _FACTOR & _MASK
    return value ^ value >> 47


def register_of(element: bytes) -> tuple[int, int]:
    """The register that an element belongs to, and the value that it proposes (1 to ``VALUE_MAX``)."""
    value = hash64(element)
    rest = value >> REGISTER_BITS | _SENTINEL
    return value & (REGISTERS - 1), (rest & -rest).bit_length()


# -- dense ---------------------------------------------------------------------------------------------------


def dense_changes(data: Data, proposals: Iterable[tuple[int, int]]) -> dict[int, int]:
    """The bytes of a dense value that change when registers get these values, by their place in the value."""
    changes: dict[int, int] = {}
    for register, value in proposals:
        at, shift = divmod(register * 6, 8)
        at += HEADER_BYTES
        low = changes.get(at, data[at])
        if shift <= 2:  # all in one byte
            if low >> shift & 63 < value:
                changes[at] = low & ~(63 << shift) | value << shift
            continue
        high = changes.get(at + 1, data[at + 1])
        both = low | high << 8
        if both >> shift & 63 < value:
            both = both & ~(63 << shift) | value << shift
            changes[at] = both & 0xFF
            changes[at + 1] = both >> 8
    return changes


def dense_registers(data: Data) -> bytes:
    """The registers of a dense value.  Three bytes hold four of them."""
    first, second, third = (data[HEADER_BYTES + number :: 3] for number in range(3))
    registers = bytearray(REGISTERS)
    registers[0::4] = first.translate(_LOW_6)
    registers[1::4] = _either(first.translate(_HIGH_2), second.translate(_LOW_4_UP_2))
    registers[2::4] = _either(second.translate(_HIGH_4), third.translate(_LOW_2_UP_4))
    registers[3::4] = third.translate(_HIGH_6)
    return bytes(registers)


def dense_value(header: Data, registers: bytes) -> bytes:
    """The dense value with these registers; what else is in the header is kept."""
    one, two, three, four = (registers[number::4] for number in range(4))
    packed = bytearray(DENSE_BYTES - HEADER_BYTES)
    packed[0::3] = _either(one, two.translate(_LOW_2_UP_6))
    packed[1::3] = _either(two.translate(_HIGH_6), three.translate(_LOW_4_UP_4))
    packed[2::3] = _either(three.translate(_HIGH_4), four.translate(_UP_2))
    return b"".join((MAGIC, bytes((DENSE,)), header[ENCODING_AT + 1 : HEADER_BYTES], packed))


_LOW_6: Final = bytes(byte & 63 for byte in range(256))
_HIGH_2: Final = bytes(byte >> 6 for byte in range(256))
_HIGH_4: Final = bytes(byte >> 4 for byte in range(256))
_HIGH_6: Final = bytes(byte >> 2 for byte in range(256))
_LOW_4_UP_2: Final = bytes((byte & 15) << 2 for byte in range(256))
_LOW_4_UP_4: Final = bytes((byte & 15) << 4 for byte in range(256))
_LOW_2_UP_4: Final = bytes((byte & 3) << 4 for byte in range(256))
_LOW_2_UP_6: Final = bytes((byte & 3) << 6 for byte in range(256))
_UP_2: Final = bytes((byte & 63) << 2 for byte in range(256))


def _either(one: Data, other: Data) -> bytes:
    """``one | other``, byte by byte."""
    both = int.from_bytes(one, "little") | int.from_bytes(other, "little")
    return both.to_bytes(len(one), "little")


# -- all registers together ----------------------------------------------------------------------------------


def merged(one: bytes, other: bytes) -> bytes:
    """The higher value of each register."""
    first, second = int.from_bytes(one, "little"), int.from_bytes(other, "little")
    # Values have 6 bits, so the highest bit of each byte can tell how the subtraction below it went.
    first_wins = ((first | _HIGH_BITS) - second & _HIGH_BITS) >> 7
    mask = first_wins * 0xFF
    return (second ^ (first ^ second) & mask).to_bytes(REGISTERS, "little")


def estimate(registers: bytes) -> int:
    """About how many different elements the registers have seen, as an unsigned 64-bit integer."""
    counts = [0] * 64
    left = REGISTERS
    for value in range(64):
        counts[value] = count = registers.count(value)
        left -= count
        if not left:
            break
    total = REGISTERS * _tau((REGISTERS - counts[VALUE_MAX]) / REGISTERS)
    for value in range(VALUE_MAX - 1, 0, -1):
        total += counts[value]
        total *= 0.5
    total += REGISTERS * _sigma(counts[0] / REGISTERS)
    result = _ALPHA * REGISTERS * REGISTERS / total if total else inf
    if result >= 1 << 63:
        return 1 << 63  # what the processor makes of it
    whole = int(result)
    return whole + (result - whole >= 0.5)


def _tau(x: float) -> float:
    """What registers that are full add (Ertl, algorithm 6)."""
    if x == 0.0 or x == 1.0:
        return 0.0
    y, z, before = 1.0, 1.0 - x, inf
    while z != before:
        x = sqrt(x)
        before = z
        y *= 0.5
        z -= (1.0 - x) * (1.0 - x) * y
    return z / 3.0


def _sigma(x: float) -> float:
    """What registers that are empty add (Ertl, algorithm 6)."""
    if x == 1.0:
        return inf
    y, z, before = 1.0, x, inf
    while z != before:
        x *= x
        before = z
        z += x * y
        y += y
    return z
