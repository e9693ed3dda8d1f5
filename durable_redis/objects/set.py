"""Sets.  As long as all members are integers, and not too many, they come in numeric order (an intset)."""

from __future__ import annotations

import random
from collections.abc import Iterator

from durable_redis.objects.collection import Collection, pack, sample, unpack
from durable_redis.objects.limits import EncodingLimits
from durable_redis.objects.string import is_int64
from storage.records import TYPE_SET


class Set(Collection):
    """Members.  ``hashtable`` is what Redis would have by now, and stays."""

    __slots__ = ("hashtable", "members")

    kind = TYPE_SET
    ELEMENT_OVERHEAD_BYTES = 110

    def __init__(self, expires_ms: int = 0, disk_expires_ms: int = 0) -> None:
        super().__init__(expires_ms, disk_expires_ms)
        self.members: dict[bytes, None] = {}
        self.hashtable = False

    # -- reading ---------------------------------------------------------------------------------------------

    def __len__(self) -> int:
        return len(self.members)

    def __contains__(self, member: bytes) -> bool:
        return member in self.members

    def __iter__(self) -> Iterator[bytes]:
        """All members; in numeric order while they are an intset."""
        return iter(self.members) if self.hashtable else iter(sorted(self.members, key=int))

    def scan(self, cursor: int, count: int) -> tuple[int, list[bytes]]:
        """Some members from a cursor on and the next cursor; 0 begins and ends (SSCAN's guarantee)."""
        return 0, list(self)

    def sample(self, rng: random.Random, count: int) -> list[bytes]:
        """``count`` different members by chance, or all if there are fewer."""
        return sample(rng, list(self.members), count)

    def choices(self, rng: random.Random, count: int) -> list[bytes]:
        """``count`` members by chance, each drawn from all."""
        return rng.choices(list(self.members), k=count)

    def encoding(self) -> str:
        """See :class:`Collection`."""
        return "hashtable" if self.hashtable else "intset"

    # -- changing (for effects only) -------------------------------------------------------------------------

    def add(self, member: bytes, limits: EncodingLimits) -> bool:
        """Add a member; False if it was there."""
        members = self.members
        if member in members:
            return False
        members[member] = None
        self.payload_bytes += len(member)
        if not self.hashtable and (len(members) > limits.set_entries or not is_int64(member)):
            self.hashtable = True
        return True

    def remove(self, member: bytes) -> bool:
        """Remove a member; False if it is not there."""
        if member not in self.members:
            return False
        del self.members[member]
        self.payload_bytes -= len(member)
        return True

    # -- on disk ---------------------------------------------------------------------------------------------

    def encode_body(self) -> bytes:
        """See :class:`Collection`."""
        return pack([self.hashtable, *self.members])

    def load_body(self, body: bytes) -> None:
        """See :class:`Collection`."""
        self.hashtable, *members = unpack(body)
        self.members = dict.fromkeys(members)
        self.payload_bytes = sum(map(len, self.members))
