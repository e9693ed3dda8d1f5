"""One of the 1,024 parts of a database's cache.

A shard holds the keys of 16 neighbouring cluster slots, so it is also a range of SCAN cursors, and a
checkpoint that goes shard by shard writes in key order.  Being small, its dicts never stop the world when
they grow (a 10 M-entry dict pauses for about a second).  A value is found in this order: ``young``, ``old``,
``dirty``, ``frozen``, backend.

* ``young``/``old``: two generations of the cache; a hit in old moves to young, old is dropped as a whole.
* ``dirty``: changed since the last checkpoint; None marks a deleted key.
* ``frozen``: what the running checkpoint is writing.
"""

from __future__ import annotations

from binascii import crc_hqx

from durable_redis.objects.entry import Value
from storage.records import HASH_BITS, place_of, slot_of

SHARD_COUNT = 1024
SLOT_BITS_PER_SHARD = 4
SHARD_PLACE_BITS = HASH_BITS + SLOT_BITS_PER_SHARD


class Shard:
    """The cached part of 16 slots of one database."""

    __slots__ = ("_order", "_order_of", "dirty", "frozen", "frozen_encoded", "old", "young")

    def __init__(self) -> None:
        self.young: dict[bytes, Value] = {}
        self.old: dict[bytes, Value] = {}
        self.dirty: dict[bytes, Value | None] = {}
        self.frozen: dict[bytes, Value | None] = {}
        self.frozen_encoded = False
        self._order: list[tuple[int, bytes]] = []
        self._order_of: tuple[object, int, int] = (None, 0, 0)

    def overlay_order(self) -> list[tuple[int, bytes]]:
        """(place, key) of every key whose state here overrides the backend's, in order of place.

        Kept until a key is added: ``dirty`` and ``frozen`` only grow between two checkpoints.
        """
        of, dirty_keys, frozen_keys = self._order_of
        # The dict itself is remembered, not its id: that of a freed dict is soon another's.
        if of is not self.dirty or dirty_keys != len(self.dirty) or frozen_keys != len(self.frozen):
            keys = self.dirty.keys() | self.frozen.keys() if self.frozen else self.dirty
            self._order = sorted((place_of(key), key) for key in keys)
            self._order_of = (self.dirty, len(self.dirty), len(self.frozen))
        return self._order


def make_shards() -> tuple[list[Shard], list[Shard]]:
    """The shards of a database, and the same by ``crc_hqx(key, 0) >> 4`` for keys without a hash tag.

    The CRC has 16 bits and a slot 14, so the second list has each shard four times: the hot path saves a
    mask.
    """
    shards = [Shard() for _ in range(SHARD_COUNT)]
    return shards, shards * 4


def shard_number(key: bytes) -> int:
    """Which shard holds the key."""
    if 123 in key:
        return slot_of(key) >> SLOT_BITS_PER_SHARD
    return (crc_hqx(key, 0) & 16383) >> SLOT_BITS_PER_SHARD
