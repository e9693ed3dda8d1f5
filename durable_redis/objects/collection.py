"""What hashes, lists, sets, sorted sets and streams have in common.

A collection is changed in place, by effects only, through :meth:`Database.mutable`; everybody else reads.
It is never empty: the effect that takes the last element deletes the key.  ``payload_bytes`` sums up the
bytes of the elements, so that the memory budget need not look at them.
"""

from __future__ import annotations

import random
from collections.abc import Sequence
from typing import Any, ClassVar, Self, TypeVar

import msgpack

from durable_redis.objects.entry import Entry
from durable_redis.objects.packer import PACKER

FORM_COMPACT = 0  # the first byte of a body (``storage/FORMAT.md``)

_T = TypeVar("_T")


class Collection(Entry):
    """A value that is made of elements."""

    __slots__ = ("payload_bytes",)

    expanded: ClassVar[bool] = False  # whether the elements have records of their own
    ELEMENT_OVERHEAD_BYTES = 0  # of memory, beside the element's own bytes
    OBJECT_OVERHEAD_BYTES = 400

    def __init__(self, expires_ms: int = 0, disk_expires_ms: int = 0) -> None:
        self.expires_ms = expires_ms
        self.disk_expires_ms = disk_expires_ms
        self.payload_bytes = 0

    def __len__(self) -> int:
        raise NotImplementedError

    def record_count(self) -> int:
        """How many things there are in it that could have records of their own."""
        return len(self)

    def memory_bytes(self) -> int:
        """About what the collection takes in memory now."""
        return self.whole_bytes()

    def whole_bytes(self) -> int:
        """About what the collection takes when all of it is in memory."""
        return self.OBJECT_OVERHEAD_BYTES + self.payload_bytes + len(self) * self.ELEMENT_OVERHEAD_BYTES

    def encoding(self) -> str:
        """What OBJECT ENCODING answers."""
        raise NotImplementedError

    def encode_body(self) -> bytes:
        """The body of the record (``storage/FORMAT.md``)."""
        raise NotImplementedError

    def load_body(self, body: bytes) -> None:
        """Take over what :meth:`encode_body` has written; the collection is new."""
        raise NotImplementedError

    def copy(self) -> Self:
        """An independent collection with the same elements and expiry."""
        made = type(self)(self.expires_ms)
        made.load_body(self.encode_body())
        return made


def pack(parts: Sequence[object], form: int = FORM_COMPACT) -> bytes:
    """The body of a collection's record: the form, then one msgpack array."""
    packed = PACKER.pack(parts)
    return bytes((form,)) + packed


def unpack(body: bytes) -> list[Any]:
    """The parts that :func:`pack` was given."""
    parts: list[Any] = msgpack.unpackb(memoryview(body)[1:])
    return parts


def sample(rng: random.Random, population: Sequence[_T], count: int) -> list[_T]:
    """Distinct elements by chance, ``count`` of them or all."""
    return rng.sample(population, min(count, len(population)))
