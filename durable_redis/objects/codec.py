"""Values to record bodies and back (``storage/FORMAT.md``): one row per type."""

from __future__ import annotations

from typing import Final

from durable_redis.objects.collection import Collection
from durable_redis.objects.entry import Value
from durable_redis.objects.hash import Hash
from durable_redis.objects.list import List
from durable_redis.objects.set import Set
from durable_redis.objects.sorted_set import SortedSet
from durable_redis.objects.string import String, string_data
from storage.errors import FormatError
from storage.records import TYPE_STRING

COLLECTIONS: Final[dict[int, type[Collection]]] = {made.kind: made for made in (Hash, List, Set, SortedSet)}


def decode_value(kind: int, expires_ms: int, body: bytes) -> Value:
    """The cached form of a record.

    Raises :class:`FormatError` for a type that this version does not know.
    """
    if kind == TYPE_STRING:
        return String(body, expires_ms, expires_ms) if expires_ms else body
    make = COLLECTIONS.get(kind)
    if make is None:
        raise FormatError(f"the backend holds a value of type {kind}", "it was written by a newer version")
    made = make(expires_ms, expires_ms)
    made.load_body(body)
    return made


def encode_body(value: Value) -> bytes | bytearray:
    """The body of a value's record."""
    return value.encode_body() if isinstance(value, Collection) else string_data(value)
