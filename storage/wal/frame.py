"""The grammar of the log: segment headers and frames (``storage/FORMAT.md``, section Log).

    segment-header = magic(8) log-id(20) start(8) created(8) salt(4) zero(12) crc32c(4)
    frame          = magic(4) crc32c(4) length(4) db(2) flags(2) position(8) durable(8) time(8) keys(8)
    expires(8) payload

Pure functions from bytes to values.  A frame is accepted only when its magic, its checksum (seeded with the
salt of the segment) and its position are right; everything else is "not a frame", and what that means is
decided in ``recovery.py``.  CRC32C as in RFC 3720, appendix B.4.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from dataclasses import dataclass

from google_crc32c import extend, value

from storage.errors import DamagedError, FormatError

SEGMENT_MAGIC = b"DRWAL\0\0\x01"
SEGMENT_HEADER = struct.Struct("<8s20sQQI12xI")
SEGMENT_HEADER_BYTES = SEGMENT_HEADER.size
FRAME_MAGIC = b"DRFR"
FRAME_HEADER = struct.Struct("<4sIIHHQQQQQ")
FRAME_HEADER_BYTES = FRAME_HEADER.size
FRAME_FIELDS = struct.Struct("<IHHQQQQQ")
FRAME_PREFIX = struct.Struct("<4sI")
PAYLOAD_BYTES_MAX = (1 << 32) - 1
LOG_ID_BYTES = 20
FLAG_COUNTS = 1
Counts = tuple[int, int]  # keys, and keys that expire, of a database

assert SEGMENT_HEADER_BYTES == 64
assert FRAME_HEADER_BYTES == 56


@dataclass(slots=True)
class SegmentHeader:
    """What a segment says of itself."""

    log_id: bytes
    start: int
    created_ms: int
    salt: int


@dataclass(slots=True)
class Frame:
    """One group commit; ``offset`` is where it stands in its segment file.

    ``counts`` are those of database ``db`` behind the frame, if the frame concerns no other.
    """

    position: int
    durable: int
    time_ms: int
    db: int
    payload: bytes
    offset: int
    counts: Counts | None = None

    @property
    def end(self) -> int:
        """Position just behind the payload."""
        return self.position + len(self.payload)

    @property
    def end_offset(self) -> int:
        """File offset just behind the frame."""
        return self.offset + FRAME_HEADER_BYTES + len(self.payload)


def encode_segment_header(header: SegmentHeader) -> bytes:
    """The 64 bytes that open a segment."""
    assert len(header.log_id) == LOG_ID_BYTES
    raw = SEGMENT_HEADER.pack(SEGMENT_MAGIC, header.log_id, header.start, header.created_ms, header.salt, 0)
    return raw[:-4] + struct.pack("<I", value(raw[:-4]))


def decode_segment_header(raw: bytes, where: str) -> SegmentHeader | None:
    """Read a segment header; None if the bytes are all zero or too short (a segment that was never finished).

    Raises :class:`DamagedError` if they are something else, :class:`FormatError` for another version.
    """
    if len(raw) < SEGMENT_HEADER_BYTES or raw[:SEGMENT_HEADER_BYTES] == bytes(SEGMENT_HEADER_BYTES):
        return None
    magic, log_id, start, created_ms, salt, checksum = SEGMENT_HEADER.unpack_from(raw)
    if value(raw[: SEGMENT_HEADER_BYTES - 4]) != checksum:
        raise DamagedError(f"log segment {where}: header checksum is wrong", "restore the file from a backup")
    if magic != SEGMENT_MAGIC:
        raise FormatError(
            f"log segment {where}: unknown format {magic!r}", "was it written by a newer version?"
        )
    return SegmentHeader(log_id, start, created_ms, salt)


def encode_frame_header(
    salt: int, payload: bytes, db: int, position: int, durable: int, time_ms: int, counts: Counts | None
) -> bytes:
    """The 56 bytes in front of ``payload``."""
    if counts is None:
        fields = FRAME_FIELDS.pack(len(payload), db, 0, position, durable, time_ms, 0, 0)
    else:
        fields = FRAME_FIELDS.pack(len(payload), db, FLAG_COUNTS, position, durable, time_ms, *counts)
    return FRAME_PREFIX.pack(FRAME_MAGIC, extend(extend(salt, payload), fields)) + fields


def decode_frame(raw: bytes, offset: int, salt: int) -> Frame | None:
    """The frame at ``offset``, or None if no whole, intact frame stands there."""
    if offset + FRAME_HEADER_BYTES > len(raw):
        return None
    magic, checksum, length, db, flags, position, durable, time_ms, keys, expires = FRAME_HEADER.unpack_from(
        raw, offset
    )
    body = offset + FRAME_HEADER_BYTES
    if magic != FRAME_MAGIC or body + length > len(raw):
        return None
    payload = raw[body : body + length]
    if extend(extend(salt, payload), raw[offset + 8 : body]) != checksum:
        return None
    counts = (keys, expires) if flags & FLAG_COUNTS else None
    return Frame(position, durable, time_ms, db, payload, offset, counts)


def frames(raw: bytes, salt: int, position: int, stop: int | None = None) -> Iterator[Frame]:
    """The unbroken run of frames of a segment that starts at ``position``; it ends before ``stop``."""
    offset = SEGMENT_HEADER_BYTES
    while stop is None or position < stop:
        frame = decode_frame(raw, offset, salt)
        if frame is None or frame.position != position:
            return
        yield frame
        position = frame.end
        offset = frame.end_offset


def vouched_behind(raw: bytes, salt: int, offset: int, position: int) -> int:
    """The greatest ``durable`` of any intact frame at or behind ``offset`` and ``position``; 0 if there is
    none.

    A stored value may contain the magic many times: a place is only checksummed when its numbers are
    possible.
    """
    vouched = 0
    while (offset := raw.find(FRAME_MAGIC, offset)) >= 0:
        if offset + FRAME_HEADER_BYTES > len(raw):
            break
        _, _, length, _, _, at, durable, _, _, _ = FRAME_HEADER.unpack_from(raw, offset)
        possible = position <= at <= position + len(raw) and vouched < durable <= at
        frame = decode_frame(raw, offset, salt) if possible and offset + length <= len(raw) else None
        if frame is None:
            offset += 1
        else:
            vouched = durable
            offset = frame.end_offset
    return vouched
