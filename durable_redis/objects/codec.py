"""Values to record bodies and back (``storage/FORMAT.md``): one row per type."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any, Final

from durable_redis.objects.collection import FORM_COMPACT, Collection, unpack
from durable_redis.objects.entry import Value
from durable_redis.objects.expanded import FORM_EXPANDED, Expanded
from durable_redis.objects.hash import Hash
from durable_redis.objects.hash_expanded import ExpandedHash
from durable_redis.objects.hash_timed import FORM_TIMED, FORM_TIMED_EXPANDED, TimedExpandedHash, TimedHash
from durable_redis.objects.limits import EncodingLimits
from durable_redis.objects.list import List
from durable_redis.objects.list_expanded import ExpandedList
from durable_redis.objects.set import Set
from durable_redis.objects.set_expanded import ExpandedSet
from durable_redis.objects.sorted_set import SortedSet
from durable_redis.objects.sorted_set_expanded import ExpandedSortedSet
from durable_redis.objects.stream import Stream
from durable_redis.objects.stream_expanded import ExpandedStream
from durable_redis.objects.string import String, string_data
from storage.backends.base import Reader
from storage.errors import FormatError
from storage.records import TYPE_HASH, TYPE_STRING

COMPACT: Final[dict[int, type[Collection]]] = {
    made.kind: made for made in (Hash, List, Set, SortedSet, Stream)
}
_NUMBERED: Final = frozenset((FORM_EXPANDED, FORM_TIMED_EXPANDED))
EXPANDED: Final[dict[int, Any]] = {
    made.kind: made for made in (ExpandedHash, ExpandedList, ExpandedSet, ExpandedSortedSet, ExpandedStream)
}


def _load_compact(make: type[Collection], reader: Reader, body: bytes) -> Collection:
    made = make()
    made.load_body(body)
    return made


_FORMS: Final[dict[tuple[int, int], Callable[[Reader, bytes], Collection]]] = {
    **{(kind, FORM_COMPACT): partial(_load_compact, made) for kind, made in COMPACT.items()},
    **{(kind, FORM_EXPANDED): made.load for kind, made in EXPANDED.items()},
    (TYPE_HASH, FORM_TIMED): partial(_load_compact, TimedHash),
    (TYPE_HASH, FORM_TIMED_EXPANDED): TimedExpandedHash.load,
}


def decode_value(kind: int, expires_ms: int, body: bytes, reader: Reader) -> Value:
    """The cached form of a record; ``reader`` is where an expanded collection has its elements.

    Raises :class:`FormatError` for a type or form that this version does not know.
    """
    if kind == TYPE_STRING:
        return String(body, expires_ms, expires_ms) if expires_ms else body
    load = _FORMS.get((kind, body[0]))
    if load is None:
        raise FormatError(
            f"the backend holds a value of type {kind}, form {body[0]}", "it was written by a newer version"
        )
    made = load(reader, body)
    made.expires_ms = made.disk_expires_ms = expires_ms
    return made


def encode_body(value: Value) -> bytes | bytearray:
    """The body of a value's record."""
    return value.encode_body() if isinstance(value, Collection) else string_data(value)


def expanded_number(kind: int, body: bytes) -> int:
    """The number of the collection that a record is about; 0 for values that are whole in their record."""
    return int(unpack(body)[0]) if kind != TYPE_STRING and body[0] in _NUMBERED else 0


def outgrown(collection: Collection, limits: EncodingLimits) -> bool:
    """Whether a compact collection has become too large to be one record."""
    return (
        not collection.expanded
        and collection.kind in EXPANDED
        and (
            collection.record_count() > limits.compact_entries
            or collection.payload_bytes > limits.compact_bytes
        )
    )


def expand(collection: Collection, reader: Reader, new_number: Callable[[], int]) -> Collection:
    """An expanded collection with the same content."""
    expanded: Any = TimedExpandedHash if collection.timed else EXPANDED[collection.kind]
    made: Collection = expanded.of(collection, reader, new_number())
    assert isinstance(made, Expanded)
    return made
