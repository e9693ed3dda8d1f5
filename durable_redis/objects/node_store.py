"""The nodes of one expanded collection, a record each: a cache of them, and what has changed.

What trees (``counted_tree.py``) and streams (``stream_nodes.py``) are made of.  *Young* and *old* are two
generations of the cache.  *Dirty* nodes have changed since the last checkpoint, *frozen* ones are being
written by it; None in either marks a node that is gone.  A node that is about to change while it is frozen is
encoded first, so whoever changes one calls :meth:`NodeStore._touch` before.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, ClassVar, Final

from storage.backends.base import Reader
from storage.records import decode_element, encode_element

NODES_PER_STEP: Final = 64  # freed at a time


class NodeStore:
    """``count`` elements are in all nodes, exactly; ``cached`` of them are in memory.

    What a node is called, how it is written and how many elements it has is for the kind of store to say.
    """

    CHANGED_WEIGHT: ClassVar[int] = 32  # elements that a changed node counts as; a quarter of a full one

    def __init__(self, reader: Reader, number: int, count: int, make: Callable[[], Any]) -> None:
        """The nodes of collection ``number``; ``make`` gives the maps to keep them in."""
        self.number = number
        self.count = count
        self.cached = 0
        self._reader = reader
        self._make = make
        self._young = make()
        self._old = make()
        self._dirty = make()
        self._frozen = make()
        self._pending: set[Any] = set()  # frozen and not encoded yet

    # -- for the kind of store to say ------------------------------------------------------------------------

    def _record_key(self, name: Any) -> bytes:
        """The backend key of a node."""
        raise NotImplementedError

    def _encode_node(self, node: Any) -> bytes:
        """The content of a node's record."""
        raise NotImplementedError

    def _decode_node(self, content: bytes) -> Any:
        """The node that :meth:`_encode_node` was given."""
        raise NotImplementedError

    def _weight(self, node: Any) -> int:
        """How many elements are in a node."""
        raise NotImplementedError

    # -- nodes -----------------------------------------------------------------------------------------------

    def _node(self, name: Any) -> Any:
        """A node, brought into the cache."""
        node = self._young.get(name)
        if node is None:
            node = self._old.pop(name, None)
            if node is None:
                node = self._fetch(name)
                self.cached += self._weight(node)
            self._young[name] = node
        return node

    def _peek(self, name: Any) -> Any:
        """A node; what is read from disk is not kept."""
        return self._young.get(name) or self._old.get(name) or self._fetch(name)

    def _fetch(self, name: Any) -> Any:
        changed = self._dirty.get(name) or self._frozen.get(name)
        if changed is not None and type(changed) is not bytes:
            return changed
        key = self._record_key(name)
        raw = self._reader.get(key)
        assert raw is not None, f"node {name} of collection {self.number} is missing"
        return self._decode_node(decode_element(key, raw))

    def _touch(self, name: Any, node: Any) -> None:
        """The node is about to change."""
        if name not in self._dirty:
            if name in self._pending:
                self._pending.discard(name)
                self._frozen[name] = self._encode_node(node)
            self._dirty[name] = node

    def _forget(self, name: Any) -> None:
        """The node is gone."""
        self._young.pop(name, None)
        self._old.pop(name, None)
        self._dirty[name] = None

    # -- memory ----------------------------------------------------------------------------------------------

    def drop_unused(self, entries_max: int) -> int:
        """See :class:`durable_redis.objects.expanded.Store`."""
        dropped = 0
        for _ in range(2):
            old = self._old
            while old and dropped < entries_max:
                _, node = old.popitem()
                dropped += self._weight(node)
            if old:
                break
            self._old, self._young = self._young, self._make()
        self.cached -= dropped
        return dropped

    def free_some(self) -> bool:
        """See :class:`durable_redis.objects.expanded.Store`."""
        for nodes in (self._young, self._old, self._dirty):
            for _ in range(min(NODES_PER_STEP, len(nodes))):
                nodes.popitem()
        return bool(self._young or self._old or self._dirty)

    # -- checkpoint ------------------------------------------------------------------------------------------

    def changed(self) -> int:
        """See :class:`durable_redis.objects.expanded.Store`."""
        return len(self._dirty) * self.CHANGED_WEIGHT

    def freeze(self) -> list[list[Any]]:
        """See :class:`durable_redis.objects.expanded.Store`."""
        assert not self._frozen
        self._frozen, self._dirty = self._dirty, self._make()
        self._pending.update(self._frozen)
        return [sorted(self._frozen)]

    def encode(self, portion: list[Any]) -> Iterator[tuple[bytes, bytes | None]]:
        """See :class:`durable_redis.objects.expanded.Store`."""
        for name in portion:
            node = self._frozen[name]
            key = self._record_key(name)
            if node is None:
                yield key, None
                continue
            self._pending.discard(name)
            yield key, encode_element(key, node if type(node) is bytes else self._encode_node(node))

    def committed(self) -> None:
        """See :class:`durable_redis.objects.expanded.Store`."""
        self._frozen = self._make()
        self._pending = set()

    def rolled_back(self) -> None:
        """See :class:`durable_redis.objects.expanded.Store`."""
        for name, node in self._frozen.items():
            # One that was encoded early has changed since; if it is not dirty, the collection is gone.
            if name not in self._dirty and type(node) is not bytes:
                self._dirty[name] = node
        self._frozen = self._make()
        self._pending = set()
