"""Records in an LMDB transaction: keys of any length in byte order, and LMDB's errors as ours.

These functions know ``storage/backends/long_keys.py`` and a transaction, and nothing of the backend; they
raise ``lmdb.Error``, which the backend translates, because some of those errors only mean that the map was
replaced meanwhile.
"""

from __future__ import annotations

import errno
from typing import TypeAlias

import lmdb

from storage.backends import long_keys
from storage.backends.base import Record
from storage.backends.files import DISK_FULL_ERRNOS, DISK_FULL_HINT
from storage.backends.long_keys import BUCKET_KEY_BYTES, PLAIN_BYTES_MAX, bucket_key
from storage.errors import DamagedError, DiskFullError, FormatError, StorageError

DAMAGE_HINT = "restore the data directory from a backup or a follower"

_DAMAGE = (lmdb.CorruptedError, lmdb.PageNotFoundError, lmdb.InvalidError)
Transaction: TypeAlias = "lmdb.Transaction[bytes]"


def get_record(transaction: Transaction, key: bytes) -> bytes | None:
    """The value of a key of any length."""
    if len(key) <= PLAIN_BYTES_MAX:
        return transaction.get(key)
    bucket = transaction.get(bucket_key(key))
    return None if bucket is None else long_keys.find(bucket, key[PLAIN_BYTES_MAX:])


def change_record(transaction: Transaction, key: bytes, value: bytes | None) -> None:
    """Set a key of any length, or remove it if ``value`` is None."""
    if len(key) > PLAIN_BYTES_MAX:
        stored = bucket_key(key)
        value = long_keys.changed(transaction.get(stored), key[PLAIN_BYTES_MAX:], value) or None
        key = stored
    if value is None:
        transaction.delete(key)
    else:
        transaction.put(key, value)


def scan_records(
    transaction: Transaction, start: bytes, stop: bytes, limit: int, bytes_max: int, reverse: bool
) -> list[Record]:
    """``Reader.scan`` in a transaction; the range is not empty."""
    found: list[Record] = []
    size = 0
    with transaction.cursor() as cursor:
        if reverse:
            # Behind the bucket that may hold members before ``stop``.
            edge = stop if len(stop) <= PLAIN_BYTES_MAX else stop[:PLAIN_BYTES_MAX] + b"\1"
            if not (cursor.prev() if cursor.set_range(edge) else cursor.last()):
                return found
        else:
            edge = start if len(start) <= PLAIN_BYTES_MAX else bucket_key(start)
            if not (cursor.set_range(edge) if edge else cursor.first()):
                return found
        for key, value in cursor.iterprev() if reverse else cursor.iternext():
            records = (
                [(key, value)] if len(key) != BUCKET_KEY_BYTES else unfold(key, value, start, stop, reverse)
            )
            for record in records:
                if record[0] < start if reverse else record[0] >= stop:
                    return found
                found.append(record)
                size += len(record[0]) + len(record[1])
                if len(found) >= limit or size > bytes_max:
                    return found
    return found


def unfold(stored: bytes, bucket: bytes, start: bytes, stop: bytes, reverse: bool) -> list[Record]:
    """The members of a bucket as records, without those that lie before the range."""
    prefix = stored[:PLAIN_BYTES_MAX]
    records = [(prefix + rest, value) for rest, value in long_keys.members(bucket)]
    if reverse:
        return [record for record in reversed(records) if record[0] < stop]
    return [record for record in records if record[0] >= start]


def used(env: lmdb.Environment) -> int:
    """Bytes of the file that LMDB has ever used.  Raises ``lmdb.Error``."""
    return (env.info()["last_pgno"] + 1) * env.stat()["psize"]


def translated(error: lmdb.Error, doing: str) -> StorageError:
    """The storage error for one of LMDB's."""
    message = f"{doing}: {error}"
    code = getattr(error, "code", 0)
    if code in DISK_FULL_ERRNOS:
        return DiskFullError(message, DISK_FULL_HINT)
    if isinstance(error, _DAMAGE):
        return DamagedError(message, DAMAGE_HINT)
    if isinstance(error, lmdb.VersionMismatchError):
        return FormatError(message, "use the version that wrote it")
    if code == errno.ENOMEM:
        return StorageError(message, "raise the limit of address space (ulimit -v)")
    return StorageError(message, "see the system's log for errors of the disk")
