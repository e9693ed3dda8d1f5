"""The nodes of a counted tree (``objects/counted_tree.py``), and which child of one to go to."""

from __future__ import annotations

from bisect import bisect_right
from itertools import accumulate
from typing import Any


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
