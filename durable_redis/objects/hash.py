"""Hashes: fields and their values, in the order in which the fields were first set."""

from __future__ import annotations

import random
from collections.abc import Iterator

from durable_redis.objects.collection import Collection, pack, sample, unpack
from durable_redis.objects.limits import EncodingLimits
from storage.records import TYPE_HASH


class Hash(Collection):
    """Fields and values.  ``hashtable`` is what Redis would have by now, and stays."""

    __slots__ = ("fields", "hashtable")

    kind = TYPE_HASH
    ELEMENT_OVERHEAD_BYTES = 170

    def __init__(self, expires_ms: int = 0, disk_expires_ms: int = 0) -> None:
        super().__init__(expires_ms, disk_expires_ms)
        self.fields: dict[bytes, bytes] = {}
        self.hashtable = False

    # -- reading ---------------------------------------------------------------------------------------------

    def __len__(self) -> int:
        return len(self.fields)

    def get(self, field: bytes) -> bytes | None:
        """The value of a field; None if there is no such field."""
        return self.fields.get(field)

    def items(self) -> Iterator[tuple[bytes, bytes]]:
        """All fields with their values."""
        return iter(self.fields.items())

    def scan(self, cursor: int, count: int) -> tuple[int, list[tuple[bytes, bytes]]]:
        """Some pairs from a cursor on and the next cursor; 0 begins and ends (HSCAN's guarantee)."""
        return 0, list(self.fields.items())

    def sample(self, rng: random.Random, count: int) -> list[tuple[bytes, bytes]]:
        """``count`` different pairs by chance, or all if there are fewer."""
        return sample(rng, list(self.fields.items()), count)

    def choices(self, rng: random.Random, count: int) -> list[tuple[bytes, bytes]]:
        """``count`` pairs by chance, each drawn from all."""
        return rng.choices(list(self.fields.items()), k=count)

    def encoding(self) -> str:
        """See :class:`Collection`."""
        return "hashtable" if self.hashtable else "listpack"

    # -- changing (for effects only) -------------------------------------------------------------------------

    def set(self, field: bytes, value: bytes, limits: EncodingLimits) -> bool:
        """Give a field a value; whether the field is new."""
        fields = self.fields
        old = fields.get(field)
        fields[field] = value
        if old is None:
            self.payload_bytes += len(field) + len(value)
        else:
            self.payload_bytes += len(value) - len(old)
        if not self.hashtable and (
            len(fields) > limits.hash_entries or max(len(field), len(value)) > limits.hash_value_bytes
        ):
            self.hashtable = True
        return old is None

    def delete(self, field: bytes) -> bool:
        """Remove a field; False if there is none."""
        value = self.fields.pop(field, None)
        if value is None:
            return False
        self.payload_bytes -= len(field) + len(value)
        return True

    # -- on disk ---------------------------------------------------------------------------------------------

    def encode_body(self) -> bytes:
        """See :class:`Collection`."""
        parts: list[object] = [self.hashtable]
        for pair in self.fields.items():
            parts += pair
        return pack(parts)

    def load_body(self, body: bytes) -> None:
        """See :class:`Collection`."""
        parts = iter(unpack(body))
        self.hashtable = bool(next(parts))
        self.fields = dict(zip(parts, parts, strict=True))
        self.payload_bytes = sum(len(field) + len(value) for field, value in self.fields.items())
