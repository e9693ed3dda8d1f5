"""The nodes of a stream in order: all in memory, or on disk with a record each.

:class:`NodeList` and :class:`StreamNodes` do the same, so a stream does not know which it has.  A node is
called by the first ID that was ever in it.  On disk the nodes lie in the order of their IDs; what has changed
since the last checkpoint overrides what is there.  Nodes do not overlap, so a cached node that spans an ID is
the one that has it, and the disk need not be asked.
"""

from __future__ import annotations

import struct
from bisect import bisect_right
from collections.abc import Iterator, Sequence
from heapq import merge
from typing import Any, Final, NamedTuple

import msgpack
from sortedcontainers import SortedDict

from durable_redis.objects.node_store import NodeStore
from durable_redis.objects.packer import PACKER
from durable_redis.objects.stream_node import ID_MAX, ID_MIN, Id, Node, next_id, previous_id
from storage.backends.base import Reader
from storage.records import decode_element, parse_stream_node_key, stream_node_key, stream_node_range

KEPT_NODES: Final = 4  # of a walk; the rest of a long one does not fill the cache
SCAN_NODES: Final = (2, 32)  # records that a walk reads at a time, at first and at most
_HEADER: Final = struct.Struct("<IQQQ")
_ABSENT: Final = object()


class Outline(NamedTuple):
    """What is known of a node without its entries: first and last ID ever in it, how many entries are, and
    the bytes of their fields and values."""

    first: Id
    last: Id
    entries: int
    size: int


def outline_of(node: Node) -> Outline:
    """The outline of a node that is in memory."""
    return Outline(node.first, node.last, len(node.entries), node.words_bytes())


class NodeList:
    """Nodes in memory.  ``count`` is how many entries they have."""

    __slots__ = ("_firsts", "_nodes", "count")

    def __init__(self, nodes: Sequence[Node] = ()) -> None:
        self._nodes = list(nodes)
        self._firsts = [node.first for node in nodes]
        self.count = sum(len(node.entries) for node in nodes)

    @property
    def node_count(self) -> int:
        """How many nodes there are."""
        return len(self._nodes)

    def last(self) -> Node | None:
        """The last node."""
        return self._nodes[-1] if self._nodes else None

    def floor(self, id: Id) -> Node | None:
        """The node that an entry with this ID would be in; None if all nodes begin behind it."""
        at = bisect_right(self._firsts, id) - 1
        return self._nodes[at] if at >= 0 else None

    def walk(self, start: Id = ID_MIN, end: Id = ID_MAX, *, reverse: bool = False) -> Iterator[Node]:
        """The nodes that can have entries from one ID to another; the last one first if ``reverse``.

        In front of these there may be one more.  Nothing may change meanwhile.
        """
        low = max(bisect_right(self._firsts, start) - 1, 0)
        nodes = self._nodes[low : bisect_right(self._firsts, end)]
        return iter(nodes[::-1] if reverse else nodes)

    def outlines(self) -> Iterator[Outline]:
        """Of each node what it has; nothing may change meanwhile."""
        return map(outline_of, self._nodes)

    def changing(self, node: Node) -> None:
        """A node is about to change."""

    def counted(self, difference: int) -> None:
        """So many entries have come into a node, or left one."""
        self.count += difference

    def append(self, node: Node) -> None:
        """A new node behind the others, without entries."""
        self._nodes.append(node)
        self._firsts.append(node.first)

    def drop(self, node: Node) -> None:
        """Take a node out that has no entries any more."""
        at = bisect_right(self._firsts, node.first) - 1
        del self._nodes[at], self._firsts[at]

    def drop_first(self, gone: Sequence[Outline]) -> None:
        """Take the first nodes out, with their entries."""
        del self._nodes[: len(gone)], self._firsts[: len(gone)]
        self.count -= sum(outline.entries for outline in gone)


class StreamNodes(NodeStore):
    """Nodes on disk; see the module and :class:`NodeList`."""

    def __init__(
        self,
        reader: Reader,
        number: int,
        *,
        count: int = 0,
        node_count: int = 0,
        first: Id = ID_MIN,
        last: Id = ID_MIN,
    ) -> None:
        """The nodes of collection ``number``; ``first`` and ``last`` are the names of those at the ends."""
        super().__init__(reader, number, count, SortedDict)
        self.node_count = node_count
        self.first_name = first
        self.last_name = last
        self.on_disk = node_count > 0

    def _record_key(self, name: Id) -> bytes:
        return stream_node_key(self.number, *name)

    def _encode_node(self, node: Node) -> bytes:
        _, (ms, seq), count, size = outline_of(node)
        packed = PACKER.pack(node.encode())
        return _HEADER.pack(count, ms, seq, size) + packed

    def _decode_node(self, content: bytes) -> Node:
        return Node.decode(msgpack.unpackb(memoryview(content)[_HEADER.size :]))

    def _weight(self, node: Node) -> int:
        return len(node.entries)

    def committed(self) -> None:
        """See :class:`durable_redis.objects.expanded.Store`."""
        super().committed()
        self.on_disk = True

    # -- reading ---------------------------------------------------------------------------------------------

    def last(self) -> Node | None:
        """See :class:`NodeList`."""
        if not self.node_count:
            return None
        name = self.last_name
        node: Node = self._young.get(name) or self._node(name)
        return node

    def floor(self, id: Id) -> Node | None:
        """See :class:`NodeList`."""
        if not self.node_count or id < self.first_name:
            return None
        if id >= self.last_name:
            return self.last()
        node: Node
        for cached in (self._young, self._old):
            at = cached.bisect_right(id)
            if at:
                name, node = cached.peekitem(at - 1)
                if node.last >= id:
                    return self._kept(name)
        return self._kept(next(self._names(self.first_name, id, reverse=True)))

    def _kept(self, name: Id) -> Node:
        node: Node = self._node(name)
        return node

    def walk(self, start: Id = ID_MIN, end: Id = ID_MAX, *, reverse: bool = False) -> Iterator[Node]:
        """See :class:`NodeList`."""
        if not self.node_count or end < self.first_name:
            return
        node = self.floor(end) if reverse else self.floor(start) or self._kept(self.first_name)
        assert node is not None
        yield node
        low, high = (start, previous_id(node.first)) if reverse else (next_id(node.first), end)
        if reverse:
            if node.first <= max(start, self.first_name):
                return
            before = self.floor(start)  # the last one to come: it may begin in front of the range
            low = self.first_name if before is None else before.first
        elif node.first == self.last_name:
            return
        assert low is not None
        assert high is not None
        kept = 1
        for name in self._names(low, high, reverse):
            kept += 1
            yield self._kept(name) if kept <= KEPT_NODES else self._peek(name)

    def outlines(self) -> Iterator[Outline]:
        """See :class:`NodeList`.  Of nodes that are not in memory only the beginning is decoded."""
        if not self.node_count:
            return
        for name, key, raw in self._merged(self.first_name, self.last_name, reverse=False):
            node = self._young.get(name) or self._old.get(name) or self._changed(name)
            if isinstance(node, Node):
                yield outline_of(node)
            else:
                count, ms, seq, size = _HEADER.unpack_from(decode_element(key, raw))
                yield Outline(name, (ms, seq), count, size)

    def _changed(self, name: Id) -> Any:
        """What overrides the disk: a node, None if it is gone, ``_ABSENT`` if nothing does."""
        node = self._dirty.get(name, _ABSENT)
        return self._frozen.get(name, _ABSENT) if node is _ABSENT else node

    def _names(self, low: Id, high: Id, reverse: bool) -> Iterator[Id]:
        """The names of the nodes from one to another, both included, in order."""
        return (name for name, _, _ in self._merged(low, high, reverse))

    def _merged(self, low: Id, high: Id, reverse: bool) -> Iterator[tuple[Id, bytes, bytes]]:
        """Name, backend key and record of each node; those of changed ones are empty."""
        changed = self._changed_names(low, high, reverse)
        name = next(changed, None)
        for key, raw in self._records(low, high, reverse):
            found = parse_stream_node_key(key)
            while name is not None and (name > found if reverse else name < found):
                if self._changed(name) is not None:
                    yield name, b"", b""
                name = next(changed, None)
            if name != found:
                yield found, key, raw
        while name is not None:
            if self._changed(name) is not None:
                yield name, b"", b""
            name = next(changed, None)

    def _changed_names(self, low: Id, high: Id, reverse: bool) -> Iterator[Id]:
        dirty: Iterator[Id] = self._dirty.irange(low, high, reverse=reverse)
        if not self._frozen:
            return dirty
        return _distinct(merge(dirty, self._frozen.irange(low, high, reverse=reverse), reverse=reverse))

    def _records(self, low: Id, high: Id, reverse: bool) -> Iterator[tuple[bytes, bytes]]:
        if not self.on_disk:
            return
        start, stop = stream_node_range(self.number, low, high)
        limit, most = SCAN_NODES
        while True:
            found = self._reader.scan(start, stop, limit=limit, reverse=reverse)
            if not found:
                return
            yield from found
            if reverse:
                stop = found[-1][0]
            else:
                start = found[-1][0] + b"\0"
            limit = min(2 * limit, most)

    # -- changing (for effects only) -------------------------------------------------------------------------

    def changing(self, node: Node) -> None:
        """See :class:`NodeList`."""
        if node.first not in self._dirty:
            self._touch(node.first, node)

    def counted(self, difference: int) -> None:
        """See :class:`NodeList`."""
        self.count += difference
        self.cached += difference

    def append(self, node: Node) -> None:
        """See :class:`NodeList`."""
        name = node.first
        if not self.node_count:
            self.first_name = name
        self.node_count += 1
        self.last_name = name
        self._young[name] = self._dirty[name] = node

    def drop(self, node: Node) -> None:
        """See :class:`NodeList`."""
        name = node.first
        self._forget(name)
        self.node_count -= 1
        if not self.node_count:
            return
        if name == self.first_name:
            self._advance(name)
        elif name == self.last_name:
            self.last_name = next(self._names(self.first_name, name, reverse=True))

    def drop_first(self, gone: Sequence[Outline]) -> None:
        """See :class:`NodeList`."""
        if not gone:
            return
        for outline in gone:
            name = outline.first
            if name in self._young or name in self._old:
                self.cached -= outline.entries
            self._forget(name)
            self.count -= outline.entries
        self.node_count -= len(gone)
        if self.node_count:
            self._advance(gone[-1].first)

    def _advance(self, gone: Id) -> None:
        """The first node is gone: find the next one."""
        self.first_name = next(self._names(gone, self.last_name, reverse=False))


def _distinct(names: Iterator[Id]) -> Iterator[Id]:
    last: Id | None = None
    for name in names:
        if name != last:
            yield name
            last = name
