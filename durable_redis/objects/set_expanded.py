"""Sets of any size: see ``objects/expanded.py``."""

from __future__ import annotations

import random
from collections.abc import Iterator

from durable_redis.objects.collection import pack, unpack
from durable_redis.objects.elements import Elements
from durable_redis.objects.expanded import FORM_EXPANDED, Expanded, Store
from durable_redis.objects.limits import EncodingLimits
from durable_redis.objects.set import Set
from durable_redis.objects.string import is_int64
from storage.backends.base import Reader


def _encode(value: bool) -> bytes:
    return b"\0"  # the tag; there is no content


def _decode(raw: bytes) -> bool:
    return True


class ExpandedSet(Expanded, Set):
    """A set whose members have records of their own."""

    __slots__ = ("elements",)

    def __init__(self, elements: Elements, payload_bytes: int, hashtable: bool) -> None:
        self.expires_ms = self.disk_expires_ms = 0
        self.elements = elements
        self.payload_bytes = payload_bytes
        self.hashtable = hashtable

    @classmethod
    def of(cls, plain: Set, reader: Reader, number: int) -> ExpandedSet:
        """The same content and expiry, on its way to disk as collection ``number``."""
        made = cls(Elements(reader, number, 0, _encode, _decode), plain.payload_bytes, plain.hashtable)
        made.expires_ms, made.disk_expires_ms = plain.expires_ms, plain.disk_expires_ms
        for member in plain:
            made.elements.set(member, True)
        return made

    @classmethod
    def load(cls, reader: Reader, body: bytes) -> ExpandedSet:
        """What :meth:`encode_body` has written."""
        number, count, payload_bytes, hashtable = unpack(body)
        return cls(Elements(reader, number, count, _encode, _decode), payload_bytes, hashtable)

    @property
    def stores(self) -> tuple[Store, ...]:
        """See :class:`Expanded`."""
        return (self.elements,)

    # -- reading ---------------------------------------------------------------------------------------------

    def memory_bytes(self) -> int:
        """See :class:`Collection`; what is on disk only takes none."""
        return self.OBJECT_OVERHEAD_BYTES + self.cached_bytes(self.payload_bytes, self.ELEMENT_OVERHEAD_BYTES)

    def __contains__(self, member: bytes) -> bool:
        return self.elements.get(member) is not None

    def __iter__(self) -> Iterator[bytes]:
        members = (member for member, _ in self.elements.items())
        return members if self.hashtable else iter(sorted(members, key=int))

    def scan(self, cursor: int, count: int) -> tuple[int, list[bytes]]:
        """See :class:`Set`."""
        following, found = self.elements.scan(cursor, count)
        return following, [member for member, _ in found]

    def sample(self, rng: random.Random, count: int) -> list[bytes]:
        """See :class:`Set`."""
        return [member for member, _ in self.elements.sample(rng, count)]

    def choices(self, rng: random.Random, count: int) -> list[bytes]:
        """See :class:`Set`."""
        return [self.elements.choose(rng)[0] for _ in range(count)]

    # -- changing (for effects only) -------------------------------------------------------------------------

    def add(self, member: bytes, limits: EncodingLimits) -> bool:
        """See :class:`Set`."""
        if self.elements.get(member) is not None:
            return False
        self.elements.set(member, True)
        self.payload_bytes += len(member)
        if not self.hashtable and (self.elements.count > limits.set_entries or not is_int64(member)):
            self.hashtable = True
        return True

    def remove(self, member: bytes) -> bool:
        """See :class:`Set`."""
        if self.elements.delete(member) is None:
            return False
        self.payload_bytes -= len(member)
        return True

    # -- on disk ---------------------------------------------------------------------------------------------

    def encode_body(self) -> bytes:
        """See :class:`Collection`."""
        return pack([self.number, len(self), self.payload_bytes, self.hashtable], FORM_EXPANDED)
