"""LevelDB's own log after a power cut: tell the torn tail of a batch that was never acknowledged from damage.

    log     = block*                            of 32768 bytes
    block   = fragment* rest                    rest: less than 7 bytes, zeros
    fragment= checksum(4) length(2) kind(1) data        little-endian; masked CRC32C over kind and data
    kind    = 1 full | 2 first | 3 middle | 4 last fragment of a record; a record is a batch

Every batch is synced before the next one is written, so only the last record of the last log can be torn.  A
file that merely ends too early LevelDB takes for that, but pages of one write reach the disk in any order: a
record with a hole, which ``paranoid_checks`` (needed, since without it LevelDB skips damaged batches and
applies later ones) makes an error.  Here it is cut off, if no other record begins behind it.  Should it have
been acknowledged and damaged later, the backend is merely at an earlier position: our own log is read from
there, and refuses if it begins later.

Source: https://github.com/google/leveldb/blob/main/doc/log_format.md
"""

from __future__ import annotations

import os
import struct

from google_crc32c import value as crc32c

BLOCK_BYTES = 32768
FULL, FIRST, MIDDLE, LAST = 1, 2, 3, 4

_HEADER = struct.Struct("<IHB")
_MASK_DELTA = 0xA282EAD8


def cut_torn_tail(directory: str) -> bool:
    """Cut the last log of a database where its last record is torn; False if that is not what is wrong.

    Raises ``OSError``.
    """
    logs = [name for name in os.listdir(directory) if name.endswith(".log") and name[:-4].isdigit()]
    if not logs:
        return False
    path = f"{directory}/{max(logs, key=lambda name: int(name[:-4]))}"
    cut = torn_tail(path)
    if cut is None:
        return False
    fd = os.open(path, os.O_RDWR | os.O_CLOEXEC)
    try:
        os.ftruncate(fd, cut)
        os.fsync(fd)
    finally:
        os.close(fd)
    return True


def torn_tail(path: str) -> int | None:
    """Where the torn last record of a log begins, or None if the log is whole or damaged elsewhere."""
    cut: int | None = None
    begun: int | None = None  # where the record begins whose last fragment has not come yet
    with open(path, "rb") as file:
        for number in range(os.path.getsize(path) // BLOCK_BYTES + 1):
            block = file.read(BLOCK_BYTES)
            at = 0
            while len(block) - at >= _HEADER.size:
                kind, end = fragment(block, at)
                starts = kind in (FULL, FIRST)
                if cut is not None:
                    if starts:
                        return None
                    if not kind:
                        break
                elif not kind:
                    cut = number * BLOCK_BYTES + at if begun is None else begun
                    if any(fragment(block, place)[0] in (FULL, FIRST) for place in range(at + 1, len(block))):
                        return None
                    break
                elif starts != (begun is None):
                    return None  # whole fragments in an order that nobody has written
                elif kind == FIRST:
                    begun = number * BLOCK_BYTES + at
                elif kind == LAST:
                    begun = None
                at = end
    return cut


def fragment(block: bytes, at: int) -> tuple[int, int]:
    """Kind and end of the fragment at a place in a block; kind 0 if there is none that is whole."""
    if at + _HEADER.size > len(block):
        return 0, at
    checksum, length, kind = _HEADER.unpack_from(block, at)
    end = at + _HEADER.size + length
    if not FULL <= kind <= LAST or end > len(block) or masked(crc32c(block[at + 6 : end])) != checksum:
        return 0, at
    return kind, end


def masked(checksum: int) -> int:
    """LevelDB's disguise of a checksum that is stored beside what it covers."""
    return ((checksum >> 15 | checksum << 17 & 0xFFFFFFFF) + _MASK_DELTA) & 0xFFFFFFFF
