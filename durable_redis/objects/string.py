"""Strings: bytes, or a bytearray once a command has changed part of one.

APPEND, SETRANGE and SETBIT change a ``bytearray`` in place, so that a bit of a 64 MB bitmap does not cost 64
MB.  Such a string answers OBJECT ENCODING with ``raw``, as Redis's does.
"""

from __future__ import annotations

from sys import getsizeof

from durable_redis.objects.entry import Entry, Value
from storage.records import TYPE_STRING

STRING_BYTES_MAX = 512 << 20
EMBSTR_BYTES_MAX = 44
_INT64_MIN = -(1 << 63)
_INT64_MAX = (1 << 63) - 1


class String(Entry):
    """A string that expires, that is changed in place, or that is encoded in an unusual way."""

    __slots__ = ("data", "encoding")

    kind = TYPE_STRING

    def __init__(
        self, data: bytes | bytearray, expires_ms: int = 0, disk_expires_ms: int = 0, encoding: str = ""
    ) -> None:
        self.data = data
        self.encoding = encoding  # what OBJECT ENCODING answers, if not what the content suggests
        self.expires_ms = expires_ms
        self.disk_expires_ms = disk_expires_ms

    def memory_bytes(self) -> int:
        """See :class:`Entry`."""
        return getsizeof(self) + getsizeof(self.data)


def string_data(value: Value) -> bytes | bytearray:
    """The content of a value that is known to be a string."""
    return value if type(value) is bytes else value.data  # type: ignore[union-attr]


def string_encoding(value: Value) -> str:
    """OBJECT ENCODING of a string: ``int``, ``embstr`` or ``raw``."""
    if type(value) is String and value.encoding:
        return value.encoding
    data = string_data(value)
    if type(data) is bytearray:
        return "raw"
    if len(data) <= 20 and is_int64(bytes(data)):
        return "int"
    return "embstr" if len(data) <= EMBSTR_BYTES_MAX else "raw"


def is_int64(data: bytes) -> bool:
    """Whether the text is a 64-bit integer in its shortest form, as Redis would keep it."""
    digits = data[1:] if data[:1] == b"-" else data
    if not digits.isdigit() or (digits[0] == 48 and data != b"0"):
        return False
    return _INT64_MIN <= int(data) <= _INT64_MAX
