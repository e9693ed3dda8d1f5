"""Hashes of any size: see ``objects/expanded.py``."""

from __future__ import annotations

import random
from collections.abc import Iterator

from durable_redis.objects.collection import pack, unpack
from durable_redis.objects.elements import Elements
from durable_redis.objects.expanded import FORM_EXPANDED, Expanded, Store
from durable_redis.objects.hash import Hash
from durable_redis.objects.limits import EncodingLimits
from durable_redis.objects.timed_value import decode_value, encode_value
from storage.backends.base import Reader


def hash_elements(reader: Reader, number: int, count: int = 0) -> Elements:
    """The fields of hash ``number``, of which ``count`` are on disk."""
    return Elements(reader, number, count, encode_value, decode_value)


class ExpandedHash(Expanded, Hash):
    """A hash whose fields have records of their own."""

    __slots__ = ("elements",)

    def __init__(self, elements: Elements, payload_bytes: int, hashtable: bool) -> None:
        self.expires_ms = self.disk_expires_ms = 0
        self.elements = elements
        self.payload_bytes = payload_bytes
        self.hashtable = hashtable

    @classmethod
    def of(cls, plain: Hash, reader: Reader, number: int) -> ExpandedHash:
        """The same content and expiry, on its way to disk as collection ``number``."""
        made = cls(hash_elements(reader, number), plain.payload_bytes, plain.hashtable)
        made.expires_ms, made.disk_expires_ms = plain.expires_ms, plain.disk_expires_ms
        for field, value in plain.items():
            made.elements.set(field, value)
        return made

    @classmethod
    def load(cls, reader: Reader, body: bytes) -> ExpandedHash:
        """What :meth:`encode_body` has written."""
        number, count, payload_bytes, hashtable = unpack(body)
        return cls(hash_elements(reader, number, count), payload_bytes, hashtable)

    @property
    def stores(self) -> tuple[Store, ...]:
        """See :class:`Expanded`."""
        return (self.elements,)

    # -- reading ---------------------------------------------------------------------------------------------

    def memory_bytes(self) -> int:
        """See :class:`Collection`; what is on disk only takes none."""
        return self.OBJECT_OVERHEAD_BYTES + self.cached_bytes(self.payload_bytes, self.ELEMENT_OVERHEAD_BYTES)

    def get(self, field: bytes) -> bytes | None:
        """See :class:`Hash`."""
        value: bytes | None = self.elements.get(field)
        return value

    def items(self) -> Iterator[tuple[bytes, bytes]]:
        """See :class:`Hash`."""
        return self.elements.items()

    def scan(self, cursor: int, count: int) -> tuple[int, list[tuple[bytes, bytes]]]:
        """See :class:`Hash`."""
        return self.elements.scan(cursor, count)

    def sample(self, rng: random.Random, count: int) -> list[tuple[bytes, bytes]]:
        """See :class:`Hash`."""
        return self.elements.sample(rng, count)

    def choices(self, rng: random.Random, count: int) -> list[tuple[bytes, bytes]]:
        """See :class:`Hash`."""
        return [self.elements.choose(rng) for _ in range(count)]

    # -- changing (for effects only) -------------------------------------------------------------------------

    def set(self, field: bytes, value: bytes, limits: EncodingLimits) -> bool:
        """See :class:`Hash`."""
        old = self.elements.set(field, value)
        if old is None:
            self.payload_bytes += len(field) + len(value)
        else:
            self.payload_bytes += len(value) - len(old)
        if not self.hashtable and (
            self.elements.count > limits.hash_entries or max(len(field), len(value)) > limits.hash_value_bytes
        ):
            self.hashtable = True
        return old is None

    def delete(self, field: bytes) -> bool:
        """See :class:`Hash`."""
        old = self.elements.delete(field)
        if old is None:
            return False
        self.payload_bytes -= len(field) + len(old)
        return True

    # -- on disk ---------------------------------------------------------------------------------------------

    def encode_body(self) -> bytes:
        """See :class:`Collection`."""
        return pack([self.number, len(self), self.payload_bytes, self.hashtable], FORM_EXPANDED)
