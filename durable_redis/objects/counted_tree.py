"""A sequence on disk that knows positions: the order of an expanded sorted set, the elements of a list.

A B+ tree whose inner nodes count what is below them, so that the item at a position, and the position of an
item, are found by reading one node a level: three or four for ten million items.  Each node is a record of
its own (``node_store.py``).

With ``ordered`` the items are in ascending order and are found by comparison; an inner node knows a lower
bound of each child but the first.  Without it items stand where they were put.

After Bayer and McCreight, "Organization and maintenance of large ordered indices" (1972), and the counted
form of Knuth, TAOCP 3, section 6.2.3.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Iterator
from typing import Any, Final

from durable_redis.objects.node_store import NodeStore
from durable_redis.objects.tree_nodes import (
    Inner,
    Leaf,
    Node,
    NodeCodec,
    Path,
    child_of,
    numbers_below,
    position_of,
)
from storage.backends.base import Reader
from storage.records import node_key

LEAF_ITEMS_MAX: Final = 128
LEAF_BYTES_MAX: Final = 8 << 10
CHILDREN_MAX: Final = 128


class CountedTree(NodeStore):
    """See the module.  ``count`` is exact; ``cached`` is how many items are in memory."""

    def __init__(
        self,
        reader: Reader,
        number: int,
        *,
        codec: NodeCodec,
        count: int = 0,
        root: int = 0,
        next_node: int = 1,
        height: int = 0,
    ) -> None:
        """The tree of collection ``number``; a new one if ``count`` is 0."""
        super().__init__(reader, number, count, dict)
        self.root = root
        self.next_node = next_node
        self.height = height  # of inner nodes above the leaves
        self._codec = codec
        self._ordered = codec.ordered
        self._item_bytes = codec.item_bytes
        self._leaf_items = min(codec.leaf_items_max, LEAF_ITEMS_MAX)
        self._merged_items = (self._leaf_items + 1) // 2  # two neighbours with so few items become one
        if not count:
            leaf = Leaf([], 0)
            self._young[root] = self._dirty[root] = leaf

    # -- nodes -----------------------------------------------------------------------------------------------

    def _record_key(self, name: int) -> bytes:
        return node_key(self.number, name)

    def _encode_node(self, node: Node) -> bytes:
        return self._codec.encode(node)

    def _decode_node(self, content: bytes) -> Node:
        return self._codec.decode(content)

    def _weight(self, node: Node) -> int:
        return len(node.items) if type(node) is Leaf else 0

    def changed(self) -> int:
        """See :class:`durable_redis.objects.expanded.Store`."""
        return len(self._dirty) * self._leaf_items // 4

    def _new_node(self, node: Node) -> int:
        number = self.next_node
        self.next_node += 1
        self._young[number] = self._dirty[number] = node
        return number

    # -- finding ---------------------------------------------------------------------------------------------

    def index_of(self, item: Any) -> int:
        """How many items stand before ``item``, which need not be there; for ordered trees."""
        before = 0
        node = self._node(self.root)
        while type(node) is Inner:
            at = child_of(node, item)
            before += sum(node.counts[:at])
            node = self._node(node.children[at])
        assert type(node) is Leaf
        return before + bisect_left(node.items, item)

    def get(self, index: int) -> Any:
        """The item at a position, 0 <= index < count."""
        _, _, leaf, index = self._descend(index)
        return leaf.items[index]

    def slice(self, start: int, stop: int, *, reverse: bool = False) -> Iterator[Any]:
        """The items with start <= index < stop, the last one first if ``reverse``; none may change meanwhile.

        A long slice does not fill the cache.
        """
        if start < stop:
            keep = stop - start <= LEAF_ITEMS_MAX
            for items in self._portions(self.root, start, stop, reverse, keep):
                yield from items

    def reachable(self) -> set[int]:
        """The numbers of all nodes; reads the inner ones."""
        return numbers_below(self.root, self.height, self._peek)

    def _portions(self, number: int, start: int, stop: int, reverse: bool, keep: bool) -> Iterator[list[Any]]:
        node = self._node(number) if keep else self._peek(number)
        if type(node) is Leaf:
            items = node.items[max(start, 0) : stop]
            yield items[::-1] if reverse else items
            return
        assert type(node) is Inner
        before = 0
        parts = []
        for child, count in zip(node.children, node.counts, strict=True):
            if before >= stop:
                break
            if before + count > start:
                parts.append((child, start - before, stop - before))
            before += count
        for child, first, end in reversed(parts) if reverse else parts:
            yield from self._portions(child, first, end, reverse, keep)

    def _search(self, item: Any) -> tuple[Path, int, Leaf]:
        """The way to the leaf where an item is, or would be."""
        path: Path = []
        number, node = self.root, self._node(self.root)
        while type(node) is Inner:
            at = child_of(node, item)
            path.append((number, node, at))
            number = node.children[at]
            node = self._node(number)
        assert type(node) is Leaf
        return path, number, node

    def _descend(self, index: int) -> tuple[Path, int, Leaf, int]:
        """The way to the leaf of a position, and the position in it."""
        path: Path = []
        number, node = self.root, self._node(self.root)
        while type(node) is Inner:
            at, index = position_of(node, index)
            path.append((number, node, at))
            number = node.children[at]
            node = self._node(number)
        assert type(node) is Leaf
        return path, number, node, index

    # -- changing --------------------------------------------------------------------------------------------

    def add(self, item: Any) -> None:
        """Put an item where it belongs; for ordered trees."""
        path, number, leaf = self._search(item)
        self._insert(path, number, leaf, bisect_right(leaf.items, item), item)

    def insert(self, index: int, item: Any) -> None:
        """Put an item before the one at ``index``; ``count`` puts it behind the last one."""
        path, number, leaf, index = self._descend(index)
        self._insert(path, number, leaf, index, item)

    def append(self, item: Any) -> None:
        """Put an item behind the last one."""
        path, number, leaf = self._edge(-1)
        self._insert(path, number, leaf, len(leaf.items), item)

    def prepend(self, item: Any) -> None:
        """Put an item before the first one."""
        path, number, leaf = self._edge(0)
        self._insert(path, number, leaf, 0, item)

    def pop_first(self) -> Any:
        """Take the first item away; the item."""
        path, number, leaf = self._edge(0)
        return self._delete(path, number, leaf, 0)

    def pop_last(self) -> Any:
        """Take the last item away; the item."""
        path, number, leaf = self._edge(-1)
        return self._delete(path, number, leaf, len(leaf.items) - 1)

    def _edge(self, side: int) -> tuple[Path, int, Leaf]:
        """The way to the first leaf (0) or the last one (-1)."""
        path: Path = []
        number = self.root
        node = self._young.get(number) or self._node(number)
        while type(node) is Inner:
            path.append((number, node, side))
            number = node.children[side]
            node = self._young.get(number) or self._node(number)
        assert type(node) is Leaf
        return path, number, node

    def _insert(self, path: Path, number: int, leaf: Leaf, index: int, item: Any) -> None:
        self.count += 1
        self.cached += 1
        dirty = self._dirty
        for above, inner, at in path:
            if above not in dirty:
                self._touch(above, inner)
            inner.counts[at] += 1
        if number not in dirty:
            self._touch(number, leaf)
        leaf.items.insert(index, item)
        leaf.size += self._item_bytes(item)
        if len(leaf.items) > self._leaf_items or leaf.size > LEAF_BYTES_MAX:
            self._split_leaf(path, number, leaf, index)

    def _split_leaf(self, path: Path, number: int, leaf: Leaf, index: int) -> None:
        """Cut a leaf in two; at the ends of the sequence so that what was full stays full."""
        items = leaf.items
        if len(items) == 1:
            return
        if index == len(items) - 1:
            at = index
        elif index == 0:
            at = 1
        else:
            at = len(items) // 2
        right = Leaf(items[at:], 0)
        del items[at:]
        right.size = sum(map(self._item_bytes, right.items))
        leaf.size -= right.size
        self._add_child(path, number, self._new_node(right), len(right.items), right.items[0])

    def _add_child(self, path: Path, left: int, right: int, count: int, bound: Any) -> None:
        """A node was cut: hang the right part, with ``count`` items, beside the left one."""
        if not self._ordered:
            bound = None
        if not path:
            # The first bound is never looked at.
            self.root = self._new_node(Inner([left, right], [self.count - count, count], [bound, bound]))
            self.height += 1
            return
        number, inner, at = path.pop()
        at %= len(inner.children)
        inner.counts[at] -= count
        inner.children.insert(at + 1, right)
        inner.counts.insert(at + 1, count)
        inner.bounds.insert(at + 1, bound)
        if len(inner.children) > CHILDREN_MAX:
            half = len(inner.children) - 1 if at + 2 == len(inner.children) else len(inner.children) // 2
            other = Inner(inner.children[half:], inner.counts[half:], inner.bounds[half:])
            del inner.children[half:], inner.counts[half:], inner.bounds[half:]
            self._add_child(path, number, self._new_node(other), sum(other.counts), other.bounds[0])

    def remove(self, item: Any) -> None:
        """Take an item away that is there; for ordered trees."""
        path, number, leaf = self._search(item)
        index = bisect_left(leaf.items, item)
        assert leaf.items[index] == item
        self._delete(path, number, leaf, index)

    def pop(self, index: int) -> Any:
        """Take the item at a position away; the item."""
        path, number, leaf, index = self._descend(index)
        return self._delete(path, number, leaf, index)

    def replace(self, index: int, item: Any) -> Any:
        """Put an item in the place of another; the other.

        In an ordered tree it must stand where the other one stood, and from then on items are to be found
        and taken away by position, since bounds above may be those of the other one.
        """
        path, number, leaf, index = self._descend(index)
        self._touch(number, leaf)
        old = leaf.items[index]
        leaf.items[index] = item
        leaf.size += self._item_bytes(item) - self._item_bytes(old)
        if leaf.size > LEAF_BYTES_MAX and len(leaf.items) > 1:
            for above, inner, _ in path:
                self._touch(above, inner)
            self._split_leaf(path, number, leaf, index)
        return old

    def _delete(self, path: Path, number: int, leaf: Leaf, index: int) -> Any:
        self.count -= 1
        self.cached -= 1
        for above, inner, at in path:
            self._touch(above, inner)
            inner.counts[at] -= 1
        self._touch(number, leaf)
        item = leaf.items.pop(index)
        leaf.size -= self._item_bytes(item)
        if path and len(leaf.items) < self._merged_items:
            if not leaf.items:
                self._drop_child(path, number)
            else:
                self._merge(path, leaf)
        return item

    def _merge(self, path: Path, leaf: Leaf) -> None:
        """Let a leaf take over its right neighbour if both have little."""
        _, inner, at = path[-1]
        at %= len(inner.children)
        if at + 1 == len(inner.children) or inner.counts[at] + inner.counts[at + 1] > self._merged_items:
            return
        right = inner.children[at + 1]
        neighbour = self._node(right)
        assert type(neighbour) is Leaf
        if leaf.size + neighbour.size > LEAF_BYTES_MAX:
            return
        leaf.items += neighbour.items
        leaf.size += neighbour.size
        inner.counts[at] += inner.counts[at + 1]
        inner.counts[at + 1] = 0
        number, node, _ = path.pop()
        path.append((number, node, at + 1))
        self._drop_child(path, right)

    def _drop_child(self, path: Path, number: int) -> None:
        """A node has nothing left: take it out of its parent, and roots with one child out of the way."""
        while True:
            self._forget(number)
            if not path:
                self._start_anew()
                return
            number, inner, at = path.pop()
            del inner.children[at], inner.counts[at], inner.bounds[at]
            if inner.children:
                self._lower_root()
                return

    def _start_anew(self) -> None:
        self.root = self._new_node(Leaf([], 0))
        self.height = 0

    def _lower_root(self) -> None:
        """Take roots with one child out of the way."""
        while self.height:
            root = self._node(self.root)
            assert type(root) is Inner
            if len(root.children) > 1:
                return
            self._forget(self.root)
            self.root = root.children[0]
            self.height -= 1

    def delete_range(self, start: int, stop: int) -> None:
        """Take the items with 0 <= start <= index < stop <= count away; whole leaves are not even read."""
        if start >= stop:
            return
        if stop - start == self.count:
            self._drop_subtree(self.root, self.height)
            self._start_anew()
        else:
            self._cut(self.root, self.height, start, stop)
            self._lower_root()
        self.count -= stop - start

    def _cut(self, number: int, height: int, start: int, stop: int) -> None:
        """Take items of a subtree away, but not all."""
        node = self._node(number)
        self._touch(number, node)
        if type(node) is Leaf:
            node.size -= sum(map(self._item_bytes, node.items[start:stop]))
            del node.items[start:stop]
            self.cached -= stop - start
            return
        assert type(node) is Inner
        kept = []
        before = 0
        for at, (child, count) in enumerate(zip(node.children, node.counts, strict=True)):
            first, end = max(start - before, 0), min(stop - before, count)
            before += count
            if first >= end:
                kept.append(at)
            elif end - first == count:
                self._drop_subtree(child, height - 1)
            else:
                self._cut(child, height - 1, first, end)
                node.counts[at] -= end - first
                kept.append(at)
        node.children = [node.children[at] for at in kept]
        node.counts = [node.counts[at] for at in kept]
        node.bounds = [node.bounds[at] for at in kept]

    def _drop_subtree(self, number: int, height: int) -> None:
        if height:
            node = self._peek(number)
            assert type(node) is Inner
            for child in node.children:
                self._drop_subtree(child, height - 1)
        else:
            leaf = self._young.get(number) or self._old.get(number)
            if type(leaf) is Leaf:
                self.cached -= len(leaf.items)
        self._forget(number)
