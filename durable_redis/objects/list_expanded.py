"""Lists of any size: the elements in a counted tree (``objects/expanded.py``)."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Final

from durable_redis.objects.collection import pack, unpack
from durable_redis.objects.counted_tree import CountedTree
from durable_redis.objects.expanded import FORM_EXPANDED, Expanded, Store
from durable_redis.objects.list import List
from durable_redis.objects.tree_nodes import NodeCodec
from storage.backends.base import Reader

_CODEC: Final = NodeCodec(ordered=False, item_bytes=len)


class ExpandedList(Expanded, List):
    """A list whose elements lie in the nodes of a tree, each with a record of its own."""

    __slots__ = ("tree",)

    def __init__(self, tree: CountedTree, payload_bytes: int) -> None:
        self.expires_ms = self.disk_expires_ms = 0
        self.tree = tree
        self.payload_bytes = payload_bytes

    @classmethod
    def of(cls, plain: List, reader: Reader, number: int) -> ExpandedList:
        """The same content and expiry, on its way to disk as collection ``number``."""
        made = cls(CountedTree(reader, number, codec=_CODEC), 0)
        made.expires_ms, made.disk_expires_ms = plain.expires_ms, plain.disk_expires_ms
        made.push_right(plain.slice(0, len(plain)))
        return made

    @classmethod
    def load(cls, reader: Reader, body: bytes) -> ExpandedList:
        """What :meth:`encode_body` has written."""
        number, count, payload_bytes, root, next_node, height = unpack(body)
        tree = CountedTree(
            reader,
            number,
            codec=_CODEC,
            count=count,
            root=root,
            next_node=next_node,
            height=height,
        )
        return cls(tree, payload_bytes)

    @property
    def stores(self) -> tuple[Store, ...]:
        """See :class:`Expanded`."""
        return (self.tree,)

    # -- reading ---------------------------------------------------------------------------------------------

    def __len__(self) -> int:
        return self.tree.count

    def memory_bytes(self) -> int:
        """See :class:`Collection`; what is on disk only takes none."""
        return self.OBJECT_OVERHEAD_BYTES + self.cached_bytes(self.payload_bytes, self.ELEMENT_OVERHEAD_BYTES)

    def get(self, index: int) -> bytes:
        """See :class:`List`."""
        element: bytes = self.tree.get(index)
        return element

    def slice(self, start: int, stop: int, *, reverse: bool = False) -> Iterator[bytes]:
        """See :class:`List`."""
        return self.tree.slice(start, stop, reverse=reverse)

    # -- changing (for effects only) -------------------------------------------------------------------------

    def push_left(self, values: Iterable[bytes]) -> None:
        """See :class:`List`."""
        for value in values:
            self.tree.prepend(value)
            self.payload_bytes += len(value)

    def push_right(self, values: Iterable[bytes]) -> None:
        """See :class:`List`."""
        for value in values:
            self.tree.append(value)
            self.payload_bytes += len(value)

    def pop_left(self) -> bytes:
        """See :class:`List`."""
        return self._popped(self.tree.pop_first())

    def pop_right(self) -> bytes:
        """See :class:`List`."""
        return self._popped(self.tree.pop_last())

    def _popped(self, value: bytes) -> bytes:
        self.payload_bytes -= len(value)
        return value

    def set(self, index: int, value: bytes) -> None:
        """See :class:`List`."""
        self.payload_bytes += len(value) - len(self.tree.replace(index, value))

    def insert(self, index: int, value: bytes) -> None:
        """See :class:`List`."""
        self.tree.insert(index, value)
        self.payload_bytes += len(value)

    def delete(self, index: int) -> None:
        """See :class:`List`."""
        self._popped(self.tree.pop(index))

    def trim(self, start: int, stop: int) -> None:
        """See :class:`List`.  The bytes of what goes are estimated by the mean, so it need not be read."""
        before = len(self)
        self.tree.delete_range(stop, before)
        self.tree.delete_range(0, start)
        self.payload_bytes = self.payload_bytes * len(self) // before

    # -- on disk ---------------------------------------------------------------------------------------------

    def encode_body(self) -> bytes:
        """See :class:`Collection`."""
        tree = self.tree
        parts = [self.number, len(self), self.payload_bytes]
        return pack([*parts, tree.root, tree.next_node, tree.height], FORM_EXPANDED)
