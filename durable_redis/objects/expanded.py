"""What large collections have in common: their elements lie on disk one by one, and a part is in memory.

Such a collection has a number, under which its elements lie whatever its key is called, so RENAME and MOVE
touch nothing but its record, and DEL leaves the elements to the sweep.  Its record holds the number, the
count and what else is needed to answer without the elements.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, ClassVar, Final, Protocol

from durable_redis.objects.collection import Collection

FORM_EXPANDED: Final = 1  # the first byte of a body (``storage/FORMAT.md``)


class Store(Protocol):
    """A part of a collection that has records of its own, and what a checkpoint asks of it."""

    number: int
    count: int
    cached: int

    def changed(self) -> int:
        """About how many elements have changed since the last checkpoint began."""

    def freeze(self) -> list[Any]:
        """Take what has changed; each of the portions is encoded on its own."""

    def encode(self, portion: Any) -> Iterator[tuple[bytes, bytes | None]]:
        """The records of a portion; None removes."""

    def committed(self) -> None:
        """What was frozen is on disk."""

    def rolled_back(self) -> None:
        """What was frozen is not on disk."""

    def drop_unused(self, entries_max: int) -> int:
        """Let what was not used lately leave memory; how many elements did."""

    def free_some(self) -> bool:
        """The collection is gone: free some of its memory; True if there is more."""


class Expanded(Collection):
    """To be inherited beside a type of collection."""

    __slots__ = ()

    expanded: ClassVar[bool] = True

    @property
    def stores(self) -> tuple[Store, ...]:
        """All that has records of its own."""
        raise NotImplementedError

    @property
    def number(self) -> int:
        """Under which the elements lie; never given twice."""
        return self.stores[0].number

    def __len__(self) -> int:
        return self.stores[0].count

    def cached_bytes(self, payload_bytes: int, overhead_bytes: int) -> int:
        """About what the cached elements take in memory."""
        mean = payload_bytes // max(len(self), 1) + overhead_bytes
        return mean * sum(store.cached for store in self.stores)

    def drop_unused(self, entries_max: int) -> int:
        """Let elements leave memory that were not used lately; how many did."""
        return sum(store.drop_unused(entries_max) for store in self.stores)

    def free_some(self) -> bool:
        """The collection is gone: free some of its memory; True if there is more."""
        return any(store.free_some() for store in self.stores)
