"""Streams of any size: nodes by their IDs, and what is pending in two trees; see ``objects/expanded.py``.

One tree has the pending entries of all groups, ``(group, ms, seq, delivered ms, deliveries, consumer)``, the
other the same by consumer, ``(consumer, ms, seq)``.  Groups and consumers have numbers there, which are given
once.  A delivery changes an item of the first tree in its place, so its items are found by position.  The
groups and their consumers themselves stand in the record of the stream.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final

from durable_redis.objects.collection import pack, unpack
from durable_redis.objects.counted_tree import CountedTree
from durable_redis.objects.expanded import FORM_EXPANDED, Expanded, Store
from durable_redis.objects.stream import CONSUMER_BYTES, Stream
from durable_redis.objects.stream_groups import Consumer, Group, Pending
from durable_redis.objects.stream_node import ID_MAX, ID_MIN, Id, Node
from durable_redis.objects.stream_nodes import StreamNodes
from durable_redis.objects.tree_nodes import NodeCodec
from storage.backends.base import Reader

PENDING_BYTES: Final = 120  # of memory, for a pending entry in both trees
OWNED_FIRST_NODE: Final = 1 << 40  # the nodes of the second tree have numbers of their own
_BEHIND: Final = 1 << 64  # greater than any delivery time

_Item = tuple[int, ...]


class _Cut:
    """Items of so many numbers as one flat list, and back."""

    def __init__(self, width: int) -> None:
        self._width = width

    def flatten(self, items: list[_Item]) -> list[Any]:
        return [number for item in items for number in item]

    def restore(self, numbers: list[Any]) -> list[_Item]:
        some = iter(numbers)
        return list(zip(*[some] * self._width, strict=True))


def _codec(width: int) -> NodeCodec:
    cut = _Cut(width)
    return NodeCodec(
        ordered=True, item_bytes=lambda item: 9 * width, flatten=cut.flatten, restore=cut.restore
    )


_PENDING: Final = _codec(6)
_OWNED: Final = _codec(3)


class Deliveries:
    """What is pending in all groups of a stream."""

    __slots__ = ("next_number", "owned", "pending")

    def __init__(self, pending: CountedTree, owned: CountedTree, next_number: int) -> None:
        self.pending = pending
        self.owned = owned
        self.next_number = next_number  # of a group or consumer

    def new_number(self) -> int:
        """A number that no group or consumer of the stream has had."""
        self.next_number += 1
        return self.next_number - 1


class ExpandedConsumer(Consumer):
    """A consumer by number; its IDs are in a tree."""

    __slots__ = ("_count", "_deliveries", "number")

    def __init__(self, deliveries: Deliveries, name: bytes, number: int, seen_ms: int, count: int) -> None:
        self.name = name
        self.seen_ms = seen_ms
        self.number = number
        self._deliveries = deliveries
        self._count = count

    @property
    def pending_count(self) -> int:
        """See :class:`Consumer`."""
        return self._count

    def pending(self, start: Id = ID_MIN, end: Id = ID_MAX) -> Iterator[Id]:
        """See :class:`Consumer`."""
        owned = self._deliveries.owned
        first, stop = owned.index_of((self.number, *start)), owned.index_of((self.number, *end, 0))
        return ((ms, seq) for _, ms, seq in owned.slice(first, stop))

    def take(self, id: Id) -> None:
        """An entry is pending for the consumer now."""
        self._deliveries.owned.add((self.number, *id))
        self._count += 1

    def lose(self, id: Id) -> None:
        """An entry is pending for the consumer no more."""
        self._deliveries.owned.remove((self.number, *id))
        self._count -= 1

    def lose_all(self) -> list[Id]:
        """Nothing is pending for the consumer any more; what was."""
        ids = list(self.pending())
        first = self._deliveries.owned.index_of((self.number,))
        self._deliveries.owned.delete_range(first, first + len(ids))
        self._count = 0
        return ids


class ExpandedGroup(Group):
    """A group by number; what is pending in it is in a tree."""

    __slots__ = ("_by_number", "_count", "_deliveries", "number")

    def __init__(self, deliveries: Deliveries, number: int, last_id: Id, entries_read: int) -> None:
        self.last_id = last_id
        self.entries_read = entries_read
        self.consumers: dict[bytes, Consumer] = {}
        self.number = number
        self._deliveries = deliveries
        self._by_number: dict[int, ExpandedConsumer] = {}
        self._count = 0

    # -- reading ---------------------------------------------------------------------------------------------

    @property
    def pending_count(self) -> int:
        """See :class:`Group`."""
        return self._count

    def find(self, id: Id) -> Pending | None:
        """See :class:`Group`."""
        item = self._locate(id)[1]
        return None if item is None else self._pending(item)

    def range(self, start: Id = ID_MIN, end: Id = ID_MAX) -> Iterator[tuple[Id, Pending]]:
        """See :class:`Group`."""
        tree = self._deliveries.pending
        first, stop = tree.index_of((self.number, *start)), tree.index_of((self.number, *end, _BEHIND))
        return (((item[1], item[2]), self._pending(item)) for item in tree.slice(first, stop))

    def pending_bounds(self) -> tuple[Id, Id]:
        """See :class:`Group`."""
        tree = self._deliveries.pending
        first = tree.index_of((self.number,))
        low, high = tree.get(first), tree.get(first + self._count - 1)
        return (low[1], low[2]), (high[1], high[2])

    def _locate(self, id: Id) -> tuple[int, _Item | None]:
        """Where an entry is in the tree, or would be, and its item."""
        tree = self._deliveries.pending
        wanted = (self.number, *id)
        at = tree.index_of(wanted)
        item = tree.get(at) if at < tree.count else None
        return at, (item if item is not None and item[:3] == wanted else None)

    def _pending(self, item: _Item) -> Pending:
        return Pending(self._by_number[item[5]], item[3], item[4])

    # -- changing (for effects only) -------------------------------------------------------------------------

    def adopt(self, name: bytes, number: int, seen_ms: int, count: int) -> ExpandedConsumer:
        """A consumer with so many entries pending, which are in the trees."""
        made = ExpandedConsumer(self._deliveries, name, number, seen_ms, count)
        self.consumers[name] = self._by_number[number] = made
        self._count += count
        return made

    def consumer(self, name: bytes) -> Consumer:
        """See :class:`Group`."""
        return self.consumers.get(name) or self.adopt(name, self._deliveries.new_number(), 0, 0)

    def deliver(self, id: Id, consumer: Consumer, delivered_ms: int, count: int) -> None:
        """See :class:`Group`."""
        assert isinstance(consumer, ExpandedConsumer)
        at, found = self._locate(id)
        item = (self.number, *id, delivered_ms, count, consumer.number)
        if found is None:
            self._deliveries.pending.add(item)
            self._count += 1
        else:
            self._deliveries.pending.replace(at, item)
            if found[5] == consumer.number:
                return
            self._by_number[found[5]].lose(id)
        consumer.take(id)

    def acknowledge(self, id: Id) -> bool:
        """See :class:`Group`."""
        at, found = self._locate(id)
        if found is None:
            return False
        self._deliveries.pending.pop(at)
        self._by_number[found[5]].lose(id)
        self._count -= 1
        return True

    def delete_consumer(self, name: bytes) -> int:
        """See :class:`Group`."""
        gone = self.consumers.pop(name)
        assert isinstance(gone, ExpandedConsumer)
        del self._by_number[gone.number]
        ids = gone.lose_all()
        for id in ids:
            self._deliveries.pending.pop(self._locate(id)[0])
        self._count -= len(ids)
        return len(ids)

    def delete_pending(self) -> None:
        """Nothing is pending any more: the group is going."""
        for consumer in self._by_number.values():
            consumer.lose_all()
        first = self._deliveries.pending.index_of((self.number,))
        self._deliveries.pending.delete_range(first, first + self._count)
        self._count = 0

    # -- on disk ---------------------------------------------------------------------------------------------

    def encode(self) -> list[Any]:
        """The group as a part of the stream's record."""
        consumers = [
            [name, found.number, found.seen_ms, found.pending_count]
            for name, found in sorted(self.consumers.items())
            if isinstance(found, ExpandedConsumer)
        ]
        return [self.number, *self.last_id, self.entries_read, consumers]


class ExpandedStream(Expanded, Stream):
    """A stream whose nodes and pending entries have records of their own."""

    __slots__ = ("_store", "deliveries")

    def __init__(self, store: StreamNodes, deliveries: Deliveries) -> None:
        self.expires_ms = self.disk_expires_ms = 0
        self.payload_bytes = 0
        self.nodes = self._store = store
        self.deliveries = deliveries
        self.last_id = self.max_deleted_id = ID_MIN
        self.entries_added = 0
        self.groups: dict[bytes, Group] = {}

    @classmethod
    def of(cls, plain: Stream, reader: Reader, number: int) -> ExpandedStream:
        """The same content and expiry, on its way to disk as collection ``number``."""
        pending = CountedTree(reader, number, codec=_PENDING)
        owned = CountedTree(
            reader, number, codec=_OWNED, root=OWNED_FIRST_NODE, next_node=OWNED_FIRST_NODE + 1
        )
        made = cls(StreamNodes(reader, number), Deliveries(pending, owned, 0))
        made.expires_ms, made.disk_expires_ms = plain.expires_ms, plain.disk_expires_ms
        made.payload_bytes, made.entries_added = plain.payload_bytes, plain.entries_added
        made.last_id, made.max_deleted_id = plain.last_id, plain.max_deleted_id
        for node in plain.nodes.walk():
            made._store.append(Node.decode(node.encode()))
            made._store.counted(len(node.entries))
        for name, group in plain.groups.items():
            twin = made.create_group(name, group.last_id, group.entries_read)
            for consumer in group.consumers_by_name():
                twin.consumer(consumer.name).seen_ms = consumer.seen_ms
            for id, found in group.range():
                twin.deliver(id, twin.consumer(found.consumer.name), found.delivered_ms, found.count)
        return made

    @classmethod
    def load(cls, reader: Reader, body: bytes) -> ExpandedStream:
        """What :meth:`encode_body` has written."""
        parts = unpack(body)
        number, count, payload_bytes, node_count, first, last = parts[:6]
        store = StreamNodes(
            reader, number, count=count, node_count=node_count, first=tuple(first), last=tuple(last)
        )
        last_id, max_deleted_id, entries_added, pending, owned, next_number, groups = parts[6:]
        deliveries = Deliveries(
            _tree(reader, number, _PENDING, pending), _tree(reader, number, _OWNED, owned), next_number
        )
        made = cls(store, deliveries)
        made.payload_bytes, made.entries_added = payload_bytes, entries_added
        made.last_id, made.max_deleted_id = tuple(last_id), tuple(max_deleted_id)
        for name, (group_number, ms, seq, entries_read, consumers) in groups.items():
            group = ExpandedGroup(deliveries, group_number, (ms, seq), entries_read)
            made.groups[name] = group
            for consumer in consumers:
                group.adopt(*consumer)
        return made

    @property
    def stores(self) -> tuple[Store, ...]:
        """See :class:`Expanded`."""
        return self._store, self.deliveries.pending, self.deliveries.owned

    def memory_bytes(self) -> int:
        """See :class:`Collection`; what is on disk only takes none."""
        mean = self.payload_bytes // max(len(self), 1) + self.ELEMENT_OVERHEAD_BYTES
        size = self.OBJECT_OVERHEAD_BYTES + mean * self._store.cached
        size += (self.deliveries.pending.cached + self.deliveries.owned.cached) * PENDING_BYTES // 2
        return size + CONSUMER_BYTES * sum(len(group.consumers) for group in self.groups.values())

    def create_group(self, name: bytes, last_id: Id, entries_read: int) -> Group:
        """See :class:`Stream`."""
        made = ExpandedGroup(self.deliveries, self.deliveries.new_number(), last_id, entries_read)
        self.groups[name] = made
        return made

    def delete_group(self, name: bytes) -> None:
        """See :class:`Stream`."""
        gone = self.groups.pop(name)
        assert isinstance(gone, ExpandedGroup)
        gone.delete_pending()

    # -- on disk ---------------------------------------------------------------------------------------------

    def encode_body(self) -> bytes:
        """See :class:`Collection`."""
        store, deliveries = self._store, self.deliveries
        groups = {name: self.groups[name].encode() for name in sorted(self.groups)}
        return pack(
            [
                *(self.number, len(self), self.payload_bytes),
                *(store.node_count, store.first_name, store.last_name),
                *(self.last_id, self.max_deleted_id, self.entries_added),
                *(_tree_parts(deliveries.pending), _tree_parts(deliveries.owned)),
                *(deliveries.next_number, groups),
            ],
            FORM_EXPANDED,
        )


def _tree_parts(tree: CountedTree) -> list[int]:
    return [tree.count, tree.root, tree.next_node, tree.height]


def _tree(reader: Reader, number: int, codec: NodeCodec, parts: list[int]) -> CountedTree:
    count, root, next_node, height = parts
    return CountedTree(
        reader, number, codec=codec, count=count, root=root, next_node=next_node, height=height
    )
