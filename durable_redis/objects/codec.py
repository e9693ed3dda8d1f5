"""Values to record bodies and back (``storage/FORMAT.md``): one row per type."""

from __future__ import annotations

from durable_redis.objects.entry import Value, kind_of
from durable_redis.objects.string import String, string_data
from storage.errors import FormatError
from storage.records import TYPE_STRING


def decode_value(kind: int, expires_ms: int, body: bytes) -> Value:
    """The cached form of a record.

    Raises :class:`FormatError` for a type that this version does not know.
    """
    if kind == TYPE_STRING:
        return String(body, expires_ms, expires_ms) if expires_ms else body
    raise FormatError(f"the backend holds a value of type {kind}", "it was written by a newer version")


def encode_body(value: Value) -> bytes | bytearray:
    """The body of a value's record."""
    assert kind_of(value) == TYPE_STRING
    return string_data(value)
