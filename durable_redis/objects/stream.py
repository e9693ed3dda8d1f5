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

from collections.abc import Callable, Iterator
from itertools import islice, takewhile

from durable_redis.objects.collection import Collection, pack, unpack
from durable_redis.objects.limits import EncodingLimits
from durable_redis.objects.stream_groups import Group
from durable_redis.objects.stream_node import ID_MAX, ID_MIN, Entry, Id, Node, words_bytes
from durable_redis.objects.stream_nodes import NodeList, Outline, StreamNodes
from durable_redis.resp.numbers import INT64_MAX
from storage.records import TYPE_STREAM

PENDING_BYTES = 400  # about what a pending entry takes in memory
CONSUMER_BYTES = 1000
TRIM_STEP = 256  # nodes that a trim looks at before it removes them


class Stream(Collection):
    """Entries, counters and groups.

    ``last_id`` is the greatest ID ever added, ``max_deleted_id`` the greatest that XDEL removed, and
    ``entries_added`` counts the entries there ever were; XSETID sets all three.
    """

    __slots__ = (
        *("entries_added", "groups", "last_id", "max_deleted_id", "nodes"),
        "__weakref__",  # so that who waits for a stream notices when another one takes its place
    )

    kind = TYPE_STREAM
    ELEMENT_OVERHEAD_BYTES = 300

    def __init__(self, expires_ms: int = 0, disk_expires_ms: int = 0) -> None:
        super().__init__(expires_ms, disk_expires_ms)
        self.nodes: NodeList | StreamNodes = NodeList()
        self.last_id = ID_MIN
        self.max_deleted_id = ID_MIN
        self.entries_added = 0
        self.groups: dict[bytes, Group] = {}

    # -- reading ---------------------------------------------------------------------------------------------

    def __len__(self) -> int:
        return self.nodes.count

    def record_count(self) -> int:
        """See :class:`Collection`."""
        return len(self) + sum(group.pending_count for group in self.groups.values())

    def memory_bytes(self) -> int:
        """See :class:`Collection`."""
        size = self.whole_bytes()
        for group in self.groups.values():
            size += group.pending_count * PENDING_BYTES + len(group.consumers) * CONSUMER_BYTES
        return size

    def get(self, id: Id) -> list[bytes] | None:
        """The fields and values of an entry; None if there is none.  Do not change or keep the list."""
        node = self.nodes.floor(id)
        return None if node is None else node.get(id)

    def range(self, start: Id = ID_MIN, end: Id = ID_MAX, *, reverse: bool = False) -> Iterator[Entry]:
        """The entries from one ID to another, both included, the last one first if ``reverse``.

        The stream must not be changed meanwhile.  Do not change the lists; they never change themselves.
        """
        for node in self.nodes.walk(start, end, reverse=reverse):
            yield from node.range(start, end, reverse=reverse)

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
        return self.nodes.node_count

    def outlines(self) -> Iterator[Outline]:
        """Of each node what it has, without its entries."""
        return self.nodes.outlines()

    def encoding(self) -> str:
        """See :class:`Collection`."""
        return "stream"

    # -- changing (for effects only) -------------------------------------------------------------------------

    def add(self, id: Id, words: list[bytes], limits: EncodingLimits) -> None:
        """Append an entry, with an ID above :attr:`last_id`.  ``words`` is the stream's from now on."""
        assert id > self.last_id
        nodes = self.nodes
        size = words_bytes(words)
        node = nodes.last()
        if node is None or node.is_full(size, limits):
            node = Node(id, words[::2])
            nodes.append(node)
        else:
            nodes.changing(node)
        node.add(id, words)
        nodes.counted(1)
        self.payload_bytes += size
        self.last_id = id
        self.entries_added = min(self.entries_added + 1, INT64_MAX)  # XSETID may have set it to anything

    def delete(self, id: Id) -> bool:
        """Remove an entry; False if there is none."""
        nodes = self.nodes
        node = nodes.floor(id)
        if node is None or node.get(id) is None:
            return False
        nodes.changing(node)
        words = node.delete(id)
        assert words is not None
        if not node.entries:
            nodes.drop(node)
        nodes.counted(-1)
        self.payload_bytes -= words_bytes(words)
        self.max_deleted_id = max(self.max_deleted_id, id)
        return True

    def trim_to(self, length: int) -> int:
        """Remove the first entries until at most ``length`` are left; how many are gone."""
        before = left = len(self)

        def goes(outline: Outline) -> bool:
            nonlocal left
            if left <= length or left - outline.entries < length:
                return False
            left -= outline.entries
            return True

        self._drop_whole(goes)
        if left > length:
            self._drop_part(lambda node: left - length)
        return before - len(self)

    def trim_before(self, id: Id) -> int:
        """Remove the entries with smaller IDs; how many are gone."""
        before = len(self)
        self._drop_whole(lambda outline: outline.last < id)
        self._drop_part(lambda node: node.count_before(id))
        return before - len(self)

    def _drop_whole(self, goes: Callable[[Outline], bool]) -> None:
        """Remove nodes from the beginning for as long as they are to go."""
        while True:
            gone = list(takewhile(goes, islice(self.nodes.outlines(), TRIM_STEP)))
            self.nodes.drop_first(gone)
            self.payload_bytes -= sum(outline.size for outline in gone)
            if len(gone) < TRIM_STEP:
                return

    def _drop_part(self, count_of: Callable[[Node], int]) -> None:
        """Remove some entries of the first node, which stays even if that is all it has."""
        node = next(self.nodes.walk(), None)
        if node is not None and (count := count_of(node)):
            self.nodes.changing(node)
            self.payload_bytes -= node.drop_first(count)
            self.nodes.counted(-count)

    def create_group(self, name: bytes, last_id: Id, entries_read: int) -> Group:
        """Make a group that is not there yet."""
        made = self.groups[name] = Group(last_id, entries_read)
        return made

    def delete_group(self, name: bytes) -> None:
        """Remove a group that is there, with all that is pending in it."""
        del self.groups[name]

    # -- on disk ---------------------------------------------------------------------------------------------

    def encode_body(self) -> bytes:
        """See :class:`Collection`."""
        nodes = [node.encode() for node in self.nodes.walk()]
        groups = {name: self.groups[name].encode() for name in sorted(self.groups)}
        return pack([*self.last_id, *self.max_deleted_id, self.entries_added, nodes, groups])

    def load_body(self, body: bytes) -> None:
        """See :class:`Collection`."""
        last_ms, last_seq, deleted_ms, deleted_seq, self.entries_added, nodes, groups = unpack(body)
        self.last_id, self.max_deleted_id = (last_ms, last_seq), (deleted_ms, deleted_seq)
        self.nodes = NodeList([Node.decode(node) for node in nodes])
        self.groups = {name: Group.decode(group) for name, group in groups.items()}
        self.payload_bytes = sum(node.words_bytes() for node in self.nodes.walk())
