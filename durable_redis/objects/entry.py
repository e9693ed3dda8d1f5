"""What the cache holds for a key.

A string that does not expire is held as plain ``bytes``: that is the case the hot path is made for
(``type(v) is bytes``). Everything else is an :class:`Entry`: it knows when it expires and what expiry its
record in the backend carries.
"""

from __future__ import annotations

from typing import ClassVar

from storage.records import TYPE_HASH, TYPE_LIST, TYPE_SET, TYPE_STREAM, TYPE_STRING, TYPE_ZSET

TYPE_NAMES: dict[int, str] = {
    TYPE_STRING: "string",
    TYPE_LIST: "list",
    TYPE_SET: "set",
    TYPE_ZSET: "zset",
    TYPE_HASH: "hash",
    TYPE_STREAM: "stream",
}


class Entry:
    """A value with an expiry.  Times are milliseconds since 1970; 0 means none."""

    __slots__ = ("disk_expires_ms", "expires_ms")

    kind = 0
    timed: ClassVar[bool] = False  # whether parts of it may expire (``hash_timed.py``)

    def __init__(self, expires_ms: int = 0, disk_expires_ms: int = 0) -> None:
        self.expires_ms = expires_ms
        self.disk_expires_ms = disk_expires_ms  # what the expiry index in the backend says

    def memory_bytes(self) -> int:
        """What the value takes in memory."""
        raise NotImplementedError


Value = bytes | Entry


def kind_of(value: Value) -> int:
    """The type number of a cached value."""
    return TYPE_STRING if type(value) is bytes else value.kind  # type: ignore[union-attr]


def expires_of(value: Value) -> int:
    """When the value expires, in milliseconds since 1970; 0 for never."""
    return 0 if type(value) is bytes else value.expires_ms  # type: ignore[union-attr]
