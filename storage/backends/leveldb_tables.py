"""Ranges of a LevelDB database or snapshot, its compaction, and plyvel's errors as ours.

Only plyvel's raw iterator is used.  The other one ends without an error at a damaged last block, and finds
nothing backwards in a range whose only key is its start.
"""

from __future__ import annotations

import errno
import os
from typing import Any

import plyvel

from storage.backends.base import Record
from storage.backends.files import DISK_FULL_ERRNOS, DISK_FULL_HINT
from storage.errors import DamagedError, DiskFullError, LockedError, StorageError

DAMAGE_HINT = "restore the data directory from a backup or a follower (LevelDB's own repair loses records)"
ENGINE_ERRORS = (plyvel.Error, RuntimeError)  # RuntimeError: plyvel's answer when the database is closed


def scan_iterator(
    source: Any, start: bytes, stop: bytes, limit: int, bytes_max: int, reverse: bool
) -> list[Record]:
    """``Reader.scan`` over a database or a snapshot."""
    found: list[Record] = []
    size = 0
    if limit <= 0 or start >= stop:
        return found
    try:
        with source.raw_iterator(verify_checksums=True) as iterator:
            if not reverse:
                iterator.seek(start)
            elif not seek_before(iterator, stop):
                return found
            item, advance = iterator.item, iterator.prev if reverse else iterator.next
            while True:
                record = item()
                key = record[0]
                if key < start if reverse else key >= stop:
                    break
                found.append(record)
                size += len(key) + len(record[1])
                if len(found) >= limit or size > bytes_max:
                    break
                advance()
    except plyvel.IteratorInvalidError:  # past the first or the last record of the database
        pass
    except ENGINE_ERRORS as error:
        raise translated(error, "cannot read from LevelDB") from error
    return found


def compact_everything(database: Any) -> None:
    """Rewrite all tables without what was deleted or overwritten.

    LevelDB merges every level into the next one, but leaves alone what is in the last level already, and a
    flushed memtable goes straight there if nothing is in its way.  So something is put in the way: after the
    flush, tombstones of absent keys at both ends of the data, which have to be merged into all of it.
    """
    whole = {"start": b"\x00", "stop": b"\xff" * 64}  # plyvel would pass missing bounds as the empty range
    database.compact_range(**whole)
    ends = []
    with database.raw_iterator(verify_checksums=True) as iterator:
        for seek in (iterator.seek_to_first, iterator.seek_to_last):
            seek()
            if iterator.valid():
                ends.append(iterator.key())
    with database.write_batch() as batch:
        for key in ends:
            absent = key + b"\x00"
            while database.get(absent) is not None:
                absent += b"\x00"
            batch.delete(absent)
    database.compact_range(**whole)


def seek_before(iterator: Any, stop: bytes) -> bool:
    """Move to the last record before ``stop``; False if there is none."""
    iterator.seek(stop)
    if iterator.valid():
        iterator.prev()
    else:
        iterator.seek_to_last()
    return bool(iterator.valid())


def translated(error: Exception, doing: str) -> StorageError:
    """The storage error for one of plyvel's, whose only information is LevelDB's text."""
    text = error.args[0] if error.args else ""
    text = text.decode(errors="replace") if isinstance(text, bytes) else str(text)
    message = f"{doing}: {text}"
    if isinstance(error, plyvel.CorruptionError):
        return DamagedError(message, DAMAGE_HINT)
    if isinstance(error, plyvel.IOError):
        if "/LOCK: " in text:
            return LockedError(message, "stop the other server, or use another data directory")
        if any(os.strerror(number) in text for number in DISK_FULL_ERRNOS):
            return DiskFullError(message, DISK_FULL_HINT)
        if os.strerror(errno.EINVAL) in text and ".ldb" in text:  # a read beyond the end of a table file
            return DamagedError(message, DAMAGE_HINT)
    return StorageError(message, "see the system's log for errors of the disk")
