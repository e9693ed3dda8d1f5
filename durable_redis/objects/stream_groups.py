"""Consumer groups of a stream: how far a group has read, and what it has read but not acknowledged.

An entry that was delivered is *pending* until it is acknowledged; it belongs to one consumer of the group.
The group has its pending entries in order of their IDs, and each consumer the IDs of its own.  An entry stays
pending when it is deleted from the stream.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final

from sortedcontainers import SortedDict, SortedList

from durable_redis.objects.stream_node import ID_MAX, ID_MIN, Id

UNKNOWN: Final = -1  # in place of the number of entries read, where it cannot be known


class Consumer:
    """``seen_ms`` is when it was last served; ``ids`` are the entries that are pending for it, in order."""

    __slots__ = ("ids", "name", "seen_ms")

    def __init__(self, name: bytes, seen_ms: int = 0) -> None:
        self.name = name
        self.seen_ms = seen_ms
        self.ids: SortedList = SortedList()

    @property
    def pending_count(self) -> int:
        """How many entries are pending for the consumer."""
        return len(self.ids)

    def pending(self, start: Id = ID_MIN, end: Id = ID_MAX) -> Iterator[Id]:
        """The IDs that are pending for the consumer, from one to another, both included."""
        found: Iterator[Id] = self.ids.irange(start, end)
        return found


class Pending:
    """A delivery that was not acknowledged: to whom, when in milliseconds since 1970, how many times."""

    __slots__ = ("consumer", "count", "delivered_ms")

    def __init__(self, consumer: Consumer, delivered_ms: int, count: int) -> None:
        self.consumer = consumer
        self.delivered_ms = delivered_ms
        self.count = count


class Group:
    """``last_id`` is the last entry delivered; ``entries_read`` says the how manieth of all it was."""

    __slots__ = ("consumers", "entries_read", "last_id", "pending")

    def __init__(self, last_id: Id, entries_read: int) -> None:
        self.last_id = last_id
        self.entries_read = entries_read
        self.consumers: dict[bytes, Consumer] = {}
        self.pending: SortedDict = SortedDict()

    # -- reading ---------------------------------------------------------------------------------------------

    @property
    def pending_count(self) -> int:
        """How many entries are pending in the group."""
        return len(self.pending)

    def find(self, id: Id) -> Pending | None:
        """The delivery of an entry, if it is pending."""
        found: Pending | None = self.pending.get(id)
        return found

    def range(self, start: Id = ID_MIN, end: Id = ID_MAX) -> Iterator[tuple[Id, Pending]]:
        """The pending entries from one ID to another, both included.  Do not change any meanwhile."""
        pending = self.pending
        return ((id, pending[id]) for id in pending.irange(start, end))

    def pending_bounds(self) -> tuple[Id, Id]:
        """The first and the last pending ID; there is one."""
        ids = self.pending.keys()
        return ids[0], ids[-1]

    def consumers_by_name(self) -> list[Consumer]:
        """The consumers in the order in which Redis lists them."""
        return [self.consumers[name] for name in sorted(self.consumers)]

    # -- changing (for effects only) -------------------------------------------------------------------------

    def consumer(self, name: bytes) -> Consumer:
        """The consumer of a name; made if there is none."""
        found = self.consumers.get(name)
        if found is None:
            found = self.consumers[name] = Consumer(name)
        return found

    def deliver(self, id: Id, consumer: Consumer, delivered_ms: int, count: int) -> None:
        """An entry is pending for this consumer, and for no other any more."""
        found: Pending | None = self.pending.get(id)
        if found is None:
            self.pending[id] = Pending(consumer, delivered_ms, count)
            consumer.ids.add(id)
            return
        if found.consumer is not consumer:
            found.consumer.ids.remove(id)
            consumer.ids.add(id)
            found.consumer = consumer
        found.delivered_ms = delivered_ms
        found.count = count

    def acknowledge(self, id: Id) -> bool:
        """An entry is not pending any more; False if it was not."""
        found: Pending | None = self.pending.pop(id, None)
        if found is None:
            return False
        found.consumer.ids.remove(id)
        return True

    def delete_consumer(self, name: bytes) -> int:
        """Remove a consumer that is there, with all that is pending for it; how many entries that were."""
        ids = self.consumers.pop(name).ids
        for id in ids:
            del self.pending[id]
        return len(ids)

    # -- on disk ---------------------------------------------------------------------------------------------

    def encode(self) -> list[Any]:
        """The group as a part of a record (``storage/FORMAT.md``)."""
        consumers: list[Any] = []
        pending = self.pending
        for name, consumer in sorted(self.consumers.items()):
            deliveries: list[int] = []
            for id in consumer.ids:
                found = pending[id]
                deliveries += (*id, found.delivered_ms, found.count)
            consumers.append([name, consumer.seen_ms, deliveries])
        return [*self.last_id, self.entries_read, consumers]

    @classmethod
    def decode(cls, packed: list[Any]) -> Group:
        """The group that :meth:`encode` has written."""
        last_ms, last_seq, entries_read, consumers = packed
        group = cls((last_ms, last_seq), entries_read)
        deliveries: dict[Id, Pending] = {}
        for name, seen_ms, parts in consumers:
            consumer = group.consumers[name] = Consumer(name, seen_ms)
            numbers = iter(parts)
            mine = {
                (ms, seq): Pending(consumer, delivered_ms, count)
                for ms, seq, delivered_ms, count in zip(numbers, numbers, numbers, numbers, strict=True)
            }
            consumer.ids.update(mine)
            deliveries |= mine
        group.pending.update(deliveries)
        return group
