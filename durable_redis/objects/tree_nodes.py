"""The nodes of a counted tree (``objects/counted_tree.py``), and which child of one to go to."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable
from dataclasses import dataclass
from itertools import accumulate
from typing import Any

import msgpack

from durable_redis.objects.packer import PACKER


class Leaf:
    """Items.  ``size`` is their bytes."""

    __slots__ = ("items", "size")

    def __init__(self, items: list[Any], size: int) -> None:
        self.items = items
        self.size = size


class Inner:
    """Children by number, with the items below each and a lower bound of each."""

    __slots__ = ("bounds", "children", "counts")

    def __init__(self, children: list[int], counts: list[int], bounds: list[Any]) -> None:
        self.children = children
        self.counts = counts
        self.bounds = bounds


Node = Leaf | Inner
Path = list[tuple[int, Inner, int]]  # number and node, and which child was taken


@dataclass(slots=True, frozen=True)
class NodeCodec:
    """What a tree has to know of its items: their order and bytes, and how they become what msgpack knows."""

    ordered: bool
    item_bytes: Callable[[Any], int]
    flatten: Callable[[list[Any]], list[Any]] = list
    restore: Callable[[list[Any]], list[Any]] = list
    leaf_items_max: int = 128

    def encode(self, node: Node) -> bytes:
        """The content of a node's record."""
        if type(node) is Leaf:
            packed = PACKER.pack(self.flatten(node.items))
            return b"\0" + packed
        assert type(node) is Inner
        bounds = self.flatten(node.bounds) if self.ordered else node.bounds
        packed = PACKER.pack([node.children, node.counts, bounds])
        return b"\1" + packed

    def decode(self, content: bytes) -> Node:
        """The node that :meth:`encode` was given."""
        parts = msgpack.unpackb(memoryview(content)[1:])
        if content[0] == 0:
            items = self.restore(parts)
            return Leaf(items, sum(map(self.item_bytes, items)))
        children, counts, bounds = parts
        return Inner(children, counts, self.restore(bounds) if self.ordered else bounds)


def child_of(node: Inner, item: Any) -> int:
    """Which child holds an item, or would hold it."""
    return max(bisect_right(node.bounds, item, 1) - 1, 0)


def position_of(node: Inner, index: int) -> tuple[int, int]:
    """Which child holds a position, and the position in it; one behind the last belongs to the last child."""
    counts = node.counts
    if index < counts[0]:
        return 0, index
    at = bisect_right(list(accumulate(counts)), index)
    if at == len(counts):
        return at - 1, index - sum(counts[:-1])
    return at, index - sum(counts[:at])


def numbers_below(root: int, height: int, node_of: Callable[[int], Node]) -> set[int]:
    """The numbers of all nodes of a tree; ``height`` levels of inner ones are read."""
    level = [root]
    found = {root}
    for _ in range(height):
        inner = [node for node in map(node_of, level) if type(node) is Inner]
        level = [child for node in inner for child in node.children]
        found.update(level)
    return found
