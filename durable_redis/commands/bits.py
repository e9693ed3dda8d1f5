"""Counting, finding and combining the bits of byte strings, at the speed of C.

Bit 0 is the highest bit of the first byte, as in SETBIT.  Everything works on chunks of bounded size through
Python's big integers, ``translate`` and comparisons, so neither time nor memory is spent byte by byte.  Pure
functions; ranges are checked by the caller.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from operator import and_, or_, xor

CHUNK_BYTES = 1 << 16
_INVERTED = bytes(byte ^ 0xFF for byte in range(256))
_ZEROS = bytes(CHUNK_BYTES)
_ONES = b"\xff" * CHUNK_BYTES
_COMBINE: dict[bytes, Callable[[int, int], int]] = {b"AND": and_, b"OR": or_, b"XOR": xor}

Data = bytes | bytearray


def count_bits(data: Data, first: int, last: int) -> int:
    """How many bits are set from bit ``first`` to bit ``last``, both included and inside of ``data``."""
    assert 0 <= first <= last < len(data) * 8
    begin, end = first >> 3, (last >> 3) + 1
    count = (
        -(data[begin] & ~(0xFF >> (first & 7))).bit_count()
        - (data[end - 1] & (0x7F >> (last & 7))).bit_count()
    )
    for at in range(begin, end, CHUNK_BYTES):
        count += int.from_bytes(data[at : min(at + CHUNK_BYTES, end)], "little").bit_count()
    return count


def find_bit(data: Data, bit: int, first: int, last: int) -> int:
    """The first place from bit ``first`` to bit ``last`` that is ``bit``; -1 if there is none."""
    assert 0 <= first <= last < len(data) * 8
    flip = 0 if bit else 0xFF
    at, end = first >> 3, (last >> 3) + 1
    candidates = (data[at] ^ flip) & (0xFF >> (first & 7))
    if not candidates:
        at = _skip(data, at + 1, end, _ZEROS if bit else _ONES)
        if at == end:
            return -1
        candidates = data[at] ^ flip
    found = at * 8 + 8 - candidates.bit_length()
    return found if found <= last else -1


def _skip(data: Data, begin: int, end: int, filler: bytes) -> int:
    """The first byte of ``data[begin:end]`` that differs from those of ``filler``; ``end`` if none does."""
    for at in range(begin, end, CHUNK_BYTES):
        chunk = data[at : min(at + CHUNK_BYTES, end)]
        if chunk != (filler if len(chunk) == CHUNK_BYTES else filler[: len(chunk)]):
            return at + len(chunk) - len(chunk.lstrip(filler[:1]))
    return end


def combine(operation: bytes, sources: Sequence[Data]) -> bytes:
    """``AND``, ``OR`` or ``XOR`` of all sources, or ``NOT`` of the only one; shorter ones end in zeros."""
    if operation == b"NOT":
        return bytes(sources[0].translate(_INVERTED))
    function = _COMBINE[operation]
    size = max(map(len, sources))
    chunks = []
    for at in range(0, size, CHUNK_BYTES):
        length = min(CHUNK_BYTES, size - at)
        # Little-endian, so that what a shorter source lacks is zeros at the upper end of its number.
        result = int.from_bytes(sources[0][at : at + length], "little")
        for source in sources[1:]:
            result = function(result, int.from_bytes(source[at : at + length], "little"))
        chunks.append(result.to_bytes(length, "little"))
    return b"".join(chunks)


def read_field(data: Data, offset: int, bits: int) -> int:
    """The unsigned number in ``bits`` bits from bit ``offset`` on; behind the end there are zeros."""
    begin, end = offset >> 3, (offset + bits + 7) >> 3
    window = int.from_bytes(bytes(data[begin:end]).ljust(end - begin, b"\0"), "big")
    return window >> (end * 8 - offset - bits) & ((1 << bits) - 1)


def replaced_field(data: Data, offset: int, bits: int, number: int) -> tuple[int, bytes]:
    """Where the bytes that hold a field begin, and what they are once the field holds ``number``."""
    assert 0 <= number < 1 << bits
    begin, end = offset >> 3, (offset + bits + 7) >> 3
    window = int.from_bytes(bytes(data[begin:end]).ljust(end - begin, b"\0"), "big")
    shift = end * 8 - offset - bits
    window = window & ~(((1 << bits) - 1) << shift) | number << shift
    return begin, window.to_bytes(end - begin, "big")
