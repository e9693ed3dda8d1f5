"""FUNCTION DUMP and RESTORE: libraries as a piece of an RDB file.

    dump    = library* footer
    library = 245 string
    string  = length bytes | 0xC3 length(compressed) length(raw) LZF
    length  = 00xxxxxx | 01xxxxxx +1 byte | 0x80 +4 bytes | 0x81 +8 bytes (big-endian)
    footer  = RDB version (2, little-endian) CRC64 of everything before (8, little-endian)

Dumps are written without compression, which every Redis reads.  What is read may come from anybody: whatever
is not exactly this is refused, and nothing is believed about sizes that the bytes do not bear out.

Source: https://rdb.fnordig.de/file_format.html, and the dumps of redis-server 7.0.15.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from anycrc import Model

RDB_VERSION: Final = 10  # of Redis 7.0
LIBRARY: Final = 245
FOOTER_BYTES: Final = 10
LIBRARY_BYTES_MAX: Final = 64 << 20
_ENCODED_LZF: Final = 0xC3


class DumpError(ValueError):
    """The footer does not fit."""


class ContentError(ValueError):
    """The footer fits, but what is in front of it is not a list of libraries."""


def dump_libraries(sources: Iterable[bytes]) -> bytes:
    """The dump of libraries by their sources."""
    body = b"".join(b"%c%b%b" % (LIBRARY, _length(len(source)), source) for source in sources)
    body += RDB_VERSION.to_bytes(2, "little")
    return body + _checksum(body)


def read_libraries(dump: bytes) -> list[bytes]:
    """The sources in a dump.  Raises :class:`DumpError` and :class:`ContentError`."""
    if len(dump) < FOOTER_BYTES or dump[-8:] != _checksum(dump[:-8]):
        raise DumpError
    if int.from_bytes(dump[-10:-8], "little") > RDB_VERSION:
        raise DumpError
    end = len(dump) - FOOTER_BYTES
    sources: list[bytes] = []
    at = 0
    while at < end:
        if dump[at] != LIBRARY:
            raise ContentError
        source, at = _string(dump[:end], at + 1)
        sources.append(source)
    return sources


def _checksum(data: bytes) -> bytes:
    return int(Model("CRC64-REDIS").calc(data)).to_bytes(8, "little")


def _length(length: int) -> bytes:
    if length < 64:
        return bytes((length,))
    if length < 16384:
        return bytes((0x40 | length >> 8, length & 255))
    if length < 1 << 32:
        return b"\x80" + length.to_bytes(4)
    return b"\x81" + length.to_bytes(8)


def _read_length(data: bytes, at: int) -> tuple[int, int]:
    if at >= len(data):
        raise ContentError
    first = data[at]
    size = {0: 0, 1: 1}.get(first >> 6, {0x80: 4, 0x81: 8}.get(first, -1))
    if size < 0 or at + 1 + size > len(data):
        raise ContentError
    rest = int.from_bytes(data[at + 1 : at + 1 + size])
    if first >> 6 == 0:
        return first & 63, at + 1
    return (rest if first >= 0x80 else (first & 63) << 8 | rest), at + 1 + size


def _string(data: bytes, at: int) -> tuple[bytes, int]:
    if at < len(data) and data[at] == _ENCODED_LZF:
        packed, at = _read_length(data, at + 1)
        size, at = _read_length(data, at)
        if at + packed > len(data) or size > LIBRARY_BYTES_MAX:
            raise ContentError
        return lzf_unpacked(data[at : at + packed], size), at + packed
    size, at = _read_length(data, at)
    if at + size > len(data):
        raise ContentError
    return data[at : at + size], at + size


def lzf_unpacked(data: bytes, size: int) -> bytes:
    """What LZF has packed into ``data``, which has ``size`` bytes.  Raises :class:`ContentError`.

    A control byte below 32 is followed by that many bytes and one; any other one is a copy of what was
    written before: length in the upper three bits, distance in the lower five and the next byte.
    """
    out = bytearray()
    at = 0
    try:
        while at < len(data):
            control = data[at]
            at += 1
            if control < 32:
                literal = data[at : at + control + 1]
                if len(literal) != control + 1:
                    raise ContentError
                out += literal
                at += control + 1
                continue
            length = control >> 5
            if length == 7:
                length += data[at]
                at += 1
            start = len(out) - ((control & 31) << 8 | data[at]) - 1
            at += 1
            if start < 0:
                raise ContentError
            for place in range(start, start + length + 2):
                out.append(out[place])
            if len(out) > size:
                raise ContentError
    except IndexError as error:
        raise ContentError from error
    if len(out) != size:
        raise ContentError
    return bytes(out)
