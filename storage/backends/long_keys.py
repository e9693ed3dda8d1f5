"""Keys longer than LMDB's 511 bytes, hidden without a change of order.

    stored key  = key                     of up to 510 bytes, as it is
                | key[:510] 0x00          of all longer keys that begin with these 510 bytes: a bucket
    bucket      = entry+                  in ascending order of rest, each rest once
    entry       = rest-length(4) value-length(4) rest value        little-endian; rest = key[510:], not empty

A stored key of 511 bytes is always a bucket.  It stands directly behind the 510-byte key that it begins with
and before every other key that is greater, just where its members belong; so a scan that opens buckets as it
meets them is in order.  A change of one member rewrites its bucket: the keys of this project carry a hash of
the whole key in front, so buckets have one member.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from typing import Final

from storage.backends.base import Record
from storage.errors import DamagedError

PLAIN_BYTES_MAX: Final = 510
BUCKET_KEY_BYTES: Final = 511

_LENGTHS = struct.Struct("<II")


def bucket_key(key: bytes) -> bytes:
    """The stored key of the bucket for a key of more than 510 bytes."""
    return key[:PLAIN_BYTES_MAX] + b"\0"


def members(bucket: bytes) -> Iterator[Record]:
    """(rest, value) of each entry, in order.  Raises :class:`DamagedError`."""
    view = memoryview(bucket)
    end = len(bucket)
    at = 0
    before = b""
    while at < end:
        if end - at < _LENGTHS.size:
            raise damaged()
        rest_length, value_length = _LENGTHS.unpack_from(bucket, at)
        at += _LENGTHS.size
        rest = bytes(view[at : at + rest_length])
        at += rest_length
        if at + value_length > end or rest <= before:
            raise damaged()
        yield rest, bytes(view[at : at + value_length])
        at += value_length
        before = rest


def find(bucket: bytes, rest: bytes) -> bytes | None:
    """The value of one member, or None.  Raises :class:`DamagedError`."""
    for found, value in members(bucket):
        if found == rest:
            return value
    return None


def changed(bucket: bytes | None, rest: bytes, value: bytes | None) -> bytes:
    """The bucket with one member set, or removed if ``value`` is None; empty if nothing is left."""
    entries = dict(members(bucket)) if bucket else {}
    if value is None:
        entries.pop(rest, None)
    else:
        entries[rest] = value
    pieces: list[bytes] = []
    for name in sorted(entries):
        pieces += (_LENGTHS.pack(len(name), len(entries[name])), name, entries[name])
    return b"".join(pieces)


def damaged() -> DamagedError:
    """The error for a bucket that is not by the grammar."""
    return DamagedError(
        "LMDB holds a bucket of long keys that is not readable", "restore it from a backup or a follower"
    )
