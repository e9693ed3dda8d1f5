"""Segment files: their names, making one ready, putting it into the log, taking old ones out.

A segment is prepared in advance by a worker (written full of zeros, or recycled from one that is no longer
needed), because ``fdatasync`` of an append in place took 142 µs and of one that grows the file 193 µs, and
because a full disk is then noticed while there is still room in the log.  A file becomes part of the log
only by its name: header written and synced, renamed, directory synced.
"""

from __future__ import annotations

import os
from dataclasses import dataclass

from storage.disk import ZEROS, Disk, write_fully
from storage.wal.frame import SegmentHeader, encode_segment_header

SUFFIX = ".wal"
SPARE_PREFIX = "spare-"
SPARE_SUFFIX = ".tmp"
SYNC_BYTES = 4 << 20  # zeros go to the disk in small portions, or the log's own syncs wait behind all of them
SEGMENT_BYTES_MIN = 1 << 20
SEGMENT_BYTES_MAX = 1 << 30


@dataclass(slots=True)
class Spare:
    """A prepared file that is not yet part of the log."""

    path: str
    capacity: int


@dataclass(slots=True)
class Segment:
    """A file of the log; ``capacity`` is how far it has been written with zeros or frames."""

    path: str
    start: int
    capacity: int
    salt: int
    fd: int = -1


def segment_name(start: int) -> str:
    """File name of the segment whose first payload byte has position ``start``."""
    return f"{start:020d}{SUFFIX}"


def list_segments(disk: Disk, directory: str) -> list[tuple[int, str]]:
    """Start position and path of each segment file, in order."""
    found = []
    for name in disk.listdir(directory):
        stem, dot, _ = name.partition(SUFFIX)
        if dot and name.endswith(SUFFIX) and len(stem) == 20 and stem.isdigit():
            found.append((int(stem), f"{directory}/{name}"))
    return sorted(found)


def list_spares(disk: Disk, directory: str) -> list[str]:
    """Paths of prepared files that an earlier run left behind."""
    return [
        f"{directory}/{name}"
        for name in disk.listdir(directory)
        if name.startswith(SPARE_PREFIX) and name.endswith(SPARE_SUFFIX)
    ]


def prepare_spare(
    disk: Disk, directory: str, number: int, capacity: int, recycled: str | None = None
) -> Spare:
    """Make a file of ``capacity`` written bytes ready.  Runs in a worker; it spends its time in system calls.

    ``recycled`` is an old segment's path; its bytes may stay, since the new salt makes old frames fail.
    Raises ``OSError`` (a full disk leaves nothing behind).
    """
    path = f"{directory}/{SPARE_PREFIX}{number}{SPARE_SUFFIX}"
    if recycled is not None:
        disk.rename(recycled, path)
    fd = disk.open(path, create=True)
    try:
        write_fully(disk, fd, bytes(4096), 0)
        offset = disk.size(path)
        while offset < capacity:
            piece = ZEROS[: min(len(ZEROS), capacity - offset)]
            write_fully(disk, fd, piece, offset)
            offset += len(piece)
            if offset % SYNC_BYTES == 0:
                disk.fdatasync(fd)
        disk.fsync(fd)
    except OSError:
        disk.unlink(path)
        raise
    finally:
        disk.close(fd)
    return Spare(path, offset)


def activate(disk: Disk, directory: str, spare: Spare, log_id: bytes, start: int, time_ms: int) -> Segment:
    """Turn a prepared file into the log's next segment; durable when this returns."""
    salt = int.from_bytes(os.urandom(4), "little")
    path = f"{directory}/{segment_name(start)}"
    fd = disk.open(spare.path)
    write_fully(disk, fd, encode_segment_header(SegmentHeader(log_id, start, time_ms, salt)), 0)
    disk.fdatasync(fd)
    disk.rename(spare.path, path)
    disk.sync_directory(directory)
    return Segment(path, start, spare.capacity, salt, fd)
