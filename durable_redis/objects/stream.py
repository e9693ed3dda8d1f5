"""Streams: entries in order of their IDs, in nodes, and the groups of consumers that read them.

Unlike the other collections a stream may be empty; it keeps its counters and groups then.  Entries are read
through iterators from one ID to another, and nothing needs them all.  The compact body is one msgpack array::

    last ID (2 numbers), highest ID deleted (2), entries ever added, nodes, groups
    nodes    = [node, …]
    node     = [first ID (2), last ID (2), entries deleted, bytes (``Node.body_bytes``), [fields of first],
                then of each entry: ms - ms of the first ID, seq, whether it has the fields of the first,
                [its values if so, else fields and values in turns]]
    groups   = {name: [last ID delivered (2), entries read or -1, [consumer, …]]}
    consumer = [name, seen ms, [ms, seq, delivery time, delivery count, … of each entry pending for it]]
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterator

from durable_redis.objects.collection import Collection, pack, unpack
from durable_redis.objects.limits import EncodingLimits
from durable_redis.objects.stream_groups import Group
from durable_redis.objects.stream_node import ID_MAX, ID_MIN, Entry, Id, Node, words_bytes
from durable_redis.resp.numbers import INT64_MAX
from storage.records import TYPE_STREAM

PENDING_BYTES = 400  # about what a pending entry takes in memory
CONSUMER_BYTES = 1000


class Stream(Collection):
    """Entries, counters and groups.

    ``last_id`` is the greatest ID ever added, ``max_deleted_id`` the greatest that XDEL removed, and
    ``entries_added`` counts the entries there ever were; XSETID sets all three.
    """

    __slots__ = (
        *("entries_added", "firsts", "groups", "last_id", "length", "max_deleted_id", "nodes"),
        "__weakref__",  # so that who waits for a stream notices when another one takes its place
    )

    kind = TYPE_STREAM
    ELEMENT_OVERHEAD_BYTES = 300

    def __init__(self, expires_ms: int = 0, disk_expires_ms: int = 0) -> None:
        super().__init__(expires_ms, disk_expires_ms)
        self.nodes: list[Node] = []
        self.firsts: list[Id] = []  # the first ID of each node
        self.length = 0
        self.last_id = ID_MIN
        self.max_deleted_id = ID_MIN
        self.entries_added = 0
        self.groups: dict[bytes, Group] = {}

    # -- reading ---------------------------------------------------------------------------------------------

    def __len__(self) -> int:
        return self.length

    def memory_bytes(self) -> int:
        """See :class:`Collection`."""
        size = self.whole_bytes()
        for group in self.groups.values():
            size += len(group.pending) * PENDING_BYTES + len(group.consumers) * CONSUMER_BYTES
        return size

    def get(self, id: Id) -> list[bytes] | None:
        """The fields and values of an entry; None if there is none.  Do not change or keep the list."""
        at = bisect_right(self.firsts, id) - 1
        return self.nodes[at].get(id) if at >= 0 else None

    def range(self, start: Id = ID_MIN, end: Id = ID_MAX, *, reverse: bool = False) -> Iterator[Entry]:
        """The entries from one ID to another, both included, the last one first if ``reverse``.

        The stream must not be changed meanwhile.  Do not change the lists; they never change themselves.
        """
        nodes = self.nodes
        if reverse:
            for at in range(bisect_right(self.firsts, end) - 1, -1, -1):
                node = nodes[at]
                if node.last < start:
                    return
                yield from node.range(start, end, reverse=True)
            return
        for at in range(max(bisect_right(self.firsts, start) - 1, 0), len(nodes)):
            node = nodes[at]
            if node.first > end:
                return
            yield from node.range(start, end)

    @property
    def first_id(self) -> Id:
        """The ID of the first entry; 0-0 if there is none."""
        return next(self.range(), (ID_MIN, []))[0]

    @property
    def top_id(self) -> Id:
        """The ID of the last entry; 0-0 if there is none.  Only :meth:`add` makes it greater."""
        return next(self.range(reverse=True), (ID_MIN, []))[0]

    @property
    def node_count(self) -> int:
        """How many nodes the entries are in."""
        return len(self.nodes)

    def outline(self) -> Iterator[tuple[Id, Id, int]]:
        """Of each node the first and the last ID that were ever in it, and how many entries are."""
        return ((node.first, node.last, len(node.entries)) for node in self.nodes)

    def encoding(self) -> str:
        """See :class:`Collection`."""
        return "stream"

    # -- changing (for effects only) -------------------------------------------------------------------------

    def add(self, id: Id, words: list[bytes], limits: EncodingLimits) -> None:
        """Append an entry, with an ID above :attr:`last_id`.  ``words`` is the stream's from now on."""
        assert id > self.last_id
        size = words_bytes(words)
        if self.nodes and not self.nodes[-1].is_full(size, limits):
            node = self.nodes[-1]
        else:
            node = Node(id, words[::2])
            self.nodes.append(node)
            self.firsts.append(id)
        node.add(id, words)
        self.payload_bytes += size
        self.length += 1
        self.last_id = id
        self.entries_added = min(self.entries_added + 1, INT64_MAX)  # XSETID may have set it to anything

    def delete(self, id: Id) -> bool:
        """Remove an entry; False if there is none."""
        at = bisect_right(self.firsts, id) - 1
        words = self.nodes[at].delete(id) if at >= 0 else None
        if words is None:
            return False
        if not self.nodes[at].entries:
            del self.nodes[at], self.firsts[at]
        self.payload_bytes -= words_bytes(words)
        self.length -= 1
        self.max_deleted_id = max(self.max_deleted_id, id)
        return True

    def trim_to(self, length: int) -> int:
        """Remove the first entries until at most ``length`` are left; how many are gone."""
        left = self.length
        whole = part = 0
        for node in self.nodes:
            if left <= length:
                break
            count = len(node.entries)
            if left - count < length:
                part = left - length
                break
            left -= count
            whole += 1
        return self._trim(whole, part)

    def trim_before(self, id: Id) -> int:
        """Remove the entries with smaller IDs; how many are gone."""
        whole = part = 0
        for node in self.nodes:
            if node.last >= id:
                part = node.count_before(id)
                break
            whole += 1
        return self._trim(whole, part)

    def _trim(self, whole: int, part: int) -> int:
        """Remove nodes, then entries from the first one that is left; how many entries are gone."""
        gone = part
        for node in self.nodes[:whole]:
            gone += len(node.entries)
            self.payload_bytes -= sum(words_bytes(words) for _, words in node.entries)
        del self.nodes[:whole], self.firsts[:whole]
        if part:
            self.payload_bytes -= self.nodes[0].drop_first(part)
        self.length -= gone
        return gone

    # -- on disk ---------------------------------------------------------------------------------------------

    def encode_body(self) -> bytes:
        """See :class:`Collection`."""
        nodes = [node.encode() for node in self.nodes]
        groups = {name: self.groups[name].encode() for name in sorted(self.groups)}
        return pack([*self.last_id, *self.max_deleted_id, self.entries_added, nodes, groups])

    def load_body(self, body: bytes) -> None:
        """See :class:`Collection`."""
        last_ms, last_seq, deleted_ms, deleted_seq, self.entries_added, nodes, groups = unpack(body)
        self.last_id, self.max_deleted_id = (last_ms, last_seq), (deleted_ms, deleted_seq)
        self.nodes = [Node.decode(node) for node in nodes]
        self.firsts = [node.first for node in self.nodes]
        self.groups = {name: Group.decode(group) for name, group in groups.items()}
        self.length = sum(len(node.entries) for node in self.nodes)
        self.payload_bytes = sum(words_bytes(words) for node in self.nodes for _, words in node.entries)
